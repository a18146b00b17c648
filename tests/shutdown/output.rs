//! The log, the report and the API.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal::SIGTERM;
use serde_json::Value;

use crate::http::{LINGERING, admin, get, post};
use crate::process::{WAITING, start, term};

fn report_path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("headcount-{name}-{}.json", std::process::id()))
}

pub(crate) fn the_twenty_oldest_are_named_and_the_rest_counted() {
    let tasks: Vec<String> = (0..25).map(|n| format!("wait job-{} 700", n / 22)).collect();
    let end = term(&[], &tasks.iter().map(String::as_str).collect::<Vec<_>>());
    end.exited_with(0).logged(&[
        "Waiting for background tasks to complete. (CTRL+C to force quit) pending=25 deadline=25s",
        "  job-0 #1 running",
        "  job-0 #20 running",
        "  and 5 more: job-1 ×3, job-0 ×2",
    ]);
    let named = end.log().iter().filter(|line| line.contains(" running ")).count();
    assert_eq!(named, 20);
}

pub(crate) fn the_log_says_what_is_usual_and_when_it_ends() {
    let end = term(&[], &["usual send-email 150"]);
    end.exited_with(0);
    let line = end.log().into_iter().find(|line| line.contains("send-email #6 running")).unwrap().to_owned();
    assert!(line.contains(", usually 0."), "{line}");
}

pub(crate) fn the_report_file_is_private_and_whole() {
    let path = report_path("report");
    let end = term(
        &[("REPORT_FILE", path.to_str().unwrap()), ("DRAIN_TIMEOUT", "300ms")],
        &["forever loop", "wait send-email 50", "--main ignore"],
    );
    end.exited_with(124);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!((&report["service"], &report["result"]), (&"child".into(), &"deadline".into()));
    assert_eq!((&report["ended"]["ok"], &report["abandoned_total"]), (&1.into(), &1.into()));
    assert_eq!(report["abandoned"][0]["name"], "loop");
}

pub(crate) fn a_report_file_that_cannot_be_written() {
    let end = term(&[("REPORT_FILE", "/nowhere/at/all.json")], &["wait send-email 50"]);
    end.exited_with(0);
    assert!(
        end.lines
            .iter()
            .any(|line| line.contains("could not be written to /nowhere/at/all.json: No such file"))
    );
}

pub(crate) fn calls_that_come_too_often_or_too_late() {
    let mut process = start(&[], &["wait send-email 300", "--call first", "--call second"]);
    process.wait_for("Shutting down (first)");
    process.end().exited_with(0).never_logged("(second)");

    let process = start(&[], &["wait send-email 300", "--main drain-at-once"]);
    process.end().exited_with(0).logged(&["Shutting down (drain())", "All background tasks completed"]);
}

pub(crate) fn steering_through_the_api() {
    let settings = [("ADMIN", "127.0.0.1:0"), ("ALLOW_ACTIONS", "yes"), ("DRAIN_TIMEOUT", "20s")];
    let mut process = start(&settings, &["forever loop"]);
    let address = admin(&mut process);
    assert_eq!(post(&address, "/api/v1/shutdown/force", "").0, 409);
    assert_eq!(post(&address, "/api/v1/shutdown/extend", r#"{"seconds":5}"#).0, 409);
    assert_eq!(post(&address, "/api/v1/tasks/999999/cancel", "").0, 404);
    assert_eq!(post(&address, "/api/v1/shutdown", "").0, 202);
    process.wait_for("Shutting down (API)");
    assert_eq!(post(&address, "/api/v1/shutdown", "").0, 409);
    for (body, status) in [
        (r#"{"seconds":0}"#, 400),
        (r#"{"seconds":-3}"#, 400),
        (r#"{"seconds":1e300}"#, 400),
        (r#"{"minutes":3}"#, 400),
        (r#"{"seconds":10}"#, 202),
    ] {
        assert_eq!(post(&address, "/api/v1/shutdown/extend", body).0, status, "{body}");
    }
    process.wait_for("Deadline moved by 10s");
    let summary = get(&address, "/api/v1/summary");
    assert!(summary.contains(r#""budget_seconds":30.0"#), "{summary}");
    assert!(summary.contains(r#""stage":"draining""#), "{summary}");
    assert_eq!(post(&address, "/api/v1/shutdown/force", "").0, 202);
    process.end().exited_with(1).logged(&["Shutting down (API)", "Forced by API: aborting 1 task"]);
}

pub(crate) fn the_total_does_not_shrink() {
    let settings = [("ADMIN", "127.0.0.1:0"), ("ALLOW_ACTIONS", "yes"), ("HOOK_TIMEOUT", "30s")];
    let mut process = start(
        &settings,
        &["forever loop", "forever loop", "forever loop", "wait send-email 50", "--main hang"],
    );
    let address = admin(&mut process);
    let total = || {
        let answer = get(&address, "/api/v1/summary");
        let summary: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let shutdown = &summary["shutdown"];
        (shutdown["total"].as_u64().unwrap(), shutdown["ended"].as_u64().unwrap())
    };
    process.signal(SIGTERM);
    process.wait_for("send-email #4 completed");
    assert_eq!(total().0, 4, "at once, not with the next look");
    assert_eq!(post(&address, "/api/v1/shutdown/force", "").0, 202);
    process.wait_for("Forced by API, in");
    assert_eq!(total(), (4, 1));
}

pub(crate) fn lingering_ends_with_a_scrape() {
    let mut process = start(&LINGERING, &["wait send-email 100"]);
    let address = admin(&mut process);
    get(&address, "/metrics");
    process.signal(SIGTERM);
    process.wait_for("Staying for a last scrape");
    let metrics = get(&address, "/metrics");
    assert!(metrics.contains("headcount_shutdown_stage 4"), "{metrics}");
    assert!(metrics.contains("connection: close"), "{metrics}");
    process.end().exited_with(0).logged(&["Staying for a last scrape", "The last scrape came after"]);
}

pub(crate) fn where_warnings_are_off_the_log_goes_to_stderr() {
    let end = term(&[("LOG", "stderr")], &["wait send-email 100"]);
    end.exited_with(0).logged(&["Shutting down (SIGTERM)", WAITING, "All background tasks completed in"]);
    assert!(
        end.lines.iter().any(|line| line.starts_with("20") && line.contains("Z  INFO headcount::shutdown: "))
    );

    let end = term(&[("LOG", "off")], &["wait send-email 100"]);
    end.exited_with(0).never_logged("headcount::shutdown");
}
