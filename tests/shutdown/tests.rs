//! What each situation must come to.

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use nix::sys::signal::Signal::{self, SIGINT, SIGTERM};
use serde_json::Value;

use crate::process::{End, Process, command, start};

pub(crate) fn all() -> Vec<Trial> {
    macro_rules! trials {
        ($($test:ident),* $(,)?) => {
            vec![$(Trial::test(stringify!($test), || -> Result<(), Failed> { $test(); Ok(()) })),*]
        };
    }
    trials![
        sigterm_waits_and_names,
        sigint_does_the_same,
        term_then_term_forces,
        int_then_int_forces,
        either_signal_forces_the_other,
        the_third_signal_exits_at_once,
        a_doubled_signal_is_one,
        three_signals_end_it_while_the_log_is_full,
        two_signals_end_it_while_the_log_is_full,
        term_after_another_start_is_only_logged,
        int_after_another_start_forces,
        force_while_announcing,
        force_again_while_aborting,
        force_while_lingering,
        lingering_ends_with_a_scrape,
        every_worker_blocked,
        a_blocking_closure_that_never_ends,
        a_hundred_thousand_tasks,
        under_timeout,
        as_pid_1,
        with_stdout_and_stderr_closed,
        an_application_that_never_asked_is_ended_with_the_report,
        an_application_that_hangs_is_ended_after_exit_after,
        main_that_returns_early_names_what_is_lost,
        what_comes_after_drain_is_not_cut_short,
        a_slow_application_is_waited_for,
        the_deadline_names_and_aborts,
        a_deadline_with_nothing_left_is_0,
        the_hook_gets_each_task_before_the_abort,
        a_hook_that_hangs_has_its_time,
        a_hook_that_panics_is_told,
        cancel_detach_and_last,
        a_last_task_is_cut_after_its_grace,
        a_grace_of_its_own,
        a_policy_by_name,
        late_spawns_are_adopted,
        late_spawns_are_refused,
        a_task_that_awaits_drain_is_not_waited_for,
        failures_are_told_apart,
        the_twenty_oldest_are_named_and_the_rest_counted,
        the_log_says_what_is_usual_and_when_it_ends,
        the_report_file_is_private_and_whole,
        a_report_file_that_cannot_be_written,
        calls_that_come_too_often_or_too_late,
        steering_through_the_api,
        turned_off_it_stops_as_before,
        zero_and_huge_durations,
        where_warnings_are_off_the_log_goes_to_stderr,
        a_poll_that_does_not_end_is_told_once,
        a_slow_request_is_named_and_waited_for,
        a_request_lasts_until_its_body_ends,
        a_slow_request_without_the_layer_is_not_cut_short,
        at_the_deadline_requests_are_cut_so_that_the_server_returns,
        a_request_without_a_route_is_unmatched,
        the_request_that_reaches_the_limit_is_served_and_ends_the_process,
        the_limit_holds_whatever_the_concurrency,
        beyond_the_limit_requests_are_served_while_it_is_announced,
        task_lines_are_redrawn_below_what_the_application_writes,
        whatever_happens_it_ends_in_time_and_the_report_adds_up,
    ]
}

const WAITING: &str = "Waiting for background tasks to complete. (CTRL+C to force quit) pending=";

fn term(settings: &[(&str, &str)], arguments: &[&str]) -> End {
    let mut process = start(settings, arguments);
    process.signal(SIGTERM);
    process.end()
}

fn report(end: &End) -> Value {
    let line = end.lines.iter().find_map(|line| line.strip_prefix("report ")).expect("a report");
    serde_json::from_str(line).unwrap()
}

fn sigterm_waits_and_names() {
    let end = term(&[], &["wait send-email 400", "wait index-rebuild 700"]);
    end.exited_with(0).logged(&[
        "Shutting down (SIGTERM)",
        "Waiting for background tasks to complete. (CTRL+C to force quit) pending=2 deadline=25s",
        "  send-email #~ running ~",
        "  index-rebuild #~ running ~",
        "  send-email #~ completed after ~s, 1 remaining",
        "  index-rebuild #~ completed after ~s, 0 remaining",
        "All background tasks completed in ~s (2 completed)",
    ]);
}

