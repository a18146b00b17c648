//! A critical service that dies in a real process: its metrics while it lives, and what the process says and
//! exits with.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::http::get;
use crate::support::process::{report, start};

#[test]
fn a_critical_service_dies_in_a_real_process() {
    own_process!();
    let mut process = start(&[("ADMIN", "127.0.0.1:0")], &["timer refresh 100", "critical consumer 3000"]);
    let admin = process.admin();
    let metrics = loop {
        // A timer has a group from its first run on.
        let metrics = get(admin, "/metrics").expect(200);
        if metrics.text().contains("headcount_timer_last_success_timestamp_seconds{") {
            break metrics;
        }
        std::thread::yield_now();
    };
    check(metrics.text());
    for series in [
        "headcount_service_up{task=\"consumer\",kind=\"service\"} 1",
        "headcount_service_restarts_total{task=\"consumer\",kind=\"service\"} 0",
        "headcount_timer_skipped_total{task=\"refresh\",kind=\"timer\"}",
        "headcount_timer_last_success_timestamp_seconds{task=\"refresh\",kind=\"timer\"}",
    ] {
        assert!(metrics.text().contains(series), "no {series} in {}", metrics.text());
    }
    let end = process.end();
    let report = report(end.exited_with(70));
    assert_eq!(
        (report["exit_code"].as_u64(), report["critical_service"].as_str()),
        (Some(70), Some("consumer"))
    );
    assert_eq!(report["reason"], "critical service consumer has ended: panic: no connection");
    end.logged(&[
        "Shutting down (critical service consumer has ended: panic: no connection)",
        "Background tasks ended in",
    ]);
    let last = end.log().pop().unwrap();
    assert!(last.contains("; critical service consumer has ended for good: exit code 70"), "{last}");
}

/// Prometheus' own tool has nothing to say of these metrics.
fn check(text: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().expect("promtool, which scripts/setup installs");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(),
        "{}{}",
        lines(&said.stdout),
        lines(&said.stderr)
    );
}
