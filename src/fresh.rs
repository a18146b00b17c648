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
