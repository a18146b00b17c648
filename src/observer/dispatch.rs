//! Which `tracing` subscriber headcount's own threads log through.

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};

/// The dispatcher that was current where it was taken, for another thread.
#[derive(Clone, Debug)]
pub(crate) struct Heard(Dispatch);

impl Heard {
    /// The dispatcher of this thread.
    pub(crate) fn now() -> Self {
        Self(dispatcher::get_default(Clone::clone))
    }

    /// Runs code of a new thread with it.
    ///
    /// A scope is opened only for a dispatcher that differs from the global one. A scope anywhere in the
    /// process ends `tracing`'s records to `log`, slows each event, and hides a global subscriber that is set
    /// later.
    pub(crate) fn run<T>(&self, run: impl FnOnce() -> T) -> T {
        if self.is_global() { run() } else { dispatcher::with_default(&self.0, run) }
    }

    /// Whether this thread, which has no dispatcher of its own, uses the same one, or none was set.
    fn is_global(&self) -> bool {
        // `Dispatch` cannot be compared. Its debug text holds the address of a global subscriber.
        let here = dispatcher::get_default(|here| format!("{here:?}"));
        self.0.is::<NoSubscriber>() || format!("{:?}", self.0) == here
    }
}
