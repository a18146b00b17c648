//! Waiting until no task is left, without a shutdown.

use crate::registry::local::{self, Current};
use crate::registry::registry;

/// Resolves when no live task is left that a shutdown would wait for (`Wait`, `Connection` and `Last`).
///
/// Use it in command-line programs, and in functions that must not return early.
/// It also waits for tasks that are spawned in the meantime.
/// With `HEADCOUNT=off` it resolves at once, because no task is counted.
///
/// A task that awaits `idle` waits neither for itself nor for other tasks that await it.
/// Awaited outside of any task, it waits for all of them.
/// During a shutdown, a task that awaits `idle` waits for the `Last` tasks, so they do not wait for it.
///
/// Await it in the task itself. Inside a [`track`](crate::track)ed future of a task, the future would wait
/// for its own task, which cannot end first.
///
/// # Cost
///
/// From the first call on, each spawn and each end also updates a shared counter.
///
/// # Cancel safety
///
/// Yes.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// headcount::spawn(async { tokio::task::yield_now().await });
/// headcount::idle().await;
/// assert_eq!(headcount::snapshot().live, 0);
/// # }
/// ```
pub async fn idle() {
    let registry = registry();
    registry.begin_counting();
    let inside = local::current().map(Inside::new);
    loop {
        let none_left = registry.none_left();
        tokio::pin!(none_left);
        // Enabled before the count is read, so that no end in between is missed.
        none_left.as_mut().enable();
        let is_done = if inside.is_some() { registry.only_idle_left() } else { registry.is_idle() };
        if is_done {
            return;
        }
        none_left.await;
    }
}

/// A task that awaits `idle`, and that other calls of `idle` therefore do not wait for.
#[derive(Debug)]
struct Inside(Current);

impl Inside {
    fn new(task: Current) -> Self {
        registry().enter_idle(task);
        Self(task)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        registry().leave_idle(self.0);
    }
}