fn sigint_does_the_same() {
    let mut process = start(&[], &["wait send-email 300"]);
    process.signal(SIGINT);
    process.end().exited_with(0).logged(&[
        "Shutting down (SIGINT)",
        WAITING,
        "All background tasks completed in",
    ]);
}

fn forced(first: Signal, second: Signal) -> End {
    let mut process = start(&[], &["forever loop"]);
    process.signal(first);
    process.wait_for(WAITING);
    process.signal(second);
    process.end()
}

fn term_then_term_forces() {
    forced(SIGTERM, SIGTERM).exited_with(143).logged(&[
        "Shutting down (SIGTERM)",
        "Forced by SIGTERM: aborting 1 task",
        "  loop #~ abandoned after ~",
        "Forced by SIGTERM, in ~s (0 completed, 1 abandoned); abandoned: loop #~",
    ]);
}

fn int_then_int_forces() {
    let end = forced(SIGINT, SIGINT);
    end.exited_with(130).logged(&["Shutting down (SIGINT)", "Forced by SIGINT: aborting 1 task"]);
    let report = report(&end);
    assert_eq!(report["result"], "forced");
    assert_eq!(report["abandoned"][0]["aborted"], true);
    assert_eq!(report["abandoned_total"], 1);
}

fn either_signal_forces_the_other() {
    forced(SIGINT, SIGTERM).exited_with(143);
    forced(SIGTERM, SIGINT).exited_with(130);
}

fn the_third_signal_exits_at_once() {
    let mut process = start(&[("HOOK_TIMEOUT", "30s")], &["forever loop", "--hook hangs"]);
    process.signal(SIGINT);
    process.signal(SIGTERM);
    process.wait_for("handed loop");
    process.signal(SIGINT);
    process.end().exited_with(143).never_logged("not gone");
}

fn a_doubled_signal_is_one() {
    let mut process = start(&[], &["wait send-email 600"]);
    process.signal_at_once(SIGINT);
    process.wait_for("Shutting down (SIGINT)");
    process.signal_at_once(SIGINT);
    process.end().exited_with(0).never_logged("Forced");
}

/// A process whose log nobody reads, so that who writes to it hangs.
fn with_a_full_log(arguments: &[&str]) -> std::process::Child {
    let mut command = command(arguments);
    command.env("LOG_TO_STDOUT", "1").env("HEADCOUNT_DRAIN_TIMEOUT", "none");
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "the log is full\n");
    child
}

