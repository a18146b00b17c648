//! What signals do, in every stage and whatever hangs.

use std::io::BufRead;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{self, SIGINT, SIGTERM};
use serde_json::Value;

use crate::http::{LINGERING, admin, get, post};
use crate::process::{End, Process, WAITING, command, report, start, term};

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
        // Two that wait to be delivered are one, and so are two within 200 ms.
        wait_until_delivered(pid, signal);
        std::thread::sleep(Duration::from_millis(300));
    }
    let until = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    child.wait().unwrap().code()
}

/// Whether a signal is in one of the masks that the system shows of a process; `None` once that has ended.
fn is_in(mask: &str, pid: nix::unistd::Pid, signal: Signal) -> Option<bool> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix(mask)?.strip_prefix(':'))?;
    Some(u64::from_str_radix(mask.trim(), 16).unwrap() & 1 << (signal as i32 - 1) != 0)
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "never {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a process has a handler for a signal: it has one once it polls, and says nothing of that.
fn wait_until_caught(pid: nix::unistd::Pid, signal: Signal) {
    wait_until("caught", || is_in("SigCgt", pid, signal) == Some(true));
}

fn wait_until_delivered(pid: nix::unistd::Pid, signal: Signal) {
    wait_until("delivered", || is_in("ShdPnd", pid, signal) != Some(true));
}

fn forced(first: Signal, second: Signal) -> End {
    let mut process = start(&[], &["forever loop"]);
    process.signal(first);
    process.wait_for(WAITING);
    process.signal(second);
    process.end()
}

pub(crate) fn sigterm_waits_and_names() {
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

pub(crate) fn sigint_does_the_same() {
    let mut process = start(&[], &["wait send-email 300"]);
    process.signal(SIGINT);
    process.end().exited_with(0).logged(&[
        "Shutting down (SIGINT)",
        WAITING,
        "All background tasks completed in",
    ]);
}

pub(crate) fn term_then_term_forces() {
    forced(SIGTERM, SIGTERM).exited_with(143).logged(&[
        "Shutting down (SIGTERM)",
        "Forced by SIGTERM: aborting 1 task",
        "  loop #~ abandoned after ~",
        "Forced by SIGTERM, in ~s (0 completed, 1 abandoned); abandoned: loop #~",
    ]);
}

pub(crate) fn int_then_int_forces() {
    let end = forced(SIGINT, SIGINT);
    end.exited_with(130).logged(&["Shutting down (SIGINT)", "Forced by SIGINT: aborting 1 task"]);
    let report = report(&end);
    assert_eq!(report["result"], "forced");
    assert_eq!(report["abandoned"][0]["aborted"], true);
    assert_eq!(report["abandoned_total"], 1);
}

pub(crate) fn either_signal_forces_the_other() {
    forced(SIGINT, SIGTERM).exited_with(143);
    forced(SIGTERM, SIGINT).exited_with(130);
}

pub(crate) fn the_third_signal_exits_at_once() {
    let mut process = start(&[("HOOK_TIMEOUT", "30s")], &["forever loop", "--hook hangs"]);
    process.signal(SIGINT);
    process.signal(SIGTERM);
    process.wait_for("handed loop");
    process.signal(SIGINT);
    process.end().exited_with(143).never_logged("not gone");
}

pub(crate) fn a_doubled_signal_is_one() {
    let mut process = start(&[], &["wait send-email 600"]);
    process.signal_at_once(SIGINT);
    process.wait_for("Shutting down (SIGINT)");
    process.signal_at_once(SIGINT);
    process.end().exited_with(0).never_logged("Forced");
}

pub(crate) fn three_signals_end_it_while_the_log_is_full() {
    let child = with_a_full_log(&["forever loop", "--flood", "--hook hangs"]);
    assert_eq!(signal_until_gone(child, 3, SIGINT), Some(130));
}

pub(crate) fn two_signals_end_it_while_the_log_is_full() {
    let child = with_a_full_log(&["forever loop", "--flood", "--main ignore"]);
    assert_eq!(signal_until_gone(child, 2, SIGTERM), Some(143));
}

/// What the admin server says of an action must not hold up the signal that comes after it.
pub(crate) fn actions_are_told_while_the_log_is_full() {
    let mut command = command(&["forever loop", "--flood", "--main ignore"]);
    command.envs([("LOG_TO_STDOUT", "1"), ("HEADCOUNT_DRAIN_TIMEOUT", "none")]);
    command.envs([("HEADCOUNT_ADMIN", "127.0.0.1:0"), ("HEADCOUNT_ALLOW_ACTIONS", "yes")]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Read up to the address and no further, so that it fills.
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let admin = output.find_map(|line| line.unwrap().strip_prefix("admin ").map(str::to_owned)).unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "the log is full");
    for _ in 0..3 {
        assert_eq!(post(&admin, "/api/v1/tasks/999999/cancel", "").0, 404);
    }
    assert_eq!(post(&admin, "/api/v1/shutdown", "").0, 202);
    assert_eq!(signal_until_gone(child, 1, SIGINT), Some(130));
}

pub(crate) fn term_after_another_start_is_only_logged() {
    let mut process = start(&[], &["wait send-email 900", "--call lease-lost"]);
    process.wait_for("Shutting down (lease-lost)");
    process.signal(SIGTERM);
    process.end().exited_with(0).logged(&[
        "Shutting down (lease-lost)",
        "SIGTERM came after",
        "All background tasks",
    ]);
}

pub(crate) fn int_after_another_start_forces() {
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

pub(crate) fn force_while_announcing() {
    let mut process = start(&[("ANNOUNCE_DELAY", "20s")], &["forever loop"]);
    process.signal(SIGTERM);
    process.wait_for("Announcing for 20s");
    process.signal(SIGTERM);
    process.end().exited_with(143).logged(&["Announcing for 20s", "Forced by SIGTERM: aborting 1 task"]);
}

pub(crate) fn force_again_while_aborting() {
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

pub(crate) fn force_while_lingering() {
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

pub(crate) fn under_timeout() {
    let child = command(&["wait send-email 60", "until-draining worker 300"]);
    let mut wrapper = Command::new("timeout");
    wrapper.args(["--signal=TERM", "1"]).arg(child.get_program()).args(child.get_args());
    wrapper.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let end = Process::spawn(wrapper).end();
    // 124 is what `timeout` gives when it had to signal.
    end.exited_with(124).logged(&["Shutting down (SIGTERM)", "All background tasks completed in"]);
}

pub(crate) fn as_pid_1() {
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

pub(crate) fn with_stdout_and_stderr_closed() {
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

pub(crate) fn turned_off_it_stops_as_before() {
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
