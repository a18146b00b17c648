//! What signals do, in every stage and whatever hangs.

use std::io::BufRead;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{self, SIGHUP, SIGINT, SIGTERM};
use serde_json::Value;

use crate::support::http::{act, get};
use crate::support::process::{
    End, LINGERING, Process, WAITING, command, report, start, term, through, unshare,
};
use crate::support::wait::until_true;

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
        // Two that wait to be delivered are one, and so are two within 200 ms. It says nothing of when it
        // took one in.
        wait_until_delivered(pid, signal);
        std::thread::sleep(Duration::from_secs(1));
    }
    // On a busy machine two may have been taken in within 200 ms all the same. One more would cut short what
    // it does at its end, so it comes late.
    for _ in 0..4 {
        if ends_within(&mut child, Duration::from_secs(20)) {
            break;
        }
        nix::sys::signal::kill(pid, signal).unwrap();
    }
    // A process that stays is none of a panic's to leave behind.
    let _ = child.kill();
    child.wait().unwrap().code()
}

fn ends_within(child: &mut std::process::Child, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Whether a signal is in one of the masks that the system shows of a process; `None` once that has ended.
fn is_in(mask: &str, pid: nix::unistd::Pid, signal: Signal) -> Option<bool> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix(mask)?.strip_prefix(':'))?;
    Some(u64::from_str_radix(mask.trim(), 16).unwrap() & 1 << (signal as i32 - 1) != 0)
}

/// Waits until a process has a handler for a signal: it has one once it polls, and says nothing of that.
fn wait_until_caught(pid: nix::unistd::Pid, signal: Signal) {
    until_true("caught", || is_in("SigCgt", pid, signal) == Some(true));
}

fn wait_until_delivered(pid: nix::unistd::Pid, signal: Signal) {
    until_true("delivered", || is_in("ShdPnd", pid, signal) != Some(true));
}

fn forced(first: Signal, second: Signal) -> End {
    let mut process = start(&[], &["forever loop"]);
    process.signal(first);
    process.wait_for(WAITING);
    process.signal(second);
    process.end()
}

#[test]
fn sigterm_waits_and_names() {
    own_process!();
    let end = term(&[], &["wait send-email 300", "wait index-rebuild 1000", "--listen"]);
    end.exited_with(0).logged(&[
        "Shutting down (SIGTERM)",
        "Waiting for background tasks to complete. (a second signal forces) pending=2 deadline=25s",
        "  send-email #~ running ~",
        "  index-rebuild #~ running ~",
        "  send-email #~ completed after ~s, 1 remaining",
        "  index-rebuild #~ completed after ~s, 0 remaining",
        "All background tasks completed in ~s (2 completed)",
    ]);
}

#[test]
fn sigint_does_the_same() {
    own_process!();
    let mut process = start(&[], &["wait send-email 300"]);
    process.signal(SIGINT);
    process.end().exited_with(0).logged(&[
        "Shutting down (SIGINT)",
        WAITING,
        "All background tasks completed in",
    ]);
}

#[test]
fn term_then_term_forces() {
    own_process!();
    forced(SIGTERM, SIGTERM).exited_with(143).logged(&[
        "Shutting down (SIGTERM)",
        "Forced by SIGTERM: aborting 1 task",
        "  loop #~ abandoned after ~",
        "Forced by SIGTERM, in ~s (0 completed, 1 abandoned); abandoned: loop #~",
    ]);
}

#[test]
fn int_then_int_forces() {
    own_process!();
    let end = forced(SIGINT, SIGINT);
    end.exited_with(130).logged(&["Shutting down (SIGINT)", "Forced by SIGINT: aborting 1 task"]);
    let report = report(&end);
    assert_eq!(report["result"], "forced");
    assert_eq!(report["abandoned"][0]["aborted"], true);
    assert_eq!(report["abandoned_total"], 1);
}

#[test]
fn either_signal_forces_the_other() {
    own_process!();
    forced(SIGINT, SIGTERM).exited_with(143);
    forced(SIGTERM, SIGINT).exited_with(130);
}

