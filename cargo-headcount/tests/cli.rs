//! The program as it is run: files in, files out, messages, exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("a file")
    }

    /// Runs the program here, as cargo would.
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-headcount"));
        let output = command.arg("headcount").args(arguments).current_dir(&self.0).output().expect("it runs");
        Ran::new(&output)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a directory");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8(output.stdout.clone()).expect("UTF-8"),
            err: String::from_utf8(output.stderr.clone()).expect("UTF-8"),
        }
    }
}

const BEFORE: &str = include_str!("fixtures/before.rs");
const AFTER: &str = include_str!("fixtures/after.rs");

/// Names the first line that differs.
fn assert_same(text: &str, expected: &str) {
    for (line, expected) in text.lines().zip(expected.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(text.len(), expected.len());
}

#[test]
fn a_file_becomes_what_it_should_and_stays_that() {
    let directory = Directory::new("whole");
    directory.file("before.rs", BEFORE);
    let dry = directory.run(&["migrate", "--dry-run", "--crate", "headcount-core"]);
    assert_eq!((dry.code, directory.read("before.rs").as_str()), (0, BEFORE));

    let ran = directory.run(&["migrate", "--crate", "headcount-core"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_same(&directory.read("before.rs"), AFTER);

    let again = directory.run(&["migrate", "--crate", "headcount-core"]);
    assert!(again.out.contains("changed 0 spawns and 0 wrappers in 0 of 1 files"), "{}", again.out);
    assert_same(&directory.read("before.rs"), AFTER);
}

#[test]
fn the_diff_is_one_that_patch_applies() {
    let directory = Directory::new("diff");
    directory.file("src/before.rs", BEFORE);
    let dry = directory.run(&["migrate", "--dry-run", "--crate", "headcount-core"]);
    let diff = directory.file("change.diff", dry.out);
    let status = Command::new("patch").args(["-p1", "-s", "-i"]).arg(diff).current_dir(&directory.0).status();
    assert!(status.expect("patch is installed").success());
    assert_same(&directory.read("src/before.rs"), AFTER);
}

#[test]
fn files_in_any_notation_keep_it() {
    let directory = Directory::new("notation");
    let body = "use tokio::spawn;\r\n\r\nfn f() {\r\n\tspawn(async {});   // ü\r\n}\r\n";
    directory.file("marked.rs", format!("\u{feff}{body}"));
    directory.file("script.rs", format!("#!/usr/bin/env run-cargo-script\r\n{body}"));
    directory.file("unended.rs", "fn f() { let ü = 'ü'; tokio::spawn(async {}); }");
    assert_eq!(directory.run(&["migrate"]).code, 0);
    let body = "\r\nfn f() {\r\n\theadcount::spawn(async {});   // ü\r\n}\r\n";
    assert_eq!(directory.read("marked.rs"), format!("\u{feff}{body}"));
    assert_eq!(directory.read("script.rs"), format!("#!/usr/bin/env run-cargo-script\r\n{body}"));
    assert_eq!(directory.read("unended.rs"), "fn f() { let ü = 'ü'; headcount::spawn(async {}); }");
}

#[test]
fn bad_input_is_named_and_nothing_is_changed() {
    let good = "fn f() { tokio::spawn(async {}); }\n";
    let deep = format!("const X: u8 = {}1{};", "(".repeat(50_000), ")".repeat(50_000));
    let cases: [(&str, &[u8], &str); 4] = [
        ("broken.rs", b"fn f() {\n    let = 1;\n}\n", "broken.rs cannot be parsed: 2:9:"),
        ("unclosed.rs", b"fn f() { \"\n", "unclosed.rs cannot be parsed: 1:10: not a token of Rust"),
        ("latin.rs", b"// \xe4\xf6\xfc\n", "latin.rs is not UTF-8 (byte 3)"),
        (
            "deep.rs",
            deep.as_bytes(),
            "deep.rs cannot be parsed: 1:415: more than 400 brackets within each other",
        ),
    ];
    for (name, text, message) in cases {
        let directory = Directory::new(&format!("bad-{name}"));
        directory.file("a.rs", good);
        directory.file(name, text);
        let ran = directory.run(&["migrate"]);
        assert_eq!(ran.code, 2, "{name}");
        assert!(ran.err.contains(message), "{name}: {}", ran.err);
        assert!(ran.err.contains("nothing was changed"), "{name}: {}", ran.err);
        assert_eq!(directory.read("a.rs"), good, "{name}");
        assert_eq!(directory.run(&["audit"]).code, 2, "{name}");
        assert_eq!(directory.run(&["migrate", "--exclude", name]).code, 0, "{name}");
    }
    let directory = Directory::new("bad-paths");
    for (arguments, message) in [
        (["migrate", "nowhere"], "nowhere cannot be read"),
        (["audit", "."], ". has no Rust source below it"),
        (["audit", "--colour"], "no option `--colour`"),
    ] {
        let ran = directory.run(&arguments);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(message), "{}", ran.err);
    }
}

#[test]
fn a_file_that_cannot_be_written_leaves_all_as_they_were() {
    let directory = Directory::new("read-only");
    let text = "fn f() { tokio::spawn(async {}); }\n";
    directory.file("a.rs", text);
    let locked = directory.file("b.rs", text);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o444)).expect("permissions");
    let ran = directory.run(&["migrate"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("b.rs is read-only"), "{}", ran.err);
    assert_eq!(directory.read("a.rs"), text);
    assert_eq!(directory.names(), ["a.rs", "b.rs"]);
}

#[test]
fn a_written_file_keeps_its_mode_and_its_link() {
    let directory = Directory::new("mode");
    let real = directory.file("real/a.rs", "fn f() { tokio::spawn(async {}); }\n");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o750)).expect("permissions");
    std::os::unix::fs::symlink(&real, directory.0.join("link.rs")).expect("a link");
    assert_eq!(directory.run(&["migrate", "link.rs"]).code, 0);
    assert!(fs::symlink_metadata(directory.0.join("link.rs")).expect("a link").is_symlink());
    assert_eq!(fs::metadata(&real).expect("a file").permissions().mode() & 0o777, 0o750);
    assert_eq!(directory.read("real/a.rs"), "fn f() { headcount::spawn(async {}); }\n");
}

