//! A process under test, its lines, and its end.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::alone;
use super::child::ARGUMENTS;
use super::lines::matches;
use super::wait::until;

/// Long enough for the busiest machine; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two signals that far apart are two.
pub(crate) const APART: Duration = Duration::from_millis(260);

pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    was_signalled: bool,
}

/// How a process ended, and all it wrote.
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) killed_by: Option<i32>,
    pub(crate) lines: Vec<String>,
}

/// The command that runs the process under test, without an admin server.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = alone::command("support::child::child");
    command.env(ARGUMENTS, arguments.join("\n")).env("HEADCOUNT_ADMIN", "none").env("RUST_BACKTRACE", "0");
    command
}

/// Starts a process under test and waits until it is ready.
pub(crate) fn start(settings: &[(&str, &str)], arguments: &[&str]) -> Process {
    let mut command = command(arguments);
    command.envs(settings.iter().map(|(name, value)| (format!("HEADCOUNT_{name}"), (*value).to_owned())));
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    process
}

impl Process {
    pub(crate) fn spawn(command: Command) -> Self {
        Self::spawn_with_log(command, Stdio::piped())
    }

    /// The same with a standard error of its own, whose lines are not read here.
    pub(crate) fn spawn_with_log(mut command: Command, log: Stdio) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take().map(|stderr| Box::new(stderr) as Box<dyn Read + Send>);
        for output in [stdout].into_iter().chain(stderr) {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, seen: Vec::new(), was_signalled: false }
    }

    /// The address of its admin server.
    #[track_caller]
    pub(crate) fn admin(&mut self) -> SocketAddr {
        self.address("admin ")
    }

    /// The address behind a text that it wrote.
    #[track_caller]
    pub(crate) fn address(&mut self, text: &str) -> SocketAddr {
        self.wait_for(text).split_once(text).unwrap().1.parse().unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// Sends a signal. Another has had its effect, which the test waited for: so long after it this is
    /// another.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.was_signalled {
            thread::sleep(APART);
        }
        self.signal_at_once(signal);
    }

    pub(crate) fn signal_at_once(&mut self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
        self.was_signalled = true;
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for a line that holds a text, and gives it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no {text:?} came in time; there was {:#?}", self.seen)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended without {text:?}; there was {:#?}", self.seen)
                }
            }
        }
    }

    /// A line of these that it has written by now.
    pub(crate) fn seen(&mut self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().find(|line| is_it(line)).cloned()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> End {
        let status = self.wait();
        self.seen.extend(self.lines.iter());
        End { code: status.code(), killed_by: status.signal(), lines: std::mem::take(&mut self.seen) }
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        until(|| {
            self.seen.extend(self.lines.try_iter());
            self.child.try_wait().unwrap().ok_or_else(|| self.seen.clone())
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves none behind; one that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl End {
    /// The lines of the shutdown, without what stands before them.
    pub(crate) fn log(&self) -> Vec<&str> {
        let text =
            |line: &str| line.find("headcount::shutdown: ").map(|at| at + "headcount::shutdown: ".len());
        self.lines.iter().filter_map(|line| text(line).map(|at| &line[at..])).collect()
    }

    #[track_caller]
    pub(crate) fn exited_with(&self, code: i32) -> &Self {
        assert_eq!((self.code, self.killed_by), (Some(code), None), "{:#?}", self.lines);
        self
    }

    /// Lines that begin so came in this order, whatever was between them.
    #[track_caller]
    pub(crate) fn logged(&self, beginnings: &[&str]) -> &Self {
        let log = self.log();
        let mut rest = log.iter();
        for beginning in beginnings {
            let found = rest.any(|line| matches(beginning, line));
            assert!(found, "no {beginning:?} in its place among {:#?}", self.lines);
        }
        self
    }

    #[track_caller]
    pub(crate) fn never_logged(&self, text: &str) -> &Self {
        assert!(!self.lines.iter().any(|line| line.contains(text)), "{text:?} among {:#?}", self.lines);
        self
    }
}

/// How the waiting line begins.
pub(crate) const WAITING: &str = "Waiting for background tasks to complete. (";

/// Settings of a process that stays for a last scrape.
pub(crate) const LINGERING: [(&str, &str); 2] = [("ADMIN", "127.0.0.1:0"), ("LINGER", "auto")];

/// Runs a command through another program, with these words before it.
pub(crate) fn through(program: &str, words: &[&str], command: &Command) -> Command {
    let mut wrapper = Command::new(program);
    wrapper.args(words).arg(command.get_program()).args(command.get_args());
    wrapper.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapper
}

/// What `unshare` needs to be told here, to make namespaces: root may, others only where users are mapped.
#[track_caller]
pub(crate) fn unshare() -> &'static [&'static str] {
    let allowed = |options: &&&[&str]| {
        let status = Command::new("unshare").args(**options).args(["--mount", "true"]).status();
        status.is_ok_and(|status| status.success())
    };
    let ways: [&'static [&'static str]; 2] = [&[], &["--user", "--map-root-user"]];
    ways.iter().find(allowed).expect(
        "`unshare` of util-linux, on a machine that allows namespaces: run as root, in a privileged container",
    )
}

/// Starts a process, ends it with SIGTERM, and gives its end.
pub(crate) fn term(settings: &[(&str, &str)], arguments: &[&str]) -> End {
    let mut process = start(settings, arguments);
    process.signal(Signal::SIGTERM);
    process.end()
}

/// The report that a process printed.
pub(crate) fn report(end: &End) -> serde_json::Value {
    let line = end.lines.iter().find_map(|line| line.strip_prefix("report ")).expect("a report");
    serde_json::from_str(line).unwrap()
}
