//! Files that tests write, and that fail a test when they are not what it would write.

use std::path::Path;

/// Compares the file with the text. With the variable `WRITE_FILES` set, it is written first.
#[track_caller]
pub(crate) fn assert_fresh(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("WRITE_FILES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    // A published package leaves some of them out.
    let there = path.parent().unwrap().exists();
    let fresh = !there || std::fs::read_to_string(&path).is_ok_and(|written| written == text);
    assert!(fresh, "{} is stale: WRITE_FILES=1 cargo test --lib", path.display());
}

/// `examples/README.md` has a line for each example: the first paragraph of its documentation.
#[test]
fn the_list_of_examples_is_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect();
    files.sort();
    let mut text = "# Examples\n\n`cargo run --example quickstart` runs one of them; `console` and `stuck` need `--features console`\n\
        and `--features stacks`.\n\
        `../kit/` has what runs beside a service: rules and alerts for Prometheus, a dashboard for Grafana. `frameworks/` is a workspace\n\
        of its own: services of axum, tonic, actix-web and plain hyper, of which `cargo run --bin axum-service` runs one.\n\
        `traces/` is a crate of its own: OpenTelemetry by OTLP, tasks linked to their requests, and Sentry.\n\
        These two are in the repository, not in the package.\n\n| example | what it shows |\n|---|---|\n"
        .to_owned();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy();
        let code = std::fs::read_to_string(&path).unwrap();
        let lines = code.lines().map_while(|line| line.strip_prefix("//! "));
        let about: Vec<_> = lines.collect();
        assert!(!about.is_empty(), "{name} says what it shows");
        text += &format!("| [{name}]({name}.rs) | {} |\n", about.join(" "));
    }
    assert_fresh("examples/README.md", &text);
}
