//! What tasks see of a shutdown: whether it was asked for, and the gates that open as it goes on.
//!
//! Only the coordinator opens the gates; with `HEADCOUNT=off`, `off.rs` of `headcount` does. Tasks wait
//! before them or look whether they are open. This module calls nothing above it: that a task looked is noted
//! here, and [`Gates::asking`] wakes whatever wants to know.

mod draining;
mod gate;
pub mod machine;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

pub use draining::{Draining, draining, shutdown_requested};
pub use draining::{Off, OffSignal};
pub use gate::Gate;

use crate::registry::{local, registry};

/// One for the process.
#[derive(Debug)]
pub struct Gates {
    /// A shutdown was asked for.
    requested: AtomicBool,
    /// Draining has begun.
    pub draining: Gate,
    /// It is the turn of the `Last` tasks.
    pub last_turn: Gate,
    /// Requests that are left are cut.
    pub cut: Gate,
    /// Whether anything outside tracked tasks ever asked whether the process stops.
    asked: AtomicBool,
    /// That this became true.
    asking: Notify,
    /// What follows signals where `HEADCOUNT=off`; set by `install`.
    pub off: OnceLock<Off>,
    /// Where headcount was installed.
    home: OnceLock<Home>,
}

/// The process that headcount was installed in, and what is to be done in one that was forked from it.
#[derive(Clone, Copy, Debug)]
struct Home {
    pid: u32,
    when_forked: fn(),
}

static GATES: Gates = Gates {
    requested: AtomicBool::new(false),
    draining: Gate::new(),
    last_turn: Gate::new(),
    cut: Gate::new(),
    asked: AtomicBool::new(false),
    asking: Notify::const_new(),
    off: OnceLock::new(),
    home: OnceLock::new(),
};

pub fn gates() -> &'static Gates {
    &GATES
}

impl Gates {
    /// Asks for a shutdown; false if one was asked for before.
    pub fn request(&self) -> bool {
        !self.requested.swap(true, Ordering::AcqRel)
    }

    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Headcount is installed in this process.
    pub fn settle_here(&self, when_forked: fn()) {
        let _ = self.home.set(Home { pid: std::process::id(), when_forked });
        // A forked process has a runtime of its own before it can spawn anything.
        registry().runtimes.when_met(|| {
            gates().forked_from();
        });
    }

    /// The process that headcount was installed in, if this one was forked from it since. None of its threads
    /// are here.
    pub fn forked_from(&self) -> Option<u32> {
        let home = self.home.get().filter(|home| home.pid != std::process::id())?;
        (home.when_forked)();
        Some(home.pid)
    }

    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Resolves when something outside tracked tasks asks for the first time.
    pub async fn asking(&self) {
        self.asking.notified().await;
    }

    /// Something asks whether the process stops. Only what is no tracked task has a say in when it ends.
    pub fn note_asking(&self) {
        match local::current() {
            Some(task) => task.slot.mark_listening(),
            None if !self.asked.swap(true, Ordering::AcqRel) => self.asking.notify_one(),
            None => {}
        }
    }
}
