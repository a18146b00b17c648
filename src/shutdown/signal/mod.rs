//! Signals: a thread of its own waits for them and does nothing else.
//!
//! It takes no lock and writes no log, so it still ends the process while every other thread hangs. The
//! [`ladder`] decides what a signal means; the thread notifies the coordinator, or exits the process.

mod ladder;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::sync::LazyLock;
use std::time::Instant;

pub(crate) use ladder::{Meaning, Signal};
#[cfg(unix)]
pub(crate) use unix::{Listener, blocked, exit_now, give_back, ignore_hang_up, not_ignored};
#[cfg(windows)]
pub(crate) use windows::{Listener, blocked, exit_now, give_back, ignore_hang_up};

use ladder::Ladder;

/// Milliseconds since the first call.
fn millis() -> u64 {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(ORIGIN.elapsed().as_millis()).unwrap_or(0)
}
