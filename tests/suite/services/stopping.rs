//! Services and timers when a real process stops, and critical ones that stop it.

use nix::sys::signal::Signal::{SIGINT, SIGTERM};

use crate::support::process::{End, Process, command, report, start, term};

/// The process would be there for the back-off of an hour, or for the deadline.
#[test]
fn a_back_off_and_a_timer_end_at_once_and_nothing_restarts() {
    own_process!();
    let end = term(&[], &["service-fails consumer", "timer refresh 3600000", "service-told pump 0"]);
    let report = report(end.exited_with(0));
    // The run that was told, and the timer's first if the signal came that soon.
    let ended = report["ended"]["ok"].as_u64().unwrap();
    assert!((1..=2).contains(&ended), "{report}");
    assert_eq!((report["ended"]["error"].as_u64(), report["abandoned_total"].as_u64()), (Some(0), Some(0)));
    assert!(report["duration_seconds"].as_f64().unwrap() < 5.0, "{report}");
    let last = format!("All background tasks completed in ~s ({ended} completed)");
    end.logged(&["Shutting down (SIGTERM)", &last]);
    end.never_logged("restart 2 in");
    end.never_logged("is lost");
}

/// Told first, then given its grace; one that does not listen is cut, and does not come back.
#[test]
fn a_service_is_told_and_then_has_its_grace() {
    own_process!();
    let end = term(&[], &["service-told polite 300", "service-deaf deaf 200", "timer-busy busy 500"]);
    let report = report(end.exited_with(0));
    assert_eq!(report["ended"]["ok"], 2, "{report}");
    assert_eq!(report["abandoned"][0]["name"], "deaf");
    assert_eq!(report["abandoned"][0]["kind"], "service");
    assert_eq!(report["abandoned_total"], 1, "{report}");
    assert_eq!(end.lines.iter().filter(|line| line.contains("deaf run")).count(), 1, "{:#?}", end.lines);
}

#[track_caller]
fn is_critical(end: &End) -> serde_json::Value {
    let report = report(end.exited_with(70));
    assert_eq!(
        (report["exit_code"].as_u64(), report["critical_service"].as_str()),
        (Some(70), Some("consumer"))
    );
    assert_eq!(report["reason"], "critical service consumer has ended: panic: no connection");
    report
}

/// Elsewhere the process ends with code 0, although its only consumer has died.
#[test]
fn a_critical_service_that_ends_for_good_stops_the_process() {
    own_process!();
    let end = start(&[], &["wait mail 100", "critical consumer 200"]).end();
    let report = is_critical(&end);
    assert_eq!((report["result"].as_str(), report["ended"]["ok"].as_u64()), (Some("drained"), Some(1)));
    end.logged(&[
        "Shutting down (critical service consumer has ended: panic: no connection)",
        "Background tasks ended in ~s (1 completed); critical service consumer has ended for good: exit code 70",
    ]);
    let said = |text: &str| end.lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(said("consumer has failed 2 times in a row and is not restarted (panic: no connection)"), 1);
    assert_eq!(
        said("Critical service consumer has ended for good (panic: no connection): the process stops"),
        1
    );
    assert!(
        end.lines.iter().any(|line| line.contains("WARN") && line.contains("exit code 70")),
        "{:#?}",
        end.lines
    );
}

/// Where nothing in the application follows the shutdown, headcount ends the process itself.
#[test]
fn a_critical_service_ends_a_process_that_does_not_listen() {
    own_process!();
    let end = start(&[], &["--main ignore", "critical consumer 200"]).end();
    end.exited_with(70).logged(&["Exiting with code 70"]);
}

/// 70 comes before the deadline's 124, and behind a force.
#[test]
fn of_two_codes_the_graver_counts() {
    own_process!();
    let end = start(&[("DRAIN_TIMEOUT", "300ms")], &["forever mail", "critical consumer 0"]).end();
    let report = is_critical(&end);
    assert_eq!((report["result"].as_str(), report["abandoned_total"].as_u64()), (Some("deadline"), Some(1)));
    end.logged(&["Stopped at the deadline, in ~s (0 completed, 1 abandoned); abandoned: mail #~; critical service consumer"]);

    let mut forced = start(&[], &["forever mail", "critical consumer 0"]);
    forced.wait_for("Waiting for background tasks");
    // The start was no signal, so the first SIGINT forces.
    forced.signal(SIGINT);
    let forced = forced.end();
    assert_eq!(report_code(&forced), (130, "consumer".to_owned()));
}

