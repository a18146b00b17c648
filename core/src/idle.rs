//! Waiting until no task is left, without a shutdown.

use crate::registry::local::{self, Current};
use crate::registry::registry;

/// Resolves when no live task is left that a shutdown would wait for (`Wait` and `Last`): for command-line programs, and functions that must
/// not return early.
///
/// Tasks spawned meanwhile are waited for too. A task that awaits this waits neither for itself nor for others that do; who awaits it outside
/// of any task waits for all.
///
/// While the process stops, tasks of `Last` are left alone until no other task lives, or none but such that await this: those wait for the
/// `Last` ones and not the other way round. From the first call on, each spawn and each end also counts on a shared counter.
///
/// Await it in the task itself: inside a [`track`](crate::track)ed future of a task it is that future that waits, for its task as well, which does not end before.
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
        // Enabled before the count is read: an end in between is not missed.
        none_left.as_mut().enable();
        let is_done = if inside.is_some() { registry.only_idle_left() } else { registry.is_idle() };
        if is_done {
            return;
        }
        none_left.await;
    }
}

/// A task that waits here, and so is not waited for here.
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