/// Sends signals until it is gone, and says by which code. What it says cannot be read: its pipe is full.
fn signal_until_gone(mut child: std::process::Child, count: usize, signal: Signal) -> Option<i32> {
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    for _ in 0..count {
        nix::sys::signal::kill(pid, signal).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    let until = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    child.wait().unwrap().code()
}

fn three_signals_end_it_while_the_log_is_full() {
    let child = with_a_full_log(&["forever loop", "--flood", "--hook hangs"]);
    assert_eq!(signal_until_gone(child, 3, SIGINT), Some(130));
}

fn two_signals_end_it_while_the_log_is_full() {
    let child = with_a_full_log(&["forever loop", "--flood", "--main ignore"]);
    assert_eq!(signal_until_gone(child, 2, SIGTERM), Some(143));
}

fn term_after_another_start_is_only_logged() {
    let mut process = start(&[], &["wait send-email 900", "--call lease-lost"]);
    process.wait_for("Shutting down (lease-lost)");
    process.signal(SIGTERM);
    process.end().exited_with(0).logged(&[
        "Shutting down (lease-lost)",
        "SIGTERM came after",
        "All background tasks",
    ]);
}

fn int_after_another_start_forces() {
    let mut process = start(&[], &["forever loop", "--call lease-lost"]);
    process.wait_for(WAITING);
    process.signal(SIGINT);
    process.end().exited_with(130).logged(&["Forced by SIGINT: aborting 1 task"]);

    let mut process = start(&[], &["forever loop", "--call lease-lost"]);
    process.wait_for(WAITING);
    process.signal(SIGTERM);
    process.wait_for("SIGTERM came after");
    process.signal(SIGTERM);
    process.end().exited_with(143);
}

fn force_while_announcing() {
    let mut process = start(&[("ANNOUNCE_DELAY", "20s")], &["forever loop"]);
    process.signal(SIGTERM);
    process.wait_for("Announcing for 20s");
    process.signal(SIGTERM);
    process.end().exited_with(143).logged(&["Announcing for 20s", "Forced by SIGTERM: aborting 1 task"]);
}

fn force_again_while_aborting() {
    let settings = [("DRAIN_TIMEOUT", "300ms"), ("HOOK_TIMEOUT", "30s")];
    let mut process = start(&settings, &["forever loop", "--hook hangs"]);
    process.signal(SIGINT);
    process.wait_for("handed loop");
    process.signal(SIGINT);
    process
        .end()
        .exited_with(124)
        .logged(&["Deadline of 300ms reached: aborting 1 task", "Forced again by SIGINT"]);
}

fn admin(process: &mut Process) -> String {
    process.wait_for("admin ").split_once(' ').unwrap().1.to_owned()
}

fn request(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: &str, path: &str) -> String {
    request(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

/// Gives status and body.
fn post(address: &str, path: &str, body: &str) -> (u16, String) {
    let answer = get(address, "/readyz");
    let instance = answer.lines().find_map(|line| line.strip_prefix("headcount-instance: ")).unwrap();
    let length = body.len();
    let answer = request(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nIf-Match: {instance}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ),
    );
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

const LINGERING: [(&str, &str); 2] = [("ADMIN", "127.0.0.1:0"), ("LINGER", "auto")];

fn force_while_lingering() {
    let mut process = start(&LINGERING, &["wait send-email 100"]);
    let address = admin(&mut process);
    get(&address, "/metrics");
    process.signal(SIGTERM);
    process.wait_for("Staying for a last scrape");
    process.signal(SIGTERM);
    process.end().exited_with(0).logged(&[
        "All background tasks",
        "Staying for a last scrape",
        "Forced again by SIGTERM",
    ]);
}

fn lingering_ends_with_a_scrape() {
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

fn every_worker_blocked() {
    let settings = [("DRAIN_TIMEOUT", "1s"), ("ADMIN", "127.0.0.1:0"), ("ABORT_GRACE", "200ms")];
    let mut process = start(&settings, &["stuck one 600000", "stuck two 600000"]);
    process.signal(SIGTERM);
    let address = admin(&mut process);
    assert!(get(&address, "/readyz").starts_with("HTTP/1.1 503"));
    process.end().exited_with(124).logged(&[
        WAITING,
        "Deadline of 1s reached: aborting 2 tasks",
        "  one #~ abandoned",
        "  one #~ not gone 0.2s after the abort: inside a poll",
        "Exiting with code 124",
        "  one #~ running",
    ]);
}

fn a_blocking_closure_that_never_ends() {
    let settings = [("DRAIN_TIMEOUT", "300ms"), ("EXIT_AFTER", "2500ms"), ("ABORT_GRACE", "100ms")];
    let end = term(&settings, &["blocking thumbnail 600000"]);
    end.exited_with(124).logged(&[
        "Deadline of 300ms reached: aborting 1 task",
        "  thumbnail #~ abandoned after ~",
        "  thumbnail #~ not gone 0.1s after the abort: inside its closure",
        "Exiting with code 124: ~s after its shutdown began the process is still there",
        "  thumbnail #~ running",
    ]);
    assert!(end.log().iter().any(|line| line.contains("a running closure is not ours to abort")));
    assert_eq!(report(&end)["abandoned"][0]["aborted"], false);
}

fn a_hundred_thousand_tasks() {
    let end = term(&[], &["many waiter 100000"]);
    end.exited_with(0).logged(&[
        "Waiting for background tasks to complete. (CTRL+C to force quit) pending=100000 deadline=25s",
        "  and 99980 more: waiter ×99980",
        "All background tasks completed in ~s (100000 completed)",
    ]);
    assert_eq!(report(&end)["ended"]["ok"], 100_000);
}

fn under_timeout() {
    let child = command(&["wait send-email 60", "until-draining worker 300"]);
    let mut wrapper = Command::new("timeout");
    wrapper.args(["--signal=TERM", "1"]).arg(child.get_program()).args(child.get_args());
    wrapper.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let end = Process::spawn(wrapper).end();
    // 124 is what `timeout` gives when it had to signal.
    end.exited_with(124).logged(&["Shutting down (SIGTERM)", "All background tasks completed in"]);
}

fn as_pid_1() {
    let child = command(&["wait send-email 600"]);
    let namespaces = [&["--pid", "--fork"][..], &["--user", "--map-root-user", "--pid", "--fork"][..]];
    let allowed = |options: &&&[&str]| {
        let status = Command::new("unshare").args(**options).arg("true").status();
        status.is_ok_and(|status| status.success())
    };
    let Some(options) = namespaces.iter().find(allowed) else {
        eprintln!("as_pid_1: this machine allows no process namespaces");
        return;
    };
    let mut wrapper = Command::new("unshare");
    wrapper.args(*options).arg(child.get_program()).args(child.get_args());
    wrapper.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut process = Process::spawn(wrapper);
    process.wait_for("ready");
    let children = format!("/proc/{0}/task/{0}/children", process.pid());
    let children = std::fs::read_to_string(children).unwrap();
    let first = nix::unistd::Pid::from_raw(children.trim().parse().unwrap());
    nix::sys::signal::kill(first, SIGTERM).unwrap();
    process.end().exited_with(0).logged(&["Shutting down (SIGTERM)", "All background tasks completed in"]);
}

fn with_stdout_and_stderr_closed() {
    let path = std::env::temp_dir().join(format!("headcount-closed-{}.json", std::process::id()));
    let child = command(&["until-draining worker 200", "--call enough"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec >&- 2>&-; exec \"$0\" \"$@\""]).arg(child.get_program()).args(child.get_args());
    shell.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("HEADCOUNT_REPORT_FILE", &path);
    Process::spawn(shell).end().exited_with(0);
    let report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(report["ended"]["ok"], 1);
}

fn an_application_that_never_asked_is_ended_with_the_report() {
    let end = term(&[], &["wait send-email 300", "--main ignore"]);
    end.exited_with(0)
        .logged(&["All background tasks", "Exiting with code 0: nothing in the application waits"]);
    let end = term(&[("DRAIN_TIMEOUT", "200ms")], &["forever loop", "--main ignore"]);
    end.exited_with(124);
}

fn an_application_that_hangs_is_ended_after_exit_after() {
    let end = term(
        &[("DRAIN_TIMEOUT", "300ms"), ("EXIT_AFTER", "1500ms")],
        &["wait send-email 100", "--main hang"],
    );
    end.exited_with(0).logged(&[
        "Exiting with code 0: ~s after its shutdown began the process is still there",
        "  no task is left: the application has not returned from main",
    ]);
}

fn main_that_returns_early_names_what_is_lost() {
    let end = term(&[], &["forever loop", "--main return"]);
    end.exited_with(0);
    assert!(
        end.lines.iter().any(|line| line.contains("loop #") && line.contains("is lost after")),
        "{:#?}",
        end.lines
    );
}

fn what_comes_after_drain_is_not_cut_short() {
    let end = term(&[], &["wait send-email 100", "--main drain-then-close", "--after 1500"]);
    end.exited_with(0).never_logged("Exiting");
    assert!(end.lines.iter().any(|line| line == "closed"));
}

fn a_slow_application_is_waited_for() {
    let end = term(&[], &["wait send-email 100", "--after 2500"]);
    end.exited_with(0).logged(&[
        "  send-email #~ completed",
        "Waiting for the application, which does not await drain() yet. (CTRL+C to force quit) pending=0",
        "All background tasks completed in ~s (1 completed)",
    ]);
}

fn the_deadline_names_and_aborts() {
    let end = term(&[("DRAIN_TIMEOUT", "400ms")], &["forever index-rebuild", "forever index-rebuild"]);
    end.exited_with(124).logged(&[
        "Deadline of 400ms reached: aborting 2 tasks",
        "  index-rebuild #~ abandoned after ~s (tests/shutdown/child.rs:~): a loop? End it on `draining()`, or spawn it \
         with `OnShutdown::Last`",
        "  index-rebuild #~ abandoned after",
        "Stopped at the deadline, in ~s (0 completed, 2 abandoned)",
    ]);
    let report = report(&end);
    assert_eq!((&report["exit_code"], &report["reason"]), (&124.into(), &"SIGTERM".into()));
}

fn a_deadline_with_nothing_left_is_0() {
    let end =
        term(&[("DRAIN_TIMEOUT", "300ms"), ("EXIT_AFTER", "900ms")], &["wait send-email 50", "--main hang"]);
    end.exited_with(0).never_logged("reached: aborting");
}

fn the_hook_gets_each_task_before_the_abort() {
    let end = term(&[("DRAIN_TIMEOUT", "300ms")], &["status one", "status two", "--hook writes"]);
    end.exited_with(124).logged(&["Deadline of 300ms reached: aborting 2 tasks"]);
    for name in ["one", "two"] {
        assert!(end.lines.contains(&format!("handed {name} batch 3/10")), "{:#?}", end.lines);
    }
}

fn a_hook_that_hangs_has_its_time() {
    let settings = [("DRAIN_TIMEOUT", "300ms"), ("HOOK_TIMEOUT", "300ms")];
    let end = term(&settings, &["forever one", "forever two", "--hook hangs"]);
    end.exited_with(124).logged(&["on_abandon did not return within 300ms: 2 of 2 tasks not handed over"]);
}

fn a_hook_that_panics_is_told() {
    let end = term(&[("DRAIN_TIMEOUT", "300ms")], &["forever one", "--hook panics"]);
    end.exited_with(124).logged(&["on_abandon panicked for one #~"]);
}

fn cancel_detach_and_last() {
    let arguments = ["cancel poller", "detach warm-up 60000", "last batcher 100", "wait send-email 500"];
    let end = term(&[], &arguments);
    end.exited_with(0).logged(&[
        "Shutting down (SIGTERM)",
        "Not waiting for 1 task detached: warm-up ×1",
        WAITING,
        "  send-email #~ completed after ~s, 1 remaining",
        "  batcher #~ completed after ~s, 0 remaining",
        "All background tasks completed in ~s (2 completed, 1 cancelled)",
    ]);
    let at = |text: &str| end.lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(at("last told") < at("last done"));
    let report = report(&end);
    assert_eq!((&report["detached_total"], &report["detached"][0]["name"]), (&1.into(), &"warm-up".into()));
    assert_eq!((&report["ended"]["ok"], &report["ended"]["cancelled"]), (&2.into(), &1.into()));
}

fn a_last_task_is_cut_after_its_grace() {
    let end = term(&[], &["last batcher 60000"]);
    end.exited_with(0).logged(&[
        "  batcher #~ was cancelled after ~s, 0 remaining",
        "All background tasks completed in ~s (0 completed, 1 cancelled)",
    ]);
    assert_eq!(report(&end)["abandoned_total"], 0);
}

fn a_grace_of_its_own() {
    let end = term(&[], &["grace impatient 300", "wait send-email 900"]);
    end.exited_with(0).logged(&[
        "Grace over: aborting 1 task",
        "  impatient #~ abandoned after ~",
        "  send-email #~ completed",
        "All background tasks completed in ~s (1 completed, 1 abandoned)",
    ]);
    let report = report(&end);
    assert_eq!((&report["abandoned_total"], &report["result"]), (&1.into(), &"drained".into()));
    assert_eq!(report["ended"]["ok"], 1);
}

fn a_policy_by_name() {
    let end = term(&[("POLICY", "vendor::*=Cancel")], &["forever vendor::poll", "wait send-email 100"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed, 1 cancelled)"]);
}

fn late_spawns_are_adopted() {
    let end = term(&[], &["late spawner"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (2 completed)"]);
    assert!(end.lines.iter().any(|line| line == "late true"));
    assert_eq!(report(&end)["late_spawns"], 1);
}

fn late_spawns_are_refused() {
    let end = term(&[("LATE_SPAWNS", "refuse")], &["late spawner"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed)"]);
    assert!(end.lines.iter().any(|line| line == "late false"));
    assert_eq!(report(&end)["late_spawns"], 1);
}

fn a_task_that_awaits_drain_is_not_waited_for() {
    let end =
        term(&[], &["drains supervisor", "wait send-email 300", "--main drain-then-close", "--after 300"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed)"]);
    assert!(end.lines.iter().any(|line| line == "task got 0"), "{:#?}", end.lines);
}

fn failures_are_told_apart() {
    let end = term(&[], &["wait fine 300", "fail bad 400", "panic worse 500"]);
    end.exited_with(0).logged(&[
        "  fine #~ completed after",
        "  bad #~ failed after",
        "  worse #~ panicked after",
        "All background tasks completed in ~s (1 completed, 1 failed, 1 panicked)",
    ]);
}

fn the_twenty_oldest_are_named_and_the_rest_counted() {
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

fn the_log_says_what_is_usual_and_when_it_ends() {
    let end = term(&[], &["usual send-email 150"]);
    end.exited_with(0);
    let line = end.log().into_iter().find(|line| line.contains("send-email #6 running")).unwrap().to_owned();
    assert!(line.contains(", usually 0."), "{line}");
}

fn report_path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("headcount-{name}-{}.json", std::process::id()))
}

fn the_report_file_is_private_and_whole() {
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

fn a_report_file_that_cannot_be_written() {
    let end = term(&[("REPORT_FILE", "/nowhere/at/all.json")], &["wait send-email 50"]);
    end.exited_with(0);
    assert!(
        end.lines
            .iter()
            .any(|line| line.contains("could not be written to /nowhere/at/all.json: No such file"))
    );
}

fn calls_that_come_too_often_or_too_late() {
    let mut process = start(&[], &["wait send-email 300", "--call first", "--call second"]);
    process.wait_for("Shutting down (first)");
    process.end().exited_with(0).never_logged("(second)");

    let process = start(&[], &["wait send-email 300", "--main drain-at-once"]);
    process.end().exited_with(0).logged(&["Shutting down (drain())", "All background tasks completed"]);
}

fn steering_through_the_api() {
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

fn turned_off_it_stops_as_before() {
    let mut command = command(&["forever loop"]);
    command.env("HEADCOUNT", "off");
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    wait_until_caught(process.pid(), SIGTERM);
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(0).never_logged("headcount::shutdown");
    assert_eq!(report(&end)["reason"], "off");
}

/// Waits until a process has a handler for a signal: it has one once it polls, and says nothing of that.
fn wait_until_caught(pid: nix::unistd::Pid, signal: Signal) {
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap() & 1 << (signal as i32 - 1) != 0
    };
    let until = Instant::now() + Duration::from_secs(20);
    while !caught() {
        assert!(Instant::now() < until, "no handler for {signal}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn a_poll_that_does_not_end_is_told_once() {
    let mut process = start(&[("BLOCKED_AFTER", "300ms")], &["stuck hog 1800"]);
    let line = process.wait_for("has not yielded for");
    assert!(
        line.contains("hog #1 has not yielded for") && line.contains("(tests/shutdown/child.rs:"),
        "{line}"
    );
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(0).logged(&["  hog #1 running ~s, blocked ~s (tests"]);
    assert_eq!(end.lines.iter().filter(|line| line.contains("has not yielded")).count(), 1);
}

fn zero_and_huge_durations() {
    let zero = ["DRAIN_TIMEOUT", "ABORT_GRACE", "HOOK_TIMEOUT", "LOG_INTERVAL", "ANNOUNCE_DELAY"];
    let end = term(&zero.map(|name| (name, "0s")), &["forever loop"]);
    end.exited_with(124).logged(&["Deadline of 0s reached: aborting 1 task"]);

    let huge = ["DRAIN_TIMEOUT", "ABORT_GRACE", "HOOK_TIMEOUT", "LOG_INTERVAL", "EXIT_AFTER"];
    let end = term(&huge.map(|name| (name, "500000000000years")), &["wait send-email 100"]);
    end.exited_with(0).logged(&["All background tasks completed in"]);
}

fn where_warnings_are_off_the_log_goes_to_stderr() {
    let end = term(&[("LOG", "stderr")], &["wait send-email 100"]);
    end.exited_with(0).logged(&["Shutting down (SIGTERM)", WAITING, "All background tasks completed in"]);
    assert!(
        end.lines.iter().any(|line| line.starts_with("20") && line.contains("Z  INFO headcount::shutdown: "))
    );

    let end = term(&[("LOG", "off")], &["wait send-email 100"]);
    end.exited_with(0).never_logged("headcount::shutdown");
}