fn report_code(end: &End) -> (i32, String) {
    let report = report(end);
    (end.code.unwrap(), report["critical_service"].as_str().unwrap_or_default().to_owned())
}

/// One that ended before `install` is remembered. The process may be over before it asks for the report.
#[test]
fn a_critical_end_before_install_is_remembered() {
    own_process!();
    let mut command = command(&["--critical-before consumer"]);
    command.env("HEADCOUNT_REPORT_FILE", report_path());
    let end = Process::spawn(command).end();
    end.exited_with(70).logged(&[
        "Shutting down (critical service consumer has ended: panic: no connection)",
        "Background tasks ended in ~s (0 completed); critical service consumer has ended for good: exit code 70",
    ]);
    let said = |text: &str| end.lines.iter().any(|line| line.contains(text));
    assert!(said("headcount is not installed, so nothing stops the process"), "{:#?}", end.lines);
    let report = std::fs::read(report_path()).unwrap();
    std::fs::remove_file(report_path()).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        (report["exit_code"].as_u64(), report["critical_service"].as_str()),
        (Some(70), Some("consumer"))
    );
}

fn report_path() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("headcount-critical-{}.json", std::process::id()))
}

/// A critical service that is stopped with the process, or through its handle, has not ended for good.
#[test]
fn a_critical_service_that_is_stopped_is_no_failure() {
    own_process!();
    let end = term(&[], &["critical-told pump 100", "critical-stopped other"]);
    let report = report(end.exited_with(0));
    assert_eq!(
        (report["exit_code"].as_u64(), &report["critical_service"]),
        (Some(0), &serde_json::Value::Null)
    );
}

/// With `HEADCOUNT=off` what awaits `draining()` stops, and the report has the code; where nothing ever
/// listened, the process ends.
#[test]
fn off_keeps_the_meaning_of_critical() {
    own_process!();
    let off = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.env("HEADCOUNT", "off");
        Process::spawn(command).end()
    };
    let followed = off(&["critical consumer 200"]);
    let report = report(followed.exited_with(70));
    assert_eq!(
        (report["exit_code"].as_u64(), report["critical_service"].as_str()),
        (Some(70), Some("consumer"))
    );
    let ignored = off(&["--main ignore", "critical consumer 200"]);
    ignored.exited_with(70);
}

/// The supervisor of a service is none of the application's tasks: signals end a process that is off as
/// before, and the rest is not "untracked".
#[test]
fn a_supervisor_is_in_nothings_way() {
    own_process!();
    let end = term(&[], &["service-told pump 0", "timer refresh 3600000"]);
    assert_eq!(report(&end)["untracked"], 0, "{:#?}", end.lines);
    let mut command = command(&["--main ignore", "service-deaf pump 0"]);
    command.env("HEADCOUNT", "off");
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    process.signal(SIGTERM);
    assert_eq!(process.end().killed_by, Some(SIGTERM as i32));
}

/// Nor has one that returns because it asks whether the process is to stop, while that is announced.
#[test]
fn a_service_that_follows_the_request_is_no_failure() {
    own_process!();
    let settings = [("ANNOUNCE_DELAY", "500ms")];
    let end = term(&settings, &["critical-follows pump", "service-follows feed"]);
    let report = report(end.exited_with(0));
    assert_eq!(report["critical_service"], serde_json::Value::Null);
    end.never_logged("has ended for good");
    end.never_logged("restart 1 in");
}

/// Nor has one that is aborted by its policy as the drain begins.
#[test]
fn a_service_that_is_cancelled_by_its_policy_is_no_failure() {
    own_process!();
    let end = term(&[], &["critical-cancelled pump", "wait mail 100"]);
    let report = report(end.exited_with(0));
    assert_eq!(report["critical_service"], serde_json::Value::Null);
    assert_eq!(report["ended"]["cancelled"], 1);
    end.never_logged("has failed");
}

/// The reason of such a stop is read by clients of the admin server.
#[test]
fn what_a_critical_service_said_is_hidden_with_the_messages() {
    own_process!();
    let settings = [("HIDE", "messages"), ("ADMIN", "127.0.0.1:0")];
    let end = start(&settings, &["critical consumer 2000"]).end();
    let report = report(end.exited_with(70));
    assert_eq!(report["reason"], "critical service consumer has ended: panic");
    let logged = "Critical service consumer has ended for good (panic: no connection): the process stops";
    assert!(end.lines.iter().any(|line| line.contains(logged)), "{:#?}", end.lines);
}
