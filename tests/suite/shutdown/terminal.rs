//! The task lines on a terminal, as a terminal shows them.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::process::command;
use crate::support::wait::{until, until_true};

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

/// A process whose standard output and error are a terminal.
struct OnTerminal {
    child: std::process::Child,
    screen: Arc<Mutex<vt100::Parser>>,
    /// All that it wrote.
    written: Arc<Mutex<Vec<u8>>>,
    /// Keeps the terminal open when the process is gone.
    _slave: OwnedFd,
}

fn start(arguments: &[&str]) -> OnTerminal {
    let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    let output = || Stdio::from(pty.slave.try_clone().unwrap());
    let child = command(arguments)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output())
        .spawn()
        .unwrap();
    let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 1_000)));
    let written = Arc::<Mutex<Vec<u8>>>::default();
    let (mut master, shown, kept) = (File::from(pty.master), Arc::clone(&screen), Arc::clone(&written));
    thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(count @ 1..) = master.read(&mut bytes) {
            kept.lock().unwrap().extend(&bytes[..count]);
            shown.lock().unwrap().process(&bytes[..count]);
        }
    });
    OnTerminal { child, screen, written, _slave: pty.slave }
}

impl OnTerminal {
    fn rows(&self) -> Vec<String> {
        self.screen.lock().unwrap().screen().rows(0, COLUMNS).collect()
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    fn wait_until(&self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        until(|| {
            let rows = self.rows();
            if wanted(&rows) { Ok(rows) } else { Err(rows) }
        })
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The numbers of the application's own lines, as far as the lines are whole.
fn counted(rows: &[String]) -> Vec<u32> {
    let number = |row: &String| row.strip_prefix("own line ")?.strip_suffix(" to the end")?.parse().ok();
    rows.iter().filter_map(number).collect()
}

#[test]
fn task_lines_are_redrawn_below_what_the_application_writes() {
    own_process!();
    let mut process = start(&["--print 40", "status send-email", "wait index-rebuild 6000"]);
    process.wait_until(|rows| rows.iter().any(|row| row.starts_with("own line 20 ")));
    process.signal(Signal::SIGTERM);

    let at = |rows: &[String], text: &str| rows.iter().position(|row| row.contains(text));
    // A screen may be read between the bytes of one change.
    let rows = process.wait_until(|rows| {
        let Some(heading) = at(rows, "waiting for 2 tasks") else { return false };
        let of = |text: &str| rows[heading..].iter().filter(|row| row.starts_with(text)).count();
        let own = counted(rows);
        rows[heading].contains("deadline in ")
            && of("  ▓▓▓░░░░░░░ send-email #1 running ") == 1
            && of("  ·········· index-rebuild #2 running ") == 1
            // At the bottom.
            && heading + 3 == usize::from(ROWS)
            // Every line of its own above is whole, in order, and none is missing.
            && 10 < own.len()
            && 40 < own[0]
            && own.windows(2).all(|pair| pair[0] + 1 == pair[1])
    });
    let heading = at(&rows, "waiting for 2 tasks").unwrap();

    // Lines of the application soon carry it away.
    let text = "index-rebuild #2 completed after";
    until_true(text, || String::from_utf8_lossy(&process.written.lock().unwrap()).contains(text));
    process.wait_until(|rows| at(rows, "waiting for 1 task").is_some());
    process.signal(Signal::SIGTERM);
    let rows = process.wait_until(|rows| at(rows, "Forced by SIGTERM, in").is_some());
    assert!(at(&rows, "waiting for").is_none_or(|row| row < heading), "the rows are given back: {rows:#?}");
    assert_eq!(process.child.wait().unwrap().code(), Some(143));
}
