//! Where tasks wait, in the log of a real process: on SIGQUIT, and while it stops.

use nix::sys::signal::Signal;

use crate::support::process::start;

#[test]
fn sigquit_writes_all_stacks_and_the_process_goes_on() {
    own_process!();
    let settings = [("SIGQUIT", "stacks")];
    let mut process = start(&settings, &["forever hangs", "forever hangs", "wait works 60000"]);
    process.signal(Signal::SIGQUIT);
    process.wait_for("Stacks of 3 tasks:");
    let line = process.wait_for("  hangs ×2 (");
    assert!(line.contains(") waits"), "{line}");
    process.signal(Signal::SIGQUIT);
    process.signal(Signal::SIGTERM);
    process.wait_for("Shutting down (SIGTERM)");
    process.signal(Signal::SIGINT);
    assert_eq!(process.end().code, Some(130));
}

#[test]
fn the_lines_of_a_drain_and_the_report_say_where_a_task_waits() {
    own_process!();
    let report = std::env::temp_dir().join(format!("headcount-stacks-{}.json", std::process::id()));
    let path = report.to_str().unwrap();
    let settings =
        [("STACKS", "request"), ("DRAIN_TIMEOUT", "60s"), ("REPORT_FILE", path), ("LOG_INTERVAL", "1s")];
    let mut process = start(&settings, &["wait hangs 60000", "stuck holds 60000"]);
    process.signal(Signal::SIGTERM);
    let line = process.wait_for(", waits in ");
    assert!(line.contains("hangs #") && line.contains("tests/suite/support/child.rs:"), "{line}");
    #[cfg(target_os = "linux")]
    {
        let line = process.wait_for("in clock_nanosleep(2)");
        assert!(line.contains("holds #"), "{line}");
    }
    process.signal(Signal::SIGINT);
    process.end();
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let waits: Vec<_> =
        report["abandoned"].as_array().unwrap().iter().map(|task| task["waits"].to_string()).collect();
    assert!(waits.iter().any(|waits| waits.contains("waits in ")), "{waits:?}");
    std::fs::remove_file(path).unwrap();
}
