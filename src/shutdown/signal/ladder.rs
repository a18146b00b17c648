//! Which signal does what, decided where nothing can be in the way.
//!
//! What a signal means depends on what came before:
//!
//! ```text
//!  nothing ──any signal──▶ started ──second──▶ forced ──third──▶ exit, with 128 + the signal that forced
//!     └── shutdown(), API, limit, drain() ──▲   ╰─ if no signal started it, the first SIGTERM is only logged
//! ```
//!
//! Signals within 200 ms of one that counted are the same one: a shell signals the whole process group, and
//! wrappers pass it on. SIGHUP only begins a shutdown and never forces one: a terminal or a service manager
//! sends it behind another signal.

use std::fmt;

use crate::shutdown::machine::Forcer;

/// Signals this close together are one.
const SAME_SIGNAL_MILLIS: u64 = 200;

/// What ends a process politely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT; on Windows Ctrl-C and Ctrl-Break.
    Interrupt,
    /// SIGTERM; on Windows close, log-off and shutdown.
    Terminate,
    /// SIGHUP, where the setting `sighup` says `drain`.
    HangUp,
    /// SIGQUIT, where the setting `sigquit` says `stacks`. It begins nothing.
    Quit,
}

impl Signal {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::HangUp => "SIGHUP",
            Self::Quit => "SIGQUIT",
        }
    }

    /// What it is to a shutdown that it forces.
    pub(crate) const fn forcer(self) -> Forcer {
        match self {
            Self::Interrupt => Forcer::Interrupt,
            Self::Terminate | Self::HangUp | Self::Quit => Forcer::Terminate,
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
    /// Where each task waits is written to the log.
    Dump,
    /// It is one that came already.
    Same,
}

/// How far signals have got. The signal thread's own: that a shutdown was asked for is kept once, in the
/// gates.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ladder {
    /// The shutdown was begun by a signal.
    by_signal: bool,
    logged: bool,
    forced: Option<Signal>,
    /// When the last signal came that was not the same as one before.
    last: Option<u64>,
}

impl Ladder {
    /// What this signal means. `begins` asks for the shutdown, and says whether nothing had before.
    pub(crate) fn hear(&mut self, signal: Signal, millis: u64, begins: impl FnOnce() -> bool) -> Meaning {
        if signal == Signal::Quit {
            return Meaning::Dump;
        }
        if self.last.is_some_and(|last| millis.saturating_sub(last) < SAME_SIGNAL_MILLIS) {
            return Meaning::Same;
        }
        let begins = begins();
        if signal == Signal::HangUp && !begins {
            return Meaning::LogOnly(signal);
        }
        self.last = Some(millis);
        if begins {
            self.by_signal = true;
            return Meaning::Start(signal);
        }
        match self.forced {
            Some(first) => Meaning::Exit(first.forcer().exit_code()),
            None if signal == Signal::Terminate && !self.by_signal && !self.logged => {
                self.logged = true;
                Meaning::LogOnly(signal)
            }
            None => {
                self.forced = Some(signal);
                Meaning::Force(signal)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Signal::{Interrupt, Terminate};
    use super::*;

    /// Whether a shutdown was asked for, as the gates keep it, beside the ladder.
    #[derive(Default)]
    struct Heard {
        ladder: Ladder,
        requested: bool,
    }

    impl Heard {
        fn request(&mut self) -> bool {
            !std::mem::replace(&mut self.requested, true)
        }

        #[track_caller]
        fn hear(&mut self, table: &[(u64, Signal, Meaning)]) {
            for (row, (millis, signal, meaning)) in table.iter().enumerate() {
                let requested = &mut self.requested;
                let heard = self.ladder.hear(*signal, *millis, || !std::mem::replace(requested, true));
                assert_eq!(heard, *meaning, "row {row}");
            }
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
            Heard::default().hear(&[
                (0, first, Meaning::Start(first)),
                (200, second, Meaning::Force(second)),
                (400, third, Meaning::Exit(second.forcer().exit_code())),
            ]);
        }
    }

    #[test]
    fn doubled_signals_are_one_and_do_not_extend_the_window() {
        Heard::default().hear(&[
            (1_000, Interrupt, Meaning::Start(Interrupt)),
            (1_001, Interrupt, Meaning::Same),
            (1_150, Terminate, Meaning::Same),
            (1_200, Interrupt, Meaning::Force(Interrupt)),
            (1_399, Interrupt, Meaning::Same),
            (1_400, Interrupt, Meaning::Exit(130)),
        ]);
    }

    #[test]
    fn after_another_start_the_first_sigterm_is_only_logged() {
        let mut heard = Heard::default();
        assert!(heard.request());
        heard.hear(&[
            (0, Terminate, Meaning::LogOnly(Terminate)),
            (50, Terminate, Meaning::Same),
            (300, Terminate, Meaning::Force(Terminate)),
            (600, Interrupt, Meaning::Exit(143)),
        ]);
    }

    #[test]
    fn after_another_start_the_first_sigint_forces() {
        let mut heard = Heard::default();
        heard.request();
        heard.hear(&[(0, Interrupt, Meaning::Force(Interrupt)), (300, Terminate, Meaning::Exit(130))]);
    }

    #[test]
    fn a_start_after_a_signal_is_no_start() {
        let mut heard = Heard::default();
        heard.hear(&[(0, Terminate, Meaning::Start(Terminate))]);
        assert!(!heard.request());
        heard.hear(&[(500, Terminate, Meaning::Force(Terminate))]);
    }

    #[test]
    fn a_quit_is_no_step() {
        let quit = Signal::Quit;
        Heard::default().hear(&[
            (0, quit, Meaning::Dump),
            (1, Interrupt, Meaning::Start(Interrupt)),
            (2, quit, Meaning::Dump),
            (300, Interrupt, Meaning::Force(Interrupt)),
        ]);
    }

    #[test]
    fn a_hang_up_begins_and_never_forces() {
        use Signal::HangUp;
        let mut heard = Heard::default();
        heard.hear(&[
            (0, HangUp, Meaning::Start(HangUp)),
            (500, HangUp, Meaning::LogOnly(HangUp)),
            (501, Terminate, Meaning::Force(Terminate)),
            (900, HangUp, Meaning::LogOnly(HangUp)),
            (1_000, Interrupt, Meaning::Exit(143)),
        ]);
    }
}
