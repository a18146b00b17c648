//! Who waits for the last task: exact counts, from the moment somebody asks for them.
//!
//! In peace nobody counts live tasks, since a shared counter is what every spawn would fight for. Once counting is switched on:
//!
//! 1. The counter goes through all slots and, under each slot's lock, counts the task and marks it `COUNTED`.
//! 2. Whoever spawns a task locks its slot after the task was handed to the runtime, and does the same if counting is on.
//! 3. Whoever ends a task locks its slot to free it, and takes it off the count if it was marked.
//!
//! The slot's lock orders 1 and 2: either the counter saw the task, or its spawner sees that counting is on. So each task is
//! counted once, and the end of the last is seen by the thread that ends it, which wakes who waits. A task whose spawner
//! has not come to 2 is not counted yet; its parent, if it has one, still is.
//!
//! Only `Wait` and `Last` tasks are counted.

use crate::snapshot::OnShutdown;
use crate::sync::{AtomicBool, AtomicI64, Ordering};

/// Live tasks that a shutdown waits for.
#[derive(Debug)]
pub(crate) struct Census {
    counting: AtomicBool,
    wait: AtomicI64,
    last: AtomicI64,
}

impl Census {
    pub(crate) fn new() -> Self {
        Self { counting: AtomicBool::new(false), wait: AtomicI64::new(0), last: AtomicI64::new(0) }
    }

    /// Whether counting is on. It is never switched off again.
    #[inline]
    pub(crate) fn is_counting(&self) -> bool {
        self.counting.load(Ordering::Relaxed)
    }

    /// Switches counting on. Until the caller has gone through the slots, the counts are of those found so far.
    pub(crate) fn begin(&self) {
        // Relaxed: the slots' locks carry it to the spawners.
        self.counting.store(true, Ordering::Relaxed);
    }

    fn count_of(&self, policy: OnShutdown) -> Option<&AtomicI64> {
        match policy {
            OnShutdown::Wait => Some(&self.wait),
            OnShutdown::Last => Some(&self.last),
            OnShutdown::Cancel | OnShutdown::Detach => None,
        }
    }

    /// Adds a task. The caller holds its slot's lock.
    pub(crate) fn add(&self, policy: OnShutdown) {
        if let Some(count) = self.count_of(policy) {
            count.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Takes a task off; true if it was the last of its policy.
    pub(crate) fn remove(&self, policy: OnShutdown) -> bool {
        // AcqRel: who sees 0 sees all that the ended tasks did.
        self.count_of(policy).is_some_and(|count| count.fetch_sub(1, Ordering::AcqRel) == 1)
    }

    /// How many of a policy live.
    pub(crate) fn count(&self, policy: OnShutdown) -> usize {
        let count = self.count_of(policy).map_or(0, |count| count.load(Ordering::Acquire));
        usize::try_from(count).unwrap_or(0)
    }
}
