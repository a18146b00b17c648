//! The log, the report and the API.

use std::io::BufRead;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::SIGTERM;
use serde_json::Value;

use crate::support::http::{act, get};
use crate::support::process::{End, LINGERING, Process, WAITING, command, report, start, term};
use crate::support::samples::{samples, value};
use crate::support::wait::{until, until_true};

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
    // The first round alone.
    let rounds = end.log().into_iter().skip_while(|line| !line.contains(WAITING)).skip(1);
    let first = rounds.take_while(|line| !line.contains(WAITING) && !line.contains("completed after"));
    let named: Vec<_> = first.filter(|line| line.contains(" running ")).collect();
    // Lines that would read the same are one, with their number.
    let counted =
        |line: &&str| line.split_once(" ×").map_or(1, |(_, rest)| rest[..1].parse::<usize>().unwrap());
    let ids: usize = named.iter().map(counted).sum();
    assert_eq!(ids, 5, "{named:#?}");
}

#[test]
fn the_log_says_what_is_usual_and_when_it_ends() {
    own_process!();
    let end = term(&[], &["usual send-email 700"]);
    end.exited_with(0);
    let line = end.log().into_iter().find(|line| line.contains("send-email #6 running")).unwrap().to_owned();
    assert!(line.contains(", usually "), "{line}");
}

/// A task that has a timeout says how much of it is over, at the start and in the lines that follow.
#[test]
fn the_log_says_how_much_of_a_timeout_is_over() {
    own_process!();
    let end = term(&[("DRAIN_TIMEOUT", "4s")], &["timed send-email 30000", "forever plain"]);
    end.exited_with(124);
    let line = |name: &str| {
        let begins = |line: &&str| line.starts_with(&format!("  {name} #"));
        end.log().into_iter().find(begins).unwrap_or_else(|| panic!("{:#?}", end.lines)).to_owned()
    };
    let timed = line("send-email");
    let (over, rest) = timed.split_once(" running ").unwrap().1.split_once("s of ").unwrap();
    assert!((24..30).contains(&over.parse::<u32>().unwrap()) && rest.starts_with("30s, idle "), "{timed}");
    assert!(!line("plain").contains(" of "), "{}", line("plain"));
}

#[test]
fn the_log_forecasts_the_drain_and_judges_the_forecast() {
    own_process!();
    // Five of its group took 0.7 s, and this one takes 5.6 s.
    let end = term(&[], &["usual send-email 700"]);
    end.exited_with(0);
    let judged = end.log().into_iter().find_map(|line| line.split_once("The drain: forecast ")).unwrap().1;
    let (forecast, took) = judged.split_once(", took ").unwrap();
    let seconds = |text: &str| {
        let (number, unit) = text.split_once(' ').unwrap();
        number.parse::<f64>().unwrap() * if unit == "ms" { 0.001 } else { 1.0 }
    };
    let (forecast, took) = (seconds(forecast), seconds(took));
    assert!(forecast < 1.5 && (3.0..20.0).contains(&took), "{judged}");
    // What the estimate of the first line leaves out: a task of which nothing is known.
    let end = term(&[("DRAIN_TIMEOUT", "4s")], &["usual send-email 700", "forever loop"]);
    let lines = end.log();
    assert!(lines.iter().any(|line| line.contains("; 1 unknown (loop).")), "{lines:#?}");
}

#[test]
fn the_report_file_is_private_and_whole() {
    own_process!();
    let path = report_path("report");
    let end = term(
        &[("REPORT_FILE", path.to_str().unwrap()), ("DRAIN_TIMEOUT", "4s")],
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
    process.wait_for("completed after");
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
    let signalled = Instant::now();
    process.signal(SIGTERM);
    process.wait_for("Staying for a last scrape");
    let drained = signalled.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(300));
    let metrics = get(admin, "/metrics").expect(200);
    let took = value(&samples(metrics.text()), "headcount_shutdown_duration_seconds", &[]);
    assert!(0.0 < took && took < drained, "lingering is no part of the drain: {took} of {drained}");
    assert!(metrics.text().contains("headcount_shutdown_stage 4"), "{metrics:#?}");
    assert_eq!(metrics.header("connection"), Some("close"), "{metrics:#?}");
    process.end().exited_with(0).logged(&["Staying for a last scrape", "The last scrape came after"]);
}

