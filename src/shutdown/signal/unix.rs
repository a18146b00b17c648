//! Signals of a Unix system.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, mpsc};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::io::Interest;

use super::{Ladder, Meaning, Signal, millis};
use crate::shutdown::gates::gates;

/// What the signal thread reports, one byte a signal: a pipe, since a queue would have a lock.
#[derive(Debug)]
pub(crate) struct Listener(tokio::net::UnixStream);

impl Listener {
    /// Starts to listen for these. Must run inside the runtime that will call [`next`](Self::next).
    ///
    /// A signal that the parent process had set to be ignored stays ignored.
    pub(crate) fn start(wanted: &[Signal]) -> io::Result<Self> {
        // A former `install` that failed gave them back.
        GIVEN_BACK.store(false, Ordering::SeqCst);
        Self::listen(wanted).inspect_err(|_| give_back())
    }

    fn listen(wanted: &[Signal]) -> io::Result<Self> {
        let numbers = not_ignored(wanted);
        let (ours, mut theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        let ours = tokio::net::UnixStream::from_std(ours)?;
        millis();
        // The thread is there before the handlers: without it they would only take the default actions away.
        let (handlers, signals) = mpsc::channel::<Signals>();
        let wait = move || {
            let mut ladder = Ladder::default();
            let Ok(mut signals) = signals.recv() else { return };
            for number in signals.forever() {
                tell(&mut ladder, number, &mut theirs);
            }
        };
        thread::Builder::new().name("headcount-signal".to_owned()).spawn(wait)?;
        for number in &numbers {
            signal_hook::flag::register_conditional_default(*number, Arc::clone(&GIVEN_BACK))?;
        }
        let _ = handlers.send(Signals::new(numbers)?);
        Ok(Self(ours))
    }

    /// What the next signal means that means anything.
    pub(crate) async fn next(&mut self) -> io::Result<Meaning> {
        let mut byte = [0];
        loop {
            self.0.ready(Interest::READABLE).await?;
            match self.0.try_read(&mut byte) {
                Ok(0) => std::future::pending().await,
                Ok(_) => return Ok(decode(byte[0])),
                Err(problem) if problem.kind() == io::ErrorKind::WouldBlock => {}
                Err(problem) => return Err(problem),
            }
        }
    }
}

/// Whether signals have their default action. Handlers outlive an `install` that failed, and a process that
/// was forked from this one inherits them, but not the thread behind them.
static GIVEN_BACK: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Gives signals their default action back.
pub(crate) fn give_back() {
    GIVEN_BACK.store(true, Ordering::SeqCst);
}

const fn number(signal: Signal) -> i32 {
    match signal {
        Signal::Interrupt => SIGINT,
        Signal::Terminate => SIGTERM,
        Signal::HangUp => SIGHUP,
        Signal::Quit => SIGQUIT,
    }
}

/// The numbers of those of these that this process does not ignore.
pub(crate) fn not_ignored(wanted: &[Signal]) -> Vec<i32> {
    let ignored = mask("self", "SigIgn:");
    wanted.iter().map(|signal| number(*signal)).filter(|number| !is_in(ignored, *number)).collect()
}

/// Those of these that are blocked in the main thread and in this one: what started the process blocked them,
/// and so they may never arrive.
pub(crate) fn blocked(wanted: &[Signal]) -> Vec<Signal> {
    let blocked = mask("self", "SigBlk:") & mask("thread-self", "SigBlk:");
    wanted.iter().copied().filter(|signal| is_in(blocked, number(*signal))).collect()
}

/// A mask of signals of a thread; 0 where the system does not show it.
fn mask(thread: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(name));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

const fn is_in(mask: u64, number: i32) -> bool {
    mask & 1 << (number - 1) != 0
}

fn tell(ladder: &mut Ladder, number: i32, coordinator: &mut UnixStream) {
    let signal = match number {
        SIGINT => Signal::Interrupt,
        SIGHUP => Signal::HangUp,
        SIGQUIT => Signal::Quit,
        _ => Signal::Terminate,
    };
    let meaning = ladder.hear(signal, millis(), || gates().request());
    if let Meaning::Exit(code) = meaning {
        exit_now(code);
    }
    if meaning != Meaning::Same {
        // A full pipe means that hundreds wait to be read already.
        let _ = coordinator.write(&[encode(meaning)]);
    }
}

/// Two digits in one: what it means, and for which signal.
const fn encode(meaning: Meaning) -> u8 {
    match meaning {
        Meaning::Start(signal) => 3 + signal as u8,
        Meaning::Force(signal) => 6 + signal as u8,
        Meaning::LogOnly(signal) => 9 + signal as u8,
        Meaning::Dump => 12,
        Meaning::Exit(_) | Meaning::Same => 0,
    }
}

const fn decode(byte: u8) -> Meaning {
    let signal = match byte % 3 {
        0 => Signal::Interrupt,
        1 => Signal::Terminate,
        _ => Signal::HangUp,
    };
    match byte / 3 {
        1 => Meaning::Start(signal),
        2 => Meaning::Force(signal),
        3 => Meaning::LogOnly(signal),
        4 => Meaning::Dump,
        _ => Meaning::Same,
    }
}

/// Lets SIGHUP do nothing.
pub(crate) fn ignore_hang_up() -> io::Result<()> {
    // A handler takes the default action away.
    signal_hook::flag::register_conditional_default(SIGHUP, Arc::clone(&GIVEN_BACK)).map(drop)
}

/// Ends the process without running anything that could hang: no exit handler, no flush.
pub(crate) fn exit_now(code: u8) -> ! {
    signal_hook::low_level::exit(i32::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_keeps_what_it_means() {
        assert_eq!(decode(encode(Meaning::Dump)), Meaning::Dump);
        for signal in [Signal::Interrupt, Signal::Terminate, Signal::HangUp] {
            for meaning in [Meaning::Start(signal), Meaning::Force(signal), Meaning::LogOnly(signal)] {
                assert_eq!(decode(encode(meaning)), meaning);
            }
        }
    }
}