#[test]
fn a_ratchet_may_fall_and_not_rise() {
    let directory = Directory::new("ratchet");
    let ratchet = ["audit", "--ratchet", "headcount.ratchet"];
    directory.file("a.rs", "fn f() { tokio::spawn(async {}); tokio::spawn(async {}); }");
    let missing = directory.run(&ratchet);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("--update writes it"), "{}", missing.err);

    assert_eq!(directory.run(&["audit", "--ratchet", "headcount.ratchet", "--update"]).code, 0);
    assert!(directory.read("headcount.ratchet").ends_with("tokio::spawn = 2\n"));
    assert_eq!(directory.run(&ratchet).code, 0);

    directory.file("a.rs", "fn f() { tokio::spawn(async {}); }");
    let fallen = directory.run(&ratchet);
    assert_eq!(fallen.code, 0);
    assert!(fallen.out.contains("tokio::spawn fell from 2 to 1"), "{}", fallen.out);

    directory.file(
        "a.rs",
        "fn f(set: &mut tokio::task::JoinSet<()>) { set.spawn(async {}); headcount::spawn(async {}); }",
    );
    let risen = directory.run(&ratchet);
    assert_eq!(risen.code, 1);
    assert!(risen.out.contains("JoinSet::spawn rose from 0 to 1"), "{}", risen.out);

    directory.file("headcount.ratchet", "tokio::spawn: 2\n");
    let malformed = directory.run(&ratchet);
    assert_eq!(malformed.code, 2);
    assert!(
        malformed.err.contains("headcount.ratchet:1: `tokio::spawn: 2` is not `form = count`"),
        "{}",
        malformed.err
    );
}

#[test]
fn the_census_follows_imports_through_the_files_of_a_workspace() {
    let directory = Directory::new("workspace");
    directory
        .file("a/Cargo.toml", "[package]\nname = \"my-lib\"\n[dependencies]\ntk = { package = \"tokio\" }\n");
    directory.file(
        "a/src/lib.rs",
        "pub mod rt;\nmod user;\npub struct Own;\nimpl Own { pub fn spawn(&self, _: u8) {} }\n",
    );
    directory.file("a/src/rt.rs", "pub use tk::task::{spawn, JoinSet};\npub type Set = JoinSet<()>;\n");
    directory.file(
        "a/src/user.rs",
        "use crate::rt::{self, *};\nstruct S { set: rt::Set }\nimpl S { fn f(&mut self) { spawn(async {}); self.set.spawn(async {}); } }\n",
    );
    directory.file("b/Cargo.toml", "[package]\nname = \"b\"\n");
    directory.file(
        "b/tests/it.rs",
        "#[test]\nfn t(own: my_lib::Own) { my_lib::rt::spawn(async {}); own.spawn(1); other.spawn(async {}); }\n",
    );
    directory.file("b/target/CACHEDIR.TAG", "");
    directory.file("b/target/built.rs", "fn f() { tokio::spawn(async {}); }");
    let ran = directory.run(&["audit", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let census: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let sites: Vec<(&str, u64, &str, bool)> = census["sites"]
        .as_array()
        .expect("sites")
        .iter()
        .map(|site| {
            let text = |key: &str| site[key].as_str().expect("a text");
            (text("file"), site["line"].as_u64().expect("a line"), text("form"), site["test"] == true)
        })
        .collect();
    assert_eq!(
        sites,
        [
            ("a/src/user.rs", 3, "tokio::spawn", false),
            ("a/src/user.rs", 3, "JoinSet::spawn", false),
            ("b/tests/it.rs", 2, "tokio::spawn", true),
            ("b/tests/it.rs", 2, "?.spawn", true),
        ]
    );
    assert_eq!(census["totals"]["plain"], 3);
    assert_eq!(census["totals"]["unresolved"], 1);
    let fewer = directory.run(&["audit", "--json", "--no-tests"]);
    let fewer: serde_json::Value = serde_json::from_str(&fewer.out).expect("JSON");
    assert_eq!(fewer["totals"]["plain"], 2);
}

#[test]
fn help_tells_the_exit_codes() {
    let directory = Directory::new("help");
    let ran = directory.run(&["--help"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("Exit code: 0 done; 1"), "{}", ran.out);
    assert_eq!(
        directory.run(&["--version"]).out,
        concat!("cargo-headcount ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(directory.run(&[]).code, 2);
}