#[test]
fn where_warnings_are_off_the_log_goes_to_stderr() {
    own_process!();
    let end = term(&[("LOG", "stderr")], &["wait send-email 700"]);
    end.exited_with(0).logged(&["Shutting down (SIGTERM)", WAITING, "All background tasks completed in"]);
    assert!(
        end.lines.iter().any(|line| line.starts_with("20") && line.contains("Z  INFO headcount::shutdown: "))
    );

    let end = term(&[("LOG", "off")], &["wait send-email 700"]);
    end.exited_with(0).never_logged("headcount::shutdown");
}

/// The events of the shutdown that a process wrote as JSON.
fn events(end: &End) -> Vec<Value> {
    let events = end.lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["target"] == "headcount::shutdown").collect()
}

fn with_log_as(format: &str, settings: &[(&str, &str)], arguments: &[&str]) -> Process {
    let mut command = command(arguments);
    command.env("LOG_AS", format);
    command.envs(settings.iter().map(|(name, value)| (format!("HEADCOUNT_{name}"), *value)));
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    process
}

#[test]
fn events_have_their_data_as_fields() {
    own_process!();
    let tasks = ["status index", "wait send-email 500", "plain x", "plain y"];
    let mut process = with_log_as("json", &[("DRAIN_TIMEOUT", "4s")], &tasks);
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(124);
    let events = events(&end);
    let find = |text: &str| {
        let found = events.iter().find(|event| event["fields"]["message"].as_str().unwrap().contains(text));
        found.unwrap_or_else(|| panic!("no {text:?} among {events:#?}"))["fields"].clone()
    };
    assert_eq!(find("Shutting down")["reason"], "SIGTERM");
    let waiting = find("Waiting for background tasks");
    assert_eq!(waiting["pending"], 2);
    assert!(waiting["deadline_seconds"].as_f64().unwrap() <= 4.0);
    let index = find("index #");
    assert_eq!(
        (&index["task"], &index["kind"], &index["status"]),
        (&"index".into(), &"task".into(), &"batch 3/10".into())
    );
    assert_eq!((&index["progress"], &index["total"]), (&3.into(), &10.into()));
    assert!(index["location"].as_str().unwrap().contains("child_tasks.rs:"));
    assert!(
        index["age_seconds"].is_f64() && index["idle_seconds"].is_f64() && index["id"].is_u64(),
        "{index}"
    );
    let ended = find("completed after");
    assert_eq!(
        (&ended["task"], &ended["outcome"], &ended["remaining"]),
        (&"send-email".into(), &"ok".into(), &1.into())
    );
    let lost = find("abandoned after");
    assert_eq!((&lost["outcome"], &lost["id"]), (&"abandoned".into(), &index["id"]));
    let last = find("Stopped at the deadline");
    assert_eq!(
        (&last["exit_code"], &last["completed"], &last["abandoned"]),
        (&124.into(), &1.into(), &1.into())
    );
    assert_eq!(find("that headcount does not track")["untracked"], 2);
    assert_eq!(report(&end)["untracked"], 2);
}

