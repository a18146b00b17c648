//! Crates that do not compile, or that clippy complains of: what the messages say and where they point.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    repository().join("tests/fixtures").join(name)
}

/// What cargo says of a fixture: its messages as JSON. It builds with the versions of the repository, so it
/// downloads nothing.
fn messages(name: &str, arguments: &[&str]) -> Vec<Value> {
    std::fs::copy(repository().join("Cargo.lock"), fixture(name).join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--message-format=json", "--keep-going", "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
        .current_dir(fixture(name))
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let messages: Vec<_> = lines
        .filter(|line| {
            line["reason"] == "compiler-message"
                && line["target"]["src_path"].as_str().unwrap().contains(name)
        })
        .map(|line| line["message"].clone())
        .collect();
    assert!(!messages.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    messages
}

/// Each place of the user's code that a message shows, with what it says there.
fn places(message: &Value) -> BTreeSet<String> {
    let children = message["children"].as_array().unwrap();
    let parts = std::iter::once(message).chain(children);
    let spans = parts.flat_map(|part| part["spans"].as_array().unwrap());
    spans
        .filter(|span| span["file_name"].as_str().unwrap().starts_with("src/"))
        .map(|span| {
            let of = |key: &str| span[key].to_string();
            format!("{}:{}:{} {}", of("file_name"), of("line_start"), of("column_start"), of("label"))
        })
        .collect()
}

/// The errors of the misused calls, through headcount or bare.
fn errors(features: &[&str]) -> Vec<(String, BTreeSet<String>)> {
    let arguments = [&["check", "--bins"], features].concat();
    let messages = messages("misuse", &arguments);
    let errors = messages.iter().filter(|message| message["level"] == "error" && !places(message).is_empty());
    let mut errors: Vec<_> =
        errors.map(|error| (error["message"].as_str().unwrap().to_owned(), places(error))).collect();
    errors.sort();
    errors
}

#[test]
fn misuse_is_told_as_tokio_tells_it() {
    own_process!();
    let ours = errors(&[]);
    assert!(4 <= ours.len(), "one for each file at least: {ours:#?}");
    assert_eq!(ours, errors(&["--features", "bare"]));
    // A future that is not `Send` is explained by the await that it is held across.
    let await_shown = |(_, places): &(_, BTreeSet<String>)| {
        places.iter().any(|place| place.contains("not_send.rs\":8:16") && place.contains("await occurs here"))
    };
    assert!(ours.iter().any(await_shown), "{ours:#?}");
}

#[test]
fn clippy_finds_bare_spawns() {
    own_process!();
    clippy_finds("adopting", 0);
}

/// A path that is wrong is an error to no one, since the list permits paths that the code does not have.
#[test]
fn clippy_finds_what_has_no_replacement_of_the_same_shape() {
    own_process!();
    clippy_finds("sets", 1);
}

/// With a list of the guide, clippy complains of the lines of a fixture that are marked, and of no others.
#[track_caller]
fn clippy_finds(name: &str, list: usize) {
    let guide = guide();
    let lists = guide.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let mut lists = lists.filter(|text| text.starts_with("disallowed-methods"));
    let settings = lists.nth(list).expect("the guide shows a clippy.toml");
    std::fs::write(fixture(name).join("clippy.toml"), settings).unwrap();

    let code = std::fs::read_to_string(fixture(name).join("src/lib.rs")).unwrap();
    let lines = code.lines().zip(1_u64..).filter(|(line, _)| line.ends_with("// found"));
    let marked: BTreeSet<u64> = lines.map(|(_, number)| number).collect();
    assert!(settings.matches("path = ").count() <= marked.len(), "each path has a line: {settings}");
    let found = messages(name, &["clippy"]).into_iter().filter_map(|message| {
        let is_ours = message["code"]["code"] == "clippy::disallowed_methods";
        is_ours.then(|| message["spans"][0]["line_start"].as_u64().unwrap())
    });
    assert_eq!(found.collect::<BTreeSet<_>>(), marked);
}

/// How a code base is moved over.
fn guide() -> String {
    std::fs::read_to_string(repository().join("docs/ADOPTING.md")).unwrap()
}

/// The first line of the guide: `cargo clippy --fix` replaces what has a replacement, and the code compiles.
#[test]
fn clippy_replaces_what_has_a_replacement() {
    own_process!();
    let (guide, original) = (guide(), fixture("adopting"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replaced");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let list = guide.split("```toml\n").nth(1).unwrap().split_once("```").unwrap().0;
    std::fs::write(folder.join("clippy.toml"), list).unwrap();
    let manifest = std::fs::read_to_string(original.join("Cargo.toml")).unwrap();
    let here = format!("path = {:?}", repository());
    std::fs::write(folder.join("Cargo.toml"), manifest.replace("path = \"../../..\"", &here)).unwrap();
    std::fs::copy(repository().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    std::fs::copy(original.join("src/lib.rs"), folder.join("src/lib.rs")).unwrap();
    // What the package needs is built for the one that it is a copy of.
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).args(["--offline", "--target-dir"]);
        command.arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("adopting"));
        let output = command.current_dir(&folder).env_remove("RUSTFLAGS").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["clippy", "--fix", "--allow-no-vcs"]);
    let fixed = std::fs::read_to_string(folder.join("src/lib.rs")).unwrap();
    let left: Vec<_> = fixed.lines().filter(|line| line.ends_with("// found")).map(str::trim).collect();
    // Those of a handle or a runtime have a reason in place of a replacement.
    let expected = [
        "headcount::spawn(async {}); // found",
        "headcount::spawn(async {}); // found",
        "headcount::spawn_local(async {}); // found",
        "headcount::spawn_blocking(|| ()); // found",
        "handle.spawn(async {}); // found",
        "handle.spawn_blocking(|| ()); // found",
        "runtime.spawn(async {}); // found",
        "headcount::spawn(async {}); // found",
    ];
    assert_eq!(left, expected, "{fixed}");
    run(&["clippy"]);
}

/// What cargo writes for a fixture that has no messages to be read.
fn cargo(name: &str, arguments: &[&str]) -> std::process::Output {
    std::fs::copy(repository().join("Cargo.lock"), fixture(name).join("Cargo.lock")).unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).args(["--offline", "--target-dir"]);
    command.arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    command.current_dir(fixture(name)).env_remove("RUSTFLAGS").output().unwrap()
}

#[test]
fn a_library_on_the_core_and_an_application_meet_in_one_registry() {
    own_process!();
    let output = cargo("meeting", &["run", "--quiet"]);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{error}");
    assert!(out.contains("the library was told") && out.contains("1 completed"), "{out}\n{error}");
}

#[test]
fn two_incompatible_versions_of_the_core_do_not_build() {
    own_process!();
    let output = cargo("two_cores", &["check"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{error}");
    assert!(error.contains("links to the native library `headcount`"), "{error}");
    assert!(error.contains("headcount-core v0.0.1"), "{error}");
}

/// Compiled with `panic = "abort"`, then also without symbols: the file and the offset, which name the line
/// where the symbols are kept.
#[test]
#[cfg(target_os = "linux")]
fn a_program_that_aborts_is_asked_with_and_without_its_symbols() {
    own_process!();
    let line = std::fs::read_to_string(fixture("aborting").join("src/main.rs")).unwrap();
    let line = line.lines().position(|line| line.ends_with("// waits")).unwrap() + 1;
    let place = format!("src/main.rs:{line}");
    let output = cargo("aborting", &["run", "--quiet"]);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out, format!("waits in aborting::answer → oneshot::Receiver ({place})\n42\n"), "{error}");

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aborting/debug");
    let (program, stripped) = (folder.join("aborting"), folder.join("without-symbols"));
    let strip = Command::new("strip").arg("-o").args([&stripped, &program]).status().unwrap();
    assert!(strip.success());
    let output = Command::new(&stripped).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let (waits, rest) = out.split_once('\n').unwrap();
    assert_eq!(rest, "42\n");
    let frames: Vec<_> = waits.strip_prefix("waits in ").unwrap().split(" → ").collect();
    let offsets = frames.iter().map(|frame| frame.strip_prefix("without-symbols+").expect(waits));
    let named = Command::new("addr2line").arg("-e").arg(program).args(offsets).output().unwrap();
    let named = String::from_utf8(named.stdout).unwrap();
    assert!(named.contains(&place), "{waits}\n{named}");
}
