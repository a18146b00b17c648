//! What a service reports to systemd: real processes, and a listener on the socket.
//! `scripts/systemd-check` has a real systemd on the other end.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::SIGTERM;

use super::{Scratch, count};
use crate::support::process::{Process, command};

/// What a service manager hears, and when.
struct Manager {
    socket: UnixDatagram,
    name: String,
    began: Instant,
    heard: Vec<(Duration, String)>,
    _scratch: Scratch,
}

impl Manager {
    fn new() -> Self {
        let scratch = Scratch::new();
        let path = scratch.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self::with(socket, path.to_str().unwrap().to_owned(), scratch)
    }

    fn with(socket: UnixDatagram, name: String, scratch: Scratch) -> Self {
        Self { socket, name, began: Instant::now(), heard: Vec::new(), _scratch: scratch }
    }

    /// Starts a service of this manager.
    fn start(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Process {
        let mut process = Process::spawn(self.command(settings, arguments));
        process.wait_for("ready");
        process
    }

    fn command(&self, settings: &[(&str, &str)], arguments: &[&str]) -> std::process::Command {
        let mut command = command(arguments);
        command.env("NOTIFY_SOCKET", &self.name);
        command.envs(settings.iter().copied());
        command
    }

    /// Takes in what comes within a time, or until a message is wanted.
    fn listen(&mut self, at_most: Duration, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + at_most;
        let mut bytes = [0; 4_096];
        while let Some(left @ 1..) = until.checked_duration_since(Instant::now()).map(|left| left.as_millis())
        {
            self.socket.set_read_timeout(Some(Duration::from_millis(left.try_into().unwrap()))).unwrap();
            let Ok(length) = self.socket.recv(&mut bytes) else { continue };
            let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
            self.heard.push((self.began.elapsed(), message.clone()));
            if is_wanted(&message) {
                return Some(message);
            }
        }
        None
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) -> String {
        let heard = self.listen(Duration::from_secs(120), |message| message.contains(text));
        heard.unwrap_or_else(|| panic!("no {text:?} among {:#?}", self.heard))
    }

    /// Takes in what is there already.
    fn drain(&mut self) {
        self.listen(Duration::from_millis(100), |_| false);
    }

    fn messages(&self) -> Vec<&str> {
        self.heard.iter().map(|(_, message)| message.as_str()).collect()
    }

    /// The extensions asked for, each with its time.
    fn extensions(&self) -> Vec<(Duration, Duration)> {
        let micros = |message: &str| {
            message.lines().find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC=")?.parse().ok())
        };
        let asked = self
            .heard
            .iter()
            .filter_map(|(at, message)| Some((*at, Duration::from_micros(micros(message)?))));
        asked.collect()
    }
}

/// Stops a process that does not end before its deadline: when that began, and the extensions asked for.
#[track_caller]
fn stopped_at_the_deadline(
    settings: &[(&str, &str)],
    tasks: &[&str],
) -> (Duration, Vec<(Duration, Duration)>) {
    let mut manager = Manager::new();
    let mut process = manager.start(settings, tasks);
    process.signal(SIGTERM);
    manager.wait_for("STOPPING");
    let (began, _) = *manager.heard.last().unwrap();
    manager.wait_for("STATUS=Stopped at the deadline");
    process.end().exited_with(124);
    (began, manager.extensions())
}

#[test]
fn a_service_reports_its_life() {
    own_process!();
    let mut manager = Manager::new();
    let mut process = manager.start(&[], &["wait send-email 5000", "wait index 5000"]);
    assert_eq!(manager.wait_for("READY"), "READY=1");
    process.signal(SIGTERM);
    let stopping = manager.wait_for("STOPPING");
    assert!(stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=10000000"), "{stopping}");
    manager.wait_for("STATUS=Waiting for 2 tasks, deadline in 2");
    process.end().exited_with(0);
    manager.drain();
    let heard = manager.messages();
    // Time may be asked for once more behind it.
    let last = heard.iter().rev().find(|message| message.contains("STATUS=")).unwrap();
    assert!(last.contains("STATUS=Drained in "), "{heard:#?}");
    let waiting = heard.iter().find(|message| message.contains("STATUS=Waiting")).unwrap();
    assert!(waiting.contains("index ×1") && waiting.contains("send-email ×1"), "{waiting}");
    assert_eq!(
        heard.iter().filter(|message| message.contains("READY") || message.contains("STOPPING")).count(),
        2
    );
}

#[test]
fn a_socket_may_have_a_name_without_a_file() {
    own_process!();
    let name = format!("headcount-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let mut manager = Manager::with(socket, format!("@{name}"), Scratch::new());
    let mut process = manager.start(&[], &[]);
    assert_eq!(manager.wait_for("READY"), "READY=1");
    process.signal(SIGTERM);
    process.end().exited_with(0);
    manager.wait_for("STATUS=Drained in ");
}

#[test]
fn a_service_is_ready_when_it_says_so() {
    own_process!();
    let mut manager = Manager::new();
    let mut process = manager.start(&[("HEADCOUNT_READY", "no")], &["--set-ready 10000"]);
    let early = manager.listen(Duration::from_millis(300), |_| true);
    assert_eq!(early, None);
    manager.wait_for("READY=1");
    process.signal(SIGTERM);
    process.end().exited_with(0);
}

#[test]
fn time_is_asked_for_while_progress_moves() {
    own_process!();
    let limits = [("HEADCOUNT_DRAIN_TIMEOUT", "15s"), ("HEADCOUNT_EXIT_AFTER", "16s")];
    let (began, extensions) = stopped_at_the_deadline(&limits, &["moves import 4500", "forever loop"]);
    let within = |from: u64, to: u64| {
        let (from, to) = (began + Duration::from_millis(from), began + Duration::from_millis(to));
        extensions.iter().filter(|(at, _)| (from..to).contains(at)).count()
    };
    assert!(3 <= within(0, 4_500), "{extensions:?}");
    // What moved has ended, and the loop does not move.
    assert_eq!(within(7_500, 14_000), 0, "{extensions:?}");
    // A message is heard a while after it was written.
    let exit = began + Duration::from_secs(16 + 5);
    assert!(extensions.iter().all(|(at, time)| *at + *time <= exit), "{extensions:?}");
}

#[test]
fn nothing_that_moves_means_no_more_time() {
    own_process!();
    let (began, extensions) =
        stopped_at_the_deadline(&[("HEADCOUNT_DRAIN_TIMEOUT", "10s")], &["forever loop"]);
    // Of the stages, the first and the last alone.
    let between = began + Duration::from_secs(3)..began + Duration::from_secs(7);
    assert!(!extensions.iter().any(|(at, _)| between.contains(at)), "{extensions:?}");
}

#[test]
fn the_watchdog_hears_a_runtime_that_answers() {
    own_process!();
    let mut manager = Manager::new();
    let watchdog = [("WATCHDOG_USEC", "400000"), ("HEADCOUNT_DRAIN_TIMEOUT", "20s")];
    let mut process = manager.start(&watchdog, &["wait import 5000", "--set-ready 0"]);
    let pings =
        |manager: &Manager| manager.messages().iter().filter(|message| **message == "WATCHDOG=1").count();
    while pings(&manager) < 4 {
        manager.wait_for("WATCHDOG=1");
    }
    manager.drain();
    let (before, at_most) = (pings(&manager), manager.began.elapsed().as_millis() / 200 + 2);
    assert!(before as u128 <= at_most, "every 200 ms: {:#?}", manager.heard);
    process.signal(SIGTERM);
    manager.wait_for("STATUS=Drained");
    assert!(before + 4 <= pings(&manager), "during the drain too: {:#?}", manager.heard);
    process.end().exited_with(0);
}

#[test]
fn the_watchdog_does_not_hear_a_blocked_runtime() {
    own_process!();
    let mut manager = Manager::new();
    let watchdog = [("WATCHDOG_USEC", "200000")];
    let mut process = manager.start(&watchdog, &["stuck one 9000", "stuck two 9000"]);
    manager.wait_for("READY");
    // What was sent before may be heard a while later.
    let is_quiet = (0..5).any(|_| manager.listen(Duration::from_secs(1), |_| true).is_none());
    assert!(is_quiet, "both workers are blocked: {:#?}", manager.heard);
    manager.wait_for("WATCHDOG=1");
    process.signal(SIGTERM);
    process.end().exited_with(0);
}

#[test]
fn a_watchdog_of_another_process_is_none_of_ours() {
    own_process!();
    let mut manager = Manager::new();
    let mut process = manager.start(&[("WATCHDOG_USEC", "50000"), ("WATCHDOG_PID", "1")], &[]);
    manager.listen(Duration::from_millis(500), |_| false);
    assert_eq!(manager.messages(), ["READY=1"]);
    process.signal(SIGTERM);
    process.end().exited_with(0);
}

#[test]
fn the_setting_turns_it_off() {
    own_process!();
    let mut manager = Manager::new();
    let off = [("HEADCOUNT_NOTIFY", "no"), ("WATCHDOG_USEC", "50000")];
    let mut process = manager.start(&off, &["wait send-email 700"]);
    process.signal(SIGTERM);
    process.end().exited_with(0).never_logged("systemd");
    manager.drain();
    assert_eq!(manager.messages(), [""; 0]);
}

#[test]
fn turned_off_it_still_starts_a_unit_and_leaves_its_watchdog_unset() {
    own_process!();
    let mut manager = Manager::new();
    let off = [("HEADCOUNT", "off"), ("WATCHDOG_USEC", "50000"), ("HEADCOUNT_READY", "no")];
    let mut process = manager.start(&off, &["forever loop", "--set-ready 300"]);
    assert_eq!(manager.wait_for("READY"), "READY=1\nWATCHDOG_USEC=0");
    process.signal(SIGTERM);
    process.end().exited_with(0);
    manager.drain();
    assert_eq!(manager.heard.len(), 1, "{:#?}", manager.heard);
}

/// A socket that is gone, one that never was, and what is none.
#[test]
fn a_socket_that_cannot_be_used_is_logged_once() {
    own_process!();
    for (name, problem) in [
        ("/nowhere/notify", "WARN headcount: systemd cannot be notified: No such file"),
        ("relative", "WARN headcount: systemd is not notified: NOTIFY_SOCKET=relative: expected a path"),
        ("@", "WARN headcount: systemd is not notified: NOTIFY_SOCKET=@: expected a path"),
        ("vsock:2:1", "WARN headcount: systemd is not notified: NOTIFY_SOCKET=vsock:2:1: expected a path"),
        (&format!("/{}", "x".repeat(200)), "WARN headcount: systemd is not notified: "),
    ] {
        let mut command = command(&["wait send-email 1200"]);
        command.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "50000");
        let mut process = Process::spawn(command);
        process.wait_for("ready");
        let began = Instant::now();
        process.signal(SIGTERM);
        let end = process.end();
        end.exited_with(0).logged(&["All background tasks completed in"]);
        assert!(began.elapsed() < Duration::from_secs(15), "{name} holds up the stop");
        assert_eq!((count(&end.lines, problem), count(&end.lines, "systemd")), (1, 1), "{:#?}", end.lines);
    }
}

#[test]
fn a_watchdog_that_cannot_be_read_is_logged_once() {
    own_process!();
    let mut manager = Manager::new();
    let mut process = manager.start(&[("WATCHDOG_USEC", "soon")], &["wait send-email 300"]);
    manager.wait_for("READY=1");
    process.signal(SIGTERM);
    let end = process.end();
    let problem =
        "WARN headcount: systemd's watchdog is not answered: WATCHDOG_USEC=soon: expected a whole number";
    end.exited_with(0);
    assert_eq!((count(&end.lines, problem), count(&end.lines, "systemd")), (1, 1), "{:#?}", end.lines);
}

#[test]
fn a_full_socket_holds_up_nothing_and_what_must_arrive_comes_later() {
    own_process!();
    let mut manager = Manager::new();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"filler", &manager.name).is_ok() {}
    let mut process = manager.start(&[("WATCHDOG_USEC", "50000")], &["wait send-email 2500"]);
    process.wait_for("systemd cannot be notified: Resource temporarily unavailable");
    let full = manager.wait_for("READY=1");
    assert_eq!(full, "READY=1", "once there was room");
    process.signal(SIGTERM);
    manager.wait_for("STOPPING=1");
    let end = process.end();
    end.exited_with(0);
    assert_eq!(count(&end.lines, "systemd"), 1, "{:#?}", end.lines);
}

#[test]
fn a_manager_that_ends_meanwhile_holds_up_nothing() {
    own_process!();
    let mut manager = Manager::new();
    let mut process = manager.start(&[("WATCHDOG_USEC", "100000")], &["wait send-email 1200"]);
    manager.wait_for("READY=1");
    drop(manager);
    process.wait_for("systemd cannot be notified");
    process.signal(SIGTERM);
    let end = process.end();
    end.exited_with(0).logged(&["All background tasks completed in"]);
    assert_eq!(count(&end.lines, "systemd"), 1, "{:#?}", end.lines);
}

/// What a peer wrote into an error gives the manager no orders.
#[test]
fn a_reason_of_several_lines_is_one_line() {
    own_process!();
    let mut manager = Manager::new();
    let settings = [("HEADCOUNT_ANNOUNCE_DELAY", "2s")];
    let reason = "--call lease-lost:\\nWATCHDOG=trigger";
    let process = manager.start(&settings, &[reason, "wait mail 100"]);
    manager.wait_for("STATUS=Stopping (");
    process.end().exited_with(0);
    manager.drain();
    let heard = manager.messages();
    let mut lines = heard.iter().flat_map(|message| message.lines());
    assert!(!lines.any(|line| line.starts_with("WATCHDOG=trigger")), "{heard:#?}");
}