#[test]
fn events_have_labels_hints_and_every_sum_as_fields() {
    own_process!();
    let tasks = [
        "labelled index",
        "detach audit 600000",
        "last-grace flusher 200",
        "grace impatient 100",
        "fail broken 50",
        "panic worse 50",
        "closes client 100",
        "times-out import 50",
        "many crowd 3",
    ];
    let settings = [("DRAIN_TIMEOUT", "5s"), ("ANNOUNCE_DELAY", "100ms"), ("LATE_SPAWNS", "adopt")];
    let mut process = with_log_as("json", &settings, &tasks);
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(124);
    let events = events(&end);
    let find = |text: &str| {
        let found = events.iter().find(|event| event["fields"]["message"].as_str().unwrap().contains(text));
        found.unwrap_or_else(|| panic!("no {text:?} among {events:#?}"))["fields"].clone()
    };
    assert_eq!(find("Announcing for ")["duration_seconds"], 0.1);
    let index = find("  index #");
    assert_eq!(index["state"], "idle");
    for (field, of) in [("labels", r#"{"team":"search"}"#), ("fields", r#"{"shard":"7"}"#)] {
        assert_eq!(index[field], of, "{index}");
    }
    let lost = events.iter().map(|event| &event["fields"]);
    let lost: Vec<_> = lost.filter(|fields| fields["outcome"] == "abandoned").collect();
    let hinted = lost.iter().find(|fields| fields["task"] == "index").unwrap();
    let (hint, message) = (hinted["hint"].as_str().unwrap(), hinted["message"].as_str().unwrap());
    assert!(message.ends_with(hint) && hint.contains("HEADCOUNT_DRAIN_TIMEOUT="), "{hinted}");
    assert_eq!(find("Not waiting for 1 task")["count"], 1);
    assert_eq!(find("Grace over")["abandoned"], 1);
    let giving = find("Giving 1 task that comes last");
    assert_eq!(giving["count"], 1);
    assert!((0.1..0.3).contains(&giving["deadline_seconds"].as_f64().unwrap()), "{giving}");
    let last = find("Stopped at the deadline");
    let sums = [
        ("completed", 4),
        ("failed", 1),
        ("panicked", 1),
        ("timed_out", 1),
        ("rejected", 0),
        ("cancelled", 0),
        ("abandoned", 3),
        ("connections_closed", 1),
        ("refused", 0),
    ];
    for (field, count) in sums {
        assert_eq!(last[field], count, "{field} of {last:#}");
    }
}

/// The lines of each round: from one that says what is waited for to the next line that is none of its own.
fn rounds(end: &End) -> Vec<usize> {
    let mut rounds = Vec::new();
    for line in end.log() {
        if line.contains(WAITING) {
            rounds.push(1);
        } else if let Some(lines) = rounds.last_mut().filter(|_| line.starts_with("  ")) {
            *lines += 1;
        }
    }
    rounds
}

#[test]
fn a_round_has_at_most_25_lines() {
    own_process!();
    // The most that all have a line; and a crowd in which many are past their usual.
    let few: Vec<String> = (0..20).map(|n| format!("forever job-{n}")).collect();
    let many = few.iter().cloned().chain((0..14).map(|n| format!("overdue old-{n}"))).collect();
    for (tasks, last, at_least) in [(few, "  job-19 #", 21), (many, "  old-9 #", 15)] {
        let mut tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
        tasks.push("--main ignore");
        let mut process = start(&[("DRAIN_TIMEOUT", "none"), ("LOG_INTERVAL", "500ms")], &tasks);
        process.signal(SIGTERM);
        process.wait_for(last);
        process.signal(SIGTERM);
        let end = process.end();
        let before_the_force = end.lines.iter().position(|line| line.contains("Forced by")).unwrap();
        let end = End { lines: end.lines[..before_the_force].to_vec(), ..end };
        let rounds = rounds(&end);
        assert!(rounds.iter().all(|lines| *lines <= 25), "{rounds:?}");
        assert!(rounds.iter().any(|lines| at_least <= *lines), "{rounds:?} {:#?}", end.log());
    }
}

#[test]
fn text_does_not_repeat_itself_as_fields() {
    own_process!();
    let end = term(&[("DRAIN_TIMEOUT", "900ms")], &["status index", "wait send-email 300"]);
    for line in end.log() {
        let own = line.contains("Waiting for") || line.contains("HEADCOUNT_");
        let allowed = own || !line.contains('=');
        assert!(allowed, "{line}");
    }
    end.never_logged("task=").never_logged("log format").never_logged("error=");

    // With a layer for people and one for machines, the latter has its data.
    let mut process = with_log_as("both", &[], &["wait send-email 700"]);
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(0);
    assert!(events(&end).iter().any(|event| event["fields"]["task"] == "send-email"), "{:#?}", end.lines);
}

#[test]
fn where_only_warnings_are_shown_a_drain_that_waits_still_shows() {
    own_process!();
    let mut process = with_log_as("warn", &[], &["wait send-email 700"]);
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(0).logged(&[
        "Shutting down (SIGTERM)",
        WAITING,
        "  send-email #~ running",
        "All background tasks",
    ]);
    assert!(
        end.lines
            .iter()
            .filter(|line| line.contains("headcount::shutdown"))
            .all(|line| line.contains("WARN"))
    );
}

#[test]
fn a_subscriber_that_panics_costs_its_lines_and_nothing_else() {
    own_process!();
    let mut process = with_log_as("panics", &[], &["wait send-email 700"]);
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(0).logged(&[
        "Shutting down (SIGTERM)",
        "  send-email #~ completed",
        "All background tasks completed",
    ]);
    let said = end.log().into_iter().filter(|line| line.starts_with("The subscriber of this log panicked"));
    assert_eq!(said.count(), 1, "{:#?}", end.lines);
    end.logged(&[WAITING, "  send-email #~ running"]);
}

/// Where no thread can be had at the end, the report is written by the one that is there.
#[cfg(target_os = "linux")]
#[test]
fn a_report_is_written_without_a_thread() {
    own_process!();
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;

    // The limit does not hold for root: a user that has no other thread.
    const NOBODY: u32 = 4_294_901;
    let directory = std::env::temp_dir().join(format!("headcount-in-place-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    let path = directory.join("report.json");
    let mut command = command(&["wait send-email 300"]);
    command.env("HEADCOUNT_REPORT_FILE", &path).current_dir("/");
    let mut prlimit = std::process::Command::new("prlimit");
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(NOBODY);
        prlimit.uid(NOBODY);
    }
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    assert!(prlimit.args(["--nproc=1", &format!("--pid={}", process.pid())]).status().unwrap().success());
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(0).never_logged("was not written").logged(&["All background tasks completed"]);
    let report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!((&report["result"], &report["ended"]["ok"]), (&"drained".into(), &1.into()));
}

#[test]
fn a_directory_keeps_the_newest_reports() {
    own_process!();
    let directory = std::env::temp_dir().join(format!("headcount-reports-{}", std::process::id()));
    let settings = [("REPORT_DIR", directory.to_str().unwrap()), ("REPORTS", "2")];
    for _ in 0..3 {
        term(&settings, &["wait send-email 50"]).exited_with(0);
    }
    let reports: Vec<Value> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap())
        .collect();
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(reports.len(), 2);
    assert!(reports.iter().all(|report| report["service"] == "child"));
}

#[test]
fn what_cannot_be_written_is_said_at_install() {
    own_process!();
    let end = term(
        &[("REPORT_FILE", "/nowhere/at/all.json"), ("REPORT_DIR", "/proc/none")],
        &["wait send-email 50"],
    );
    end.exited_with(0);
    for what in [
        "`report_file` /nowhere/at/all.json cannot be written: ",
        "`report_dir` /proc/none cannot be written: ",
    ] {
        let at = |text: &str| end.lines.iter().position(|line| line.contains(text));
        assert!(at(what).unwrap() < at("Shutting down").unwrap(), "{:#?}", end.lines);
    }
}

#[test]
fn a_panic_that_ends_the_process_names_its_task() {
    own_process!();
    for (setting, names) in [("yes", true), ("no", false)] {
        let mut command = command(&["panic worse 100"]);
        command.env("PANIC_ABORTS", "1").env("HEADCOUNT_PANIC_HOOK", setting);
        let mut process = Process::spawn(command);
        process.wait_for("ready");
        process.signal(SIGTERM);
        let end = process.end();
        assert_eq!(end.killed_by, Some(nix::sys::signal::Signal::SIGABRT as i32));
        let line = end.lines.iter().find(|line| line.contains("worse #1 panics after "));
        assert_eq!(
            line.is_some_and(|line| line.contains(": as told (tests/suite/support/child_tasks.rs:")),
            names
        );
    }
}

/// A process whose log is a pipe that is full, and the pipe.
fn with_a_stuck_log(arguments: &[&str]) -> (Process, OwnedFd) {
    let (read, write) = nix::unistd::pipe().unwrap();
    let mut command = command(&[arguments, &["--fill"]].concat());
    command.envs([("HEADCOUNT_ADMIN", "127.0.0.1:0"), ("HEADCOUNT_ALLOW_ACTIONS", "yes")]);
    // The load of the test is not to outlive the drain.
    command.envs([("HEADCOUNT_DRAIN_TIMEOUT", "none"), ("HEADCOUNT_EXIT_AFTER", "none")]);
    let mut process = Process::spawn_with_log(command, write.into());
    process.wait_for("ready");
    (process, read)
}

/// Reads a log from now on, without what filled its pipe.
fn read_log(pipe: OwnedFd) -> (Arc<Mutex<Vec<String>>>, std::thread::JoinHandle<()>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let read = Arc::clone(&log);
    let reader = std::thread::spawn(move || {
        for line in std::io::BufReader::new(std::fs::File::from(pipe)).lines().map(Result::unwrap) {
            if !line.starts_with("xxx") {
                read.lock().unwrap().push(line);
            }
        }
    });
    (log, reader)
}

/// While it is stuck everything else goes on, and once it is read again every line is there.
#[test]
fn a_log_that_is_read_again_in_the_drain_has_lost_nothing() {
    own_process!();
    let (mut process, pipe) = with_a_stuck_log(&["status mail", "wait index 200"]);
    let admin = process.admin();
    process.signal(SIGTERM);
    let is_over = |ended: &Value| ended["shutdown"]["ended"] == 1;
    until(|| {
        let summary = get(admin, "/api/v1/summary").json();
        if is_over(&summary) { Ok(()) } else { Err(summary["shutdown"].clone()) }
    });
    for _ in 0..500 {
        act(admin, "/api/v1/tasks/999999/cancel", "").expect(404);
    }
    let (log, reader) = read_log(pipe);
    act(admin, "/api/v1/shutdown/force", "").expect(202);
    process.end().exited_with(1);
    reader.join().unwrap();
    let log = log.lock().unwrap();
    let count = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count("/tasks/999999/cancel"), 500, "{log:#?}");
    for line in ["Shutting down (SIGTERM)", "index #2 completed", "Forced by API, in "] {
        assert_eq!(count(line), 1, "{line}: {log:#?}");
    }
    assert_eq!(count("log lines were dropped") + count("were not written"), 0, "{log:#?}");
}

