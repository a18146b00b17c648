//! `HEADCOUNT=off`: no thread, no port, no recorder, and tasks that are tokio's.

#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test may, and its figures are whole numbers")]

use std::process::Command;

use headcount::Headcount;

const CHILD: &str = "OFF_CHILD";

#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let before = threads();
    let hc = Headcount::builder().allow_actions(true).install().unwrap();
    assert_eq!(threads(), before);
    assert_eq!(hc.admin_addr(), None);
    assert_eq!(hc.render_metrics(), "");
    hc.ready();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let task = headcount::task("invisible").spawn(async { headcount::current().is_none() });
        assert_eq!(headcount::snapshot().live, 0);
        task.await.unwrap()
    });
    assert!(answer, "no task is tracked");
    assert_eq!(headcount::snapshot().spawned, 0);
    metrics::set_global_recorder(metrics::NoopRecorder).expect("the place of the recorder is free");
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[test]
fn off_is_off() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--test-threads=1"]).env(CHILD, "1");
    // What is wrong in other variables does not matter then.
    child.env("HEADCOUNT", "off").env("HEADCOUNT_DRAIN_TIMEOUT", "nonsense");
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
