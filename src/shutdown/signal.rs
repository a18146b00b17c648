//! Which signal does what, decided where nothing can be in the way.
//!
//! A thread of its own waits for signals and does nothing else: it takes no lock and writes no log, so it still ends the
//! process while every other thread hangs. What a signal means depends on what came before, which is kept in one atomic, the
//! [`Ladder`]:
//!
//! ```text
//!  nothing ──any signal──▶ started ──second──▶ forced ──third──▶ the process exits, 128 + the signal that forced
//!     └──shutdown(), API, request limit, drain()──▲   ╰─ the first SIGTERM is only logged if no signal started it
//! ```
//!
//! Signals within 200 ms of one that counted are the same one: a shell signals the whole process group, and wrappers pass it on.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Signals this close together are one.
const SAME_SIGNAL_MILLIS: u64 = 200;

/// What ends a process politely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT; on Windows Ctrl-C and Ctrl-Break.
    Interrupt,
    /// SIGTERM; on Windows close, log-off and shutdown.
    Terminate,
}

impl Signal {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The exit code of a process that it forced.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It begins the shutdown.
    Start(Signal),
    /// It is written to the log and changes nothing.
    LogOnly(Signal),
    /// It forces.
    Force(Signal),
    /// The process exits at once, with this code.
    Exit(u8),
    /// It is one that came already.
    Same,
}

/// What came before: packed into one word, so that neither side ever waits for the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rungs {
    started: bool,
    by_signal: bool,
    logged: bool,
    forced: Option<Signal>,
    /// Milliseconds plus 1 of the last signal that was not the same as one before; 0 if none came.
    last: u64,
}

impl Rungs {
    fn unpack(word: u64) -> Self {
        let forced = match (word >> 3) & 0b11 {
            0 => None,
            1 => Some(Signal::Interrupt),
            _ => Some(Signal::Terminate),
        };
        Self {
            started: word & 1 != 0,
            by_signal: word & 2 != 0,
            logged: word & 4 != 0,
            forced,
            last: word >> 5,
        }
    }

    fn pack(self) -> u64 {
        let forced = match self.forced {
            None => 0,
            Some(Signal::Interrupt) => 1,
            Some(Signal::Terminate) => 2,
        };
        u64::from(self.started)
            | u64::from(self.by_signal) << 1
            | u64::from(self.logged) << 2
            | forced << 3
            | self.last << 5
    }

    fn hear(self, signal: Signal, millis: u64) -> (Self, Meaning) {
        let at = millis + 1;
        if self.last != 0 && at.saturating_sub(self.last) < SAME_SIGNAL_MILLIS {
            return (self, Meaning::Same);
        }
        let heard = Self { last: at, ..self };
        match self {
            Self { forced: Some(first), .. } => (heard, Meaning::Exit(first.exit_code())),
            Self { started: false, .. } => {
                (Self { started: true, by_signal: true, ..heard }, Meaning::Start(signal))
            }
            Self { by_signal: false, logged: false, .. } if signal == Signal::Terminate => {
                (Self { logged: true, ..heard }, Meaning::LogOnly(signal))
            }
            _ => (Self { forced: Some(signal), ..heard }, Meaning::Force(signal)),
        }
    }
}

/// How far signals have got.
#[derive(Debug, Default)]
pub(crate) struct Ladder(AtomicU64);

impl Ladder {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Something other than a signal starts the shutdown; false if something has already.
    pub(crate) fn start(&self) -> bool {
        self.0.fetch_or(1, Ordering::AcqRel) & 1 == 0
    }

    /// Whether a shutdown was started.
    pub(crate) fn is_started(&self) -> bool {
        self.0.load(Ordering::Acquire) & 1 != 0
    }

    /// What this signal means.
    pub(crate) fn hear(&self, signal: Signal, millis: u64) -> Meaning {
        let mut meaning = Meaning::Same;
        // The closure always gives a word, so the update cannot fail; the last meaning is the one that was stored.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            let (rungs, heard) = Rungs::unpack(word).hear(signal, millis);
            meaning = heard;
            Some(rungs.pack())
        });
        meaning
    }
}