/// Its queue is bounded. One line says how many had no place in it.
#[test]
fn a_log_that_was_stuck_for_long_says_how_many_lines_it_lost() {
    own_process!();
    let (mut process, pipe) = with_a_stuck_log(&["forever loop"]);
    let admin = process.admin();
    for _ in 0..1_500 {
        act(admin, "/api/v1/tasks/999999/cancel", "").expect(404);
    }
    let (log, reader) = read_log(pipe);
    until(|| {
        let log = log.lock().unwrap();
        if log.iter().any(|line| line.contains("log lines were dropped")) { Ok(()) } else { Err(log.len()) }
    });
    process.signal(SIGTERM);
    until_true("begun", || log.lock().unwrap().iter().any(|line| line.contains("Shutting down (SIGTERM)")));
    process.signal(SIGTERM);
    process.end().exited_with(143);
    reader.join().unwrap();
    let log = log.lock().unwrap();
    let written = log.iter().filter(|line| line.contains("/tasks/999999/cancel")).count();
    let lost = log
        .iter()
        .filter_map(|line| line.split_once(" log lines were dropped: the log was not read fast enough"));
    let lost: usize =
        lost.map(|(before, _)| before.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert!(1_024 <= written, "{written} were written");
    let told = log.iter().filter(|line| line.contains("Shutting down (SIGTERM)")).count();
    assert_eq!((written + lost, told), (1_500, 1), "{log:#?}");
}
