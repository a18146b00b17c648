//! Signals as people and programs send them, and what a parent process left behind.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::Signal::{self, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::Scratch;
use crate::support::process::{APART, Process, command, through, unshare};

fn set(command: &mut Command, settings: &[(&str, &str)]) {
    command.envs(settings.iter().map(|(name, value)| (format!("HEADCOUNT_{name}"), *value)));
}

/// The process that this one started, or is about to.
fn child_of(pid: Pid) -> Pid {
    let children = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(children).unwrap();
    Pid::from_raw(children.split_whitespace().next().expect("a child").parse().unwrap())
}

#[test]
fn under_nohup_a_hang_up_is_nothing_and_a_term_drains() {
    own_process!();
    for sighup in ["default", "drain"] {
        let mut child = command(&["wait send-email 300"]);
        set(&mut child, &[("SIGHUP", sighup)]);
        let mut process = Process::spawn(through("nohup", &[], &child));
        process.wait_for("ready");
        process.signal(SIGHUP);
        process.signal(SIGTERM);
        process.end().exited_with(0).never_logged("(SIGHUP)").logged(&["Shutting down (SIGTERM)"]);
    }
}

/// A shell without job control lets what it starts with `&` ignore SIGINT and SIGQUIT.
#[test]
fn in_the_background_of_a_script_an_interrupt_is_nothing_and_a_term_drains() {
    own_process!();
    let child = command(&["wait send-email 300"]);
    let mut process = Process::spawn(through("sh", &["-c", "\"$0\" \"$@\" & wait $!"], &child));
    process.wait_for("ready");
    let service = child_of(process.pid());
    // The system drops the first two when they are sent, so none of them can come after the third.
    for signal in [SIGINT, SIGQUIT, SIGTERM] {
        kill(service, signal).unwrap();
    }
    let end = process.end();
    end.exited_with(0).never_logged("(SIGINT)").logged(&["Shutting down (SIGTERM)", "All background tasks"]);
}

#[test]
fn a_quit_ends_it_as_it_does_without_headcount() {
    own_process!();
    // Without the image of its memory, which this signal asks for.
    let mut process = Process::spawn(through("prlimit", &["--core=0"], &command(&["forever loop"])));
    process.wait_for("ready");
    process.signal(SIGQUIT);
    let end = process.end();
    assert_eq!(end.killed_by, Some(SIGQUIT as i32), "{:#?}", end.lines);
}

/// A parent that waits for signals itself often blocks them, and what it starts inherits that.
#[test]
fn a_signal_that_the_parent_blocked_is_mentioned() {
    own_process!();
    let child = command(&["wait send-email 300"]);
    let block = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); \
                 os.execvp(sys.argv[1], sys.argv[1:])";
    let mut process = Process::spawn(through("python3", &["-c", block], &child));
    process.wait_for("ready");
    process.wait_for("SIGTERM is blocked in this process");
    // It is of no use here; the other one is.
    process.signal(SIGTERM);
    process.signal(SIGINT);
    process.end().exited_with(0).logged(&["Shutting down (SIGINT)", "All background tasks completed in"]);
}

/// The first process of a container has no default actions: what is not handled does nothing.
#[test]
fn as_the_first_process_signals_climb_the_same_ladder() {
    own_process!();
    let mut child = command(&["forever loop", "--hook hangs"]);
    child.env("HEADCOUNT_HOOK_TIMEOUT", "30s");
    let options = [unshare(), &["--pid", "--fork"]].concat();
    let mut process = Process::spawn(through("unshare", &options, &child));
    process.wait_for("ready");
    let first = child_of(process.pid());
    let send = |process: &mut Process, signal: Signal, text: &str| {
        kill(first, signal).unwrap();
        process.wait_for(text);
        thread::sleep(APART);
    };
    // Neither is handled, so the system keeps them away.
    kill(first, SIGHUP).unwrap();
    kill(first, SIGQUIT).unwrap();
    send(&mut process, SIGTERM, "Shutting down (SIGTERM)");
    send(&mut process, SIGTERM, "handed loop");
    kill(first, SIGTERM).unwrap();
    process.end().exited_with(143);
}

/// A process whose terminal is its own, so that its end is the process's hang-up.
struct InTerminal {
    process: Process,
    master: Option<OwnedFd>,
}

/// Both ends of a terminal. What this process starts inherits neither.
fn terminal() -> (OwnedFd, OwnedFd) {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    for end in [&master, &slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    (master, slave)
}

/// Starts it. Its lines go past the terminal, whose other end this test closes.
fn in_terminal(settings: &[(&str, &str)], arguments: &[&str], scratch: &Scratch) -> InTerminal {
    let (master, slave) = terminal();
    let name =
        std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&slave))).unwrap();
    let mut child = command(arguments);
    set(&mut child, settings);
    child.env("HEADCOUNT_REPORT_FILE", scratch.path("report.json"));
    // The standard input alone is the terminal: it is what makes it the session's.
    let script = "exec setsid --ctty \"$@\" <\"$0\"";
    let mut shell = through("sh", &["-c", script, name.to_str().unwrap()], &child);
    shell.stdin(Stdio::null());
    let mut process = Process::spawn(shell);
    process.wait_for("ready");
    InTerminal { process, master: Some(master) }
}

#[test]
fn a_terminal_that_closes_does_what_the_setting_says() {
    own_process!();
    let scratch = Scratch::new();
    let mut hung_up = in_terminal(&[], &["wait send-email 300"], &scratch);
    drop(hung_up.master.take());
    assert_eq!(hung_up.process.end().killed_by, Some(SIGHUP as i32));
    assert!(!scratch.path("report.json").exists());

    let mut drained = in_terminal(&[("SIGHUP", "drain")], &["wait send-email 300"], &scratch);
    drop(drained.master.take());
    drained
        .process
        .end()
        .exited_with(0)
        .logged(&["Shutting down (SIGHUP)", "All background tasks completed in"]);
    assert!(scratch.path("report.json").exists());

    let mut ignored = in_terminal(&[("SIGHUP", "ignore")], &["wait send-email 300"], &scratch);
    drop(ignored.master.take());
    // What is ignored leaves no trace, so it is given time to come.
    thread::sleep(Duration::from_millis(500));
    ignored.process.signal(SIGTERM);
    ignored.process.end().exited_with(0).never_logged("(SIGHUP)").logged(&["Shutting down (SIGTERM)"]);
}

/// What it writes fails from then on, which must hold up nothing.
#[test]
fn a_terminal_that_closes_takes_the_log_and_no_task() {
    own_process!();
    let scratch = Scratch::new();
    let (master, slave) = terminal();
    let mut child = command(&["wait send-email 600", "wait index 900"]);
    set(&mut child, &[("SIGHUP", "drain")]);
    child.env("HEADCOUNT_REPORT_FILE", scratch.path("report.json")).env("TERM", "xterm");
    let end = || Stdio::from(slave.try_clone().unwrap());
    let mut setsid = through("setsid", &["--ctty"], &child);
    let mut service = setsid.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop((setsid, slave));
    let mut said = std::io::BufReader::new(File::from(master));
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    }
    drop(said);
    assert_eq!(service.wait().unwrap().code(), Some(0));
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(scratch.path("report.json")).unwrap()).unwrap();
    assert_eq!((report["reason"].as_str(), report["ended"]["ok"].as_u64()), (Some("SIGHUP"), Some(2)));
}