#[test]
fn the_third_signal_exits_at_once() {
    own_process!();
    let mut process = start(&[("HOOK_TIMEOUT", "30s")], &["forever loop", "--hook hangs"]);
    process.signal(SIGINT);
    process.wait_for("Shutting down (SIGINT)");
    process.signal(SIGTERM);
    process.wait_for("handed loop");
    process.signal(SIGINT);
    process.end().exited_with(143).never_logged("not gone");
}

#[test]
fn a_doubled_signal_is_one() {
    own_process!();
    // Two within 200 ms are one; a busy machine may keep this test longer than that between them.
    let (mut apart, mut end) = (Duration::MAX, None);
    while Duration::from_millis(100) < apart {
        let mut process = start(&[], &["wait send-email 600"]);
        let began = Instant::now();
        process.signal_at_once(SIGINT);
        // Two that wait to be delivered are one for the system.
        wait_until_delivered(process.pid(), SIGINT);
        process.signal_at_once(SIGINT);
        apart = began.elapsed();
        end = Some(process.end());
    }
    end.unwrap().exited_with(0).logged(&["Shutting down (SIGINT)"]).never_logged("Forced");
}

#[test]
fn three_signals_end_it_while_the_log_is_full() {
    own_process!();
    let child = with_a_full_log(&["forever loop", "--flood", "--hook hangs"]);
    assert_eq!(signal_until_gone(child, 3, SIGINT), Some(130));
}

#[test]
fn two_signals_end_it_while_the_log_is_full() {
    own_process!();
    let child = with_a_full_log(&["forever loop", "--flood", "--main ignore"]);
    assert_eq!(signal_until_gone(child, 2, SIGTERM), Some(143));
}

/// What the admin server says of an action must not hold up the signal that comes after it.
#[test]
fn actions_are_told_while_the_log_is_full() {
    own_process!();
    let mut command = command(&["forever loop", "--flood", "--main ignore"]);
    command.envs([("LOG_TO_STDOUT", "1"), ("HEADCOUNT_DRAIN_TIMEOUT", "none")]);
    command.envs([("HEADCOUNT_ADMIN", "127.0.0.1:0"), ("HEADCOUNT_ALLOW_ACTIONS", "yes")]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Read up to the address and no further, so that it fills.
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let admin = output.find_map(|line| line.unwrap().strip_prefix("admin ")?.parse().ok()).unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "the log is full");
    for _ in 0..3 {
        act(admin, "/api/v1/tasks/999999/cancel", "").expect(404);
    }
    act(admin, "/api/v1/shutdown", "").expect(202);
    assert_eq!(signal_until_gone(child, 1, SIGINT), Some(130));
}

#[test]
fn term_after_another_start_is_only_logged() {
    own_process!();
    let mut process = start(&[], &["wait send-email 5000", "--call lease-lost"]);
    process.wait_for("Shutting down (lease-lost)");
    process.signal(SIGTERM);
    process.end().exited_with(0).logged(&[
        "Shutting down (lease-lost)",
        "SIGTERM came after",
        "All background tasks",
    ]);
}

