//! Waiting until no task is left, without a shutdown.

use crate::registry::local::{self, Current};
use crate::registry::registry;
use crate::snapshot::OnShutdown;

/// Resolves when no live task is left that a shutdown would wait for (`Wait` and `Last`): for command-line programs, and functions that must
/// not return early.
///
/// Tasks spawned meanwhile are waited for too. A task that awaits this does not wait for itself. From the first call on, each spawn and
/// each end also counts on a shared counter.
///
/// # Cancel safety
///
/// Yes.
///
/// # Examples
///
/// ```
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
    let _exempt = local::current().and_then(Exempt::new);
    loop {
        let none_left = registry.none_left();
        tokio::pin!(none_left);
        // Enabled before the count is read: an end in between is not missed.
        none_left.as_mut().enable();
        if registry.counted(OnShutdown::Wait) + registry.counted(OnShutdown::Last) == 0 {
            return;
        }
        none_left.await;
    }
}

/// A task taken off the count while it waits for the count to reach 0.
#[derive(Debug)]
struct Exempt {
    task: Current,
    policy: OnShutdown,
}

impl Exempt {
    fn new(task: Current) -> Option<Self> {
        let policy = task.slot.lock(task.id)?.policy();
        registry().set_policy(task, OnShutdown::Detach);
        Some(Self { task, policy })
    }
}

impl Drop for Exempt {
    fn drop(&mut self) {
        registry().set_policy(self.task, self.policy);
    }
}