/// Milliseconds since the first call.
fn millis() -> u64 {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(ORIGIN.elapsed().as_millis()).unwrap_or(0)
}

pub(crate) use platform::{Listener, exit_now};

#[cfg(unix)]
mod platform {
    use std::io::{self, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use tokio::io::Interest;

    use super::{Ladder, Meaning, Signal, millis};

    /// What the signal thread tells, one byte a signal: a pipe, since a queue would have a lock.
    #[derive(Debug)]
    pub(crate) struct Listener(tokio::net::UnixStream);

    impl Listener {
        /// Starts to listen. Must run inside the runtime that will call [`next`](Self::next).
        pub(crate) fn start(ladder: &'static Ladder) -> io::Result<Self> {
            let mut signals = Signals::new([SIGINT, SIGTERM])?;
            let (ours, mut theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            theirs.set_nonblocking(true)?;
            millis();
            let wait = move || {
                for number in signals.forever() {
                    tell(ladder, number, &mut theirs);
                }
            };
            thread::Builder::new().name("headcount-signal".to_owned()).spawn(wait)?;
            tokio::net::UnixStream::from_std(ours).map(Self)
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

    fn tell(ladder: &Ladder, number: i32, coordinator: &mut UnixStream) {
        let signal = if number == SIGINT { Signal::Interrupt } else { Signal::Terminate };
        let meaning = ladder.hear(signal, millis());
        if let Meaning::Exit(code) = meaning {
            exit_now(code);
        }
        if meaning != Meaning::Same {
            // A full pipe means that hundreds wait to be read already.
            let _ = coordinator.write(&[encode(meaning)]);
        }
    }

    const fn encode(meaning: Meaning) -> u8 {
        match meaning {
            Meaning::Start(Signal::Interrupt) => b's',
            Meaning::Start(Signal::Terminate) => b'S',
            Meaning::Force(Signal::Interrupt) => b'f',
            Meaning::Force(Signal::Terminate) => b'F',
            Meaning::LogOnly(Signal::Interrupt) => b'l',
            Meaning::LogOnly(Signal::Terminate) => b'L',
            Meaning::Exit(_) | Meaning::Same => b'-',
        }
    }

    const fn decode(byte: u8) -> Meaning {
        match byte {
            b's' => Meaning::Start(Signal::Interrupt),
            b'S' => Meaning::Start(Signal::Terminate),
            b'f' => Meaning::Force(Signal::Interrupt),
            b'F' => Meaning::Force(Signal::Terminate),
            b'l' => Meaning::LogOnly(Signal::Interrupt),
            b'L' => Meaning::LogOnly(Signal::Terminate),
            _ => Meaning::Same,
        }
    }

    /// Ends the process without running anything that could hang: no exit handler, no flush.
    pub(crate) fn exit_now(code: u8) -> ! {
        signal_hook::low_level::exit(i32::from(code))
    }
}

#[cfg(windows)]
mod platform {
    use std::io;
    use std::thread;

    use tokio::signal::windows;
    use tokio::sync::mpsc;

    use super::{Ladder, Meaning, Signal, millis};

    /// What the signal thread tells.
    #[derive(Debug)]
    pub(crate) struct Listener(mpsc::UnboundedReceiver<Meaning>);

    impl Listener {
        /// Starts to listen.
        pub(crate) fn start(ladder: &'static Ladder) -> io::Result<Self> {
            let (sender, receiver) = mpsc::unbounded_channel();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let mut events = runtime.block_on(async { Events::listen() })?;
            millis();
            let wait = move || {
                runtime.block_on(async {
                    loop {
                        let signal = events.next().await;
                        tell(ladder, signal, &sender);
                    }
                });
            };
            thread::Builder::new().name("headcount-signal".to_owned()).spawn(wait)?;
            Ok(Self(receiver))
        }

        /// What the next event means that means anything.
        pub(crate) async fn next(&mut self) -> io::Result<Meaning> {
            match self.0.recv().await {
                Some(meaning) => Ok(meaning),
                None => std::future::pending().await,
            }
        }
    }

    fn tell(ladder: &Ladder, signal: Signal, coordinator: &mpsc::UnboundedSender<Meaning>) {
        match ladder.hear(signal, millis()) {
            Meaning::Exit(code) => exit_now(code),
            Meaning::Same => {}
            // The coordinator's end means the process's end.
            meaning => drop(coordinator.send(meaning)),
        }
    }

    struct Events {
        ctrl_c: windows::CtrlC,
        ctrl_break: windows::CtrlBreak,
        close: windows::CtrlClose,
        log_off: windows::CtrlLogoff,
        shutdown: windows::CtrlShutdown,
    }

    impl Events {
        fn listen() -> io::Result<Self> {
            Ok(Self {
                ctrl_c: windows::ctrl_c()?,
                ctrl_break: windows::ctrl_break()?,
                close: windows::ctrl_close()?,
                log_off: windows::ctrl_logoff()?,
                shutdown: windows::ctrl_shutdown()?,
            })
        }

        async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.ctrl_c.recv() => Signal::Interrupt,
                _ = self.ctrl_break.recv() => Signal::Interrupt,
                _ = self.close.recv() => Signal::Terminate,
                _ = self.log_off.recv() => Signal::Terminate,
                _ = self.shutdown.recv() => Signal::Terminate,
            }
        }
    }

    /// Ends the process.
    pub(crate) fn exit_now(code: u8) -> ! {
        std::process::exit(i32::from(code))
    }
}

#[cfg(test)]
mod tests {
    use super::Signal::{Interrupt, Terminate};
    use super::*;

    #[track_caller]
    fn hear(ladder: &Ladder, table: &[(u64, Signal, Meaning)]) {
        for (row, (millis, signal, meaning)) in table.iter().enumerate() {
            assert_eq!(ladder.hear(*signal, *millis), *meaning, "row {row}");
        }
    }

    #[test]
    fn each_signal_is_a_step_up_whatever_its_kind() {
        for (first, second, third) in [
            (Interrupt, Interrupt, Interrupt),
            (Terminate, Terminate, Terminate),
            (Terminate, Interrupt, Terminate),
            (Interrupt, Terminate, Interrupt),
        ] {
            hear(
                &Ladder::new(),
                &[
                    (0, first, Meaning::Start(first)),
                    (200, second, Meaning::Force(second)),
                    (400, third, Meaning::Exit(second.exit_code())),
                ],
            );
        }
    }

    #[test]
    fn doubled_signals_are_one_and_do_not_extend_the_window() {
        hear(
            &Ladder::new(),
            &[
                (1_000, Interrupt, Meaning::Start(Interrupt)),
                (1_001, Interrupt, Meaning::Same),
                (1_150, Terminate, Meaning::Same),
                (1_200, Interrupt, Meaning::Force(Interrupt)),
                (1_399, Interrupt, Meaning::Same),
                (1_400, Interrupt, Meaning::Exit(130)),
            ],
        );
    }

    #[test]
    fn after_another_start_the_first_sigterm_is_only_logged() {
        let ladder = Ladder::new();
        assert!(ladder.start());
        assert!(!ladder.start());
        hear(
            &ladder,
            &[
                (0, Terminate, Meaning::LogOnly(Terminate)),
                (50, Terminate, Meaning::Same),
                (300, Terminate, Meaning::Force(Terminate)),
                (600, Interrupt, Meaning::Exit(143)),
            ],
        );
    }

    #[test]
    fn after_another_start_the_first_sigint_forces() {
        let ladder = Ladder::new();
        ladder.start();
        hear(&ladder, &[(0, Interrupt, Meaning::Force(Interrupt)), (300, Terminate, Meaning::Exit(130))]);
    }

    #[test]
    fn a_start_after_a_signal_is_no_start() {
        let ladder = Ladder::new();
        hear(&ladder, &[(0, Terminate, Meaning::Start(Terminate))]);
        assert!(!ladder.start());
        hear(&ladder, &[(500, Terminate, Meaning::Force(Terminate))]);
    }

    #[test]
    fn a_word_keeps_all_it_is_given() {
        for forced in [None, Some(Interrupt), Some(Terminate)] {
            let rungs = Rungs { started: true, by_signal: false, logged: true, forced, last: 1 << 50 };
            assert_eq!(Rungs::unpack(rungs.pack()), rungs);
        }
    }
}