#[test]
fn int_after_another_start_forces() {
    own_process!();
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

#[test]
fn force_while_announcing() {
    own_process!();
    let mut process = start(&[("ANNOUNCE_DELAY", "20s")], &["forever loop"]);
    process.signal(SIGTERM);
    process.wait_for("Announcing for 20s");
    process.signal(SIGTERM);
    process.end().exited_with(143).logged(&["Announcing for 20s", "Forced by SIGTERM: aborting 1 task"]);
}

#[test]
fn force_again_while_aborting() {
    own_process!();
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

#[test]
fn force_while_lingering() {
    own_process!();
    let mut process = start(&LINGERING, &["wait send-email 100"]);
    get(process.admin(), "/metrics").expect(200);
    process.signal(SIGTERM);
    process.wait_for("Staying for a last scrape");
    process.signal(SIGTERM);
    process.end().exited_with(0).logged(&[
        "All background tasks",
        "Staying for a last scrape",
        "Forced again by SIGTERM",
    ]);
}

#[test]
fn under_timeout() {
    own_process!();
    let child = command(&["wait send-email 60", "wait worker 300"]);
    let mut process = Process::spawn(through("timeout", &["--signal=TERM", "1000"], &child));
    process.wait_for("ready");
    // What its timer sends it once the time is over.
    process.signal(Signal::SIGALRM);
    let end = process.end();
    // 124 is what `timeout` gives when it had to signal.
    end.exited_with(124).logged(&["Shutting down (SIGTERM)", "All background tasks completed in"]);
}

#[test]
fn as_pid_1() {
    own_process!();
    let child = command(&["wait send-email 600"]);
    let options = [unshare(), &["--pid", "--fork"]].concat();
    let mut process = Process::spawn(through("unshare", &options, &child));
    process.wait_for("ready");
    let children = format!("/proc/{0}/task/{0}/children", process.pid());
    let children = std::fs::read_to_string(children).unwrap();
    let first = nix::unistd::Pid::from_raw(children.trim().parse().unwrap());
    nix::sys::signal::kill(first, SIGTERM).unwrap();
    process.end().exited_with(0).logged(&["Shutting down (SIGTERM)", "All background tasks completed in"]);
}

#[test]
fn with_stdout_and_stderr_closed() {
    own_process!();
    let path = std::env::temp_dir().join(format!("headcount-closed-{}.json", std::process::id()));
    let child = command(&["wait worker 200", "--call enough"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec >&- 2>&-; exec \"$0\" \"$@\""]).arg(child.get_program()).args(child.get_args());
    shell.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("HEADCOUNT_REPORT_FILE", &path);
    Process::spawn(shell).end().exited_with(0);
    let report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(report["ended"]["ok"], 1);
}

#[test]
fn turned_off_it_stops_as_before() {
    own_process!();
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

#[test]
fn hang_up_does_what_the_setting_says() {
    own_process!();
    let mut process = start(&[], &["wait send-email 20000"]);
    process.signal(SIGHUP);
    assert_eq!(process.end().killed_by, Some(SIGHUP as i32));

    let mut process = start(&[("SIGHUP", "drain")], &["forever loop"]);
    process.signal(SIGHUP);
    process.wait_for("Shutting down (SIGHUP)");
    process.signal(SIGHUP);
    process.wait_for("SIGHUP came after");
    process.signal(SIGTERM);
    process.end().exited_with(143).logged(&["Forced by SIGTERM: aborting 1 task"]);

    let mut process = start(&[("SIGHUP", "ignore")], &["wait send-email 800"]);
    process.signal(SIGHUP);
    process.signal(SIGTERM);
    process.end().exited_with(0).never_logged("SIGHUP)");
}

#[test]
fn what_the_parent_had_ignored_stays_ignored() {
    own_process!();
    let child = command(&["wait send-email 800"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT; exec \"$0\" \"$@\""]).arg(child.get_program()).args(child.get_args());
    shell.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut process = Process::spawn(shell);
    process.wait_for("ready");
    process.signal(SIGINT);
    process.signal(SIGTERM);
    process.end().exited_with(0).never_logged("(SIGINT)").logged(&["Shutting down (SIGTERM)"]);
}

#[test]
fn turned_off_what_the_parent_had_ignored_stays_ignored() {
    own_process!();
    let child = command(&["wait send-email 800"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT; exec \"$0\" \"$@\""]).arg(child.get_program()).args(child.get_args());
    shell.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("HEADCOUNT", "off");
    let mut process = Process::spawn(shell);
    process.wait_for("ready");
    wait_until_caught(process.pid(), SIGTERM);
    assert_eq!(is_in("SigIgn", process.pid(), SIGINT), Some(true));
    process.signal(SIGINT);
    process.signal(SIGTERM);
    // Had SIGINT counted, SIGTERM would be the second and end it with 143.
    process.end().exited_with(0);
}

#[test]
fn turned_off_a_second_signal_ends_it() {
    own_process!();
    let mut command = command(&["forever loop", "--main hang"]);
    command.env("HEADCOUNT", "off");
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    wait_until_caught(process.pid(), SIGTERM);
    process.signal(SIGTERM);
    // One that a wrapper doubles is the same.
    process.signal_at_once(SIGTERM);
    // What comes within 200 ms of these is the same as well, and it does not say when it took them in.
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    while !process.has_ended() && std::time::Instant::now() < patience {
        process.signal(SIGINT);
    }
    process.end().exited_with(130);
}

/// What the application began needs no second signal.
#[test]
fn turned_off_a_signal_ends_what_the_application_stops() {
    own_process!();
    let mut command = command(&["forever loop", "--main hang", "--call lease-lost"]);
    command.env("HEADCOUNT", "off");
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    // It is taken as one from a moment after the stop began, which it does not say.
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    while !process.has_ended() && std::time::Instant::now() < patience {
        process.signal(SIGTERM);
    }
    process.end().exited_with(143);
}

/// An application that stops by signals of its own is left to it.
#[test]
fn turned_off_signals_stay_with_the_application() {
    own_process!();
    for signal in [SIGTERM, SIGINT] {
        let mut command = command(&["forever loop", "--main hang"]);
        command.env("HEADCOUNT", "off").env("HEADCOUNT_SIGNALS", "no").env("HEADCOUNT_DRAIN_TIMEOUT", "soon");
        let mut process = Process::spawn(command);
        process.wait_for("ready");
        process.signal(signal);
        assert_eq!(process.end().killed_by, Some(signal as i32));
    }
}

#[test]
fn the_last_lines_go_past_a_log_that_nothing_reads_once_and_whole() {
    own_process!();
    let mut command = command(&["forever loop", "--flood", "--main ignore"]);
    command.env("LOG_TO_STDOUT", "1").env("HEADCOUNT_DRAIN_TIMEOUT", "none");
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "the log is full");
    assert_eq!(signal_until_gone(child, 2, SIGTERM), Some(143));
    let said: Vec<String> = said.map(Result::unwrap).collect();
    let last: Vec<_> = said.iter().filter(|line| line.contains("Forced by SIGTERM, in ")).collect();
    assert_eq!(last.len(), 1, "{said:#?}");
    assert!(last[0].ends_with("(0 completed, 1 abandoned); abandoned: loop #1"), "{said:#?}");
    let lost = said.iter().find(|line| line.contains("lines of this log were not written"));
    assert!(lost.is_some(), "{said:#?}");
}

#[test]
fn a_process_forked_after_install_is_told_and_can_be_ended() {
    own_process!();
    let table = [
        ("daemon", " got 1 Nothing was waited for: headcount was installed in process "),
        ("daemon-spawns", " spawned true"),
        ("daemon-asks", " stops false"),
        ("daemon-times", " ends it by timeout"),
    ];
    for (main, said) in table {
        let mut process = Process::spawn(command(&[&format!("--main {main}")]));
        let line = process.wait_for("daemon ");
        assert!(line.contains(said), "{line}");
        ends_by_sigterm(&line);
    }
}

/// The process that a line of its own names can be ended, as it could be without headcount.
fn ends_by_sigterm(line: &str) {
    let pid = nix::unistd::Pid::from_raw(line.split(' ').nth(1).unwrap().parse().unwrap());
    nix::sys::signal::kill(pid, SIGTERM).unwrap();
    until_true("gone", || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // Nothing may be there to reap it.
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    });
}

/// The second step of a rollout: a variable has headcount observe, and the process stops as it always did.
#[test]
fn with_signals_off_the_signal_of_the_application_counts() {
    own_process!();
    let mut process = start(&[("SIGNALS", "no")], &["forever loop", "--main own-signal"]);
    process.wait_for("listens");
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(0).never_logged("Shutting down");
    let lost =
        |line: &String| line.contains("loop #1 is lost after") && line.contains("drain() was never awaited");
    assert!(end.lines.iter().any(lost), "{:#?}", end.lines);
    assert!(end.lines.iter().any(|line| line == "stopped by its own signal"), "{:#?}", end.lines);
}
