//! The log, the report and the API.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal::SIGTERM;
use serde_json::Value;

use crate::support::http::{act, get};
use crate::support::process::{LINGERING, WAITING, start, term};

fn report_path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("headcount-{name}-{}.json", std::process::id()))
}

#[test]
fn a_crowd_is_counted_by_name_and_its_oldest_are_named() {
    own_process!();
    let tasks: Vec<String> = (0..25).map(|n| format!("wait job-{} 700", n / 22)).collect();
    let end = term(&[], &tasks.iter().map(String::as_str).collect::<Vec<_>>());
    end.exited_with(0).logged(&[
        "Waiting for background tasks to complete. (a second signal forces) pending=25 deadline=25s",
        "  job-0 ×22, job-1 ×3",
        "  job-0 ",
    ]);
    let until_the_first_end = end.log().into_iter().take_while(|line| !line.contains("completed after"));
    let named: Vec<_> = until_the_first_end.filter(|line| line.contains(" running ")).collect();
    // Lines that would read the same are one, with their number.
    let counted =
        |line: &&str| line.split_once(" ×").map_or(1, |(_, rest)| rest[..1].parse::<usize>().unwrap());
    let ids: usize = named.iter().map(counted).sum();
    assert_eq!(ids, 5, "{named:#?}");
}

#[test]
fn the_log_says_what_is_usual_and_when_it_ends() {
    own_process!();
    let end = term(&[], &["usual send-email 150"]);
    end.exited_with(0);
    let line = end.log().into_iter().find(|line| line.contains("send-email #6 running")).unwrap().to_owned();
    assert!(line.contains(", usually 0."), "{line}");
}

#[test]
fn the_report_file_is_private_and_whole() {
    own_process!();
    let path = report_path("report");
    let end = term(
        &[("REPORT_FILE", path.to_str().unwrap()), ("DRAIN_TIMEOUT", "1s")],
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

#[test]
fn a_report_file_that_cannot_be_written() {
    own_process!();
    let end = term(&[("REPORT_FILE", "/nowhere/at/all.json")], &["wait send-email 50"]);
    end.exited_with(0);
    assert!(
        end.lines
            .iter()
            .any(|line| line.contains("could not be written to /nowhere/at/all.json: No such file"))
    );
}

#[test]
fn calls_that_come_too_often_or_too_late() {
    own_process!();
    let mut process = start(&[], &["wait send-email 300", "--call first", "--call second"]);
    process.wait_for("Shutting down (first)");
    process.end().exited_with(0).never_logged("(second)");

    let process = start(&[], &["wait send-email 300", "--main drain-at-once"]);
    process.end().exited_with(0).logged(&["Shutting down (drain())", "All background tasks completed"]);
}

#[test]
fn steering_through_the_api() {
    own_process!();
    let settings = [("ADMIN", "127.0.0.1:0"), ("ALLOW_ACTIONS", "yes"), ("DRAIN_TIMEOUT", "20s")];
    let mut process = start(&settings, &["forever loop"]);
    let admin = process.admin();
    act(admin, "/api/v1/shutdown/force", "").expect(409);
    act(admin, "/api/v1/shutdown/extend", r#"{"seconds":5}"#).expect(409);
    act(admin, "/api/v1/tasks/999999/cancel", "").expect(404);
    act(admin, "/api/v1/shutdown", "").expect(202);
    process.wait_for("Shutting down (API)");
    act(admin, "/api/v1/shutdown", "").expect(409);
    for (body, status) in [
        (r#"{"seconds":0}"#, 400),
        (r#"{"seconds":-3}"#, 400),
        (r#"{"seconds":1e300}"#, 400),
        (r#"{"minutes":3}"#, 400),
        (r#"{"seconds":10}"#, 202),
    ] {
        act(admin, "/api/v1/shutdown/extend", body).expect(status);
    }
    process.wait_for("Deadline moved by 10s");
    let summary = get(admin, "/api/v1/summary").expect(200).json();
    assert_eq!(summary["shutdown"]["budget_seconds"], 30.0, "{summary:#}");
    assert_eq!(summary["stage"], "draining", "{summary:#}");
    act(admin, "/api/v1/shutdown/force", "").expect(202);
    process.end().exited_with(1).logged(&["Shutting down (API)", "Forced by API: aborting 1 task"]);
}

#[test]
fn the_total_does_not_shrink() {
    own_process!();
    let settings = [("ADMIN", "127.0.0.1:0"), ("ALLOW_ACTIONS", "yes"), ("HOOK_TIMEOUT", "30s")];
    let mut process = start(
        &settings,
        &["forever loop", "forever loop", "forever loop", "wait send-email 50", "--main hang"],
    );
    let admin = process.admin();
    let total = || {
        let summary = get(admin, "/api/v1/summary").expect(200).json();
        let shutdown = &summary["shutdown"];
        (shutdown["total"].as_u64().unwrap(), shutdown["ended"].as_u64().unwrap())
    };
    process.signal(SIGTERM);
    process.wait_for("send-email #4 completed");
    assert_eq!(total().0, 4, "at once, not with the next look");
    act(admin, "/api/v1/shutdown/force", "").expect(202);
    process.wait_for("Forced by API, in");
    assert_eq!(total(), (4, 1));
}

#[test]
fn lingering_ends_with_a_scrape() {
    own_process!();
    let mut process = start(&LINGERING, &["wait send-email 100"]);
    let admin = process.admin();
    get(admin, "/metrics").expect(200);
    process.signal(SIGTERM);
    process.wait_for("Staying for a last scrape");
    let metrics = get(admin, "/metrics").expect(200);
    assert!(metrics.text().contains("headcount_shutdown_stage 4"), "{metrics:#?}");
    assert_eq!(metrics.header("connection"), Some("close"), "{metrics:#?}");
    process.end().exited_with(0).logged(&["Staying for a last scrape", "The last scrape came after"]);
}

#[test]
fn where_warnings_are_off_the_log_goes_to_stderr() {
    own_process!();
    let end = term(&[("LOG", "stderr")], &["wait send-email 100"]);
    end.exited_with(0).logged(&["Shutting down (SIGTERM)", WAITING, "All background tasks completed in"]);
    assert!(
        end.lines.iter().any(|line| line.starts_with("20") && line.contains("Z  INFO headcount::shutdown: "))
    );

    let end = term(&[("LOG", "off")], &["wait send-email 100"]);
    end.exited_with(0).never_logged("headcount::shutdown");
}
