//! Exact counts of live tasks, for waiting until the last one ends. They are kept once a caller needs them.
//!
//! Live tasks are normally not counted, because every spawn would contend for a shared counter. Once
//! counting is switched on:
//!
//! 1. The counter goes through all slots and, under each slot's lock, counts the task and marks it `COUNTED`.
//! 2. The thread that spawns a task locks its slot after the runtime has received the task, and does the same
//!    if counting is on.
//! 3. The thread that ends a task locks its slot to free it, and takes it off the count if it was marked.
//!
//! The slot's lock orders 1 and 2: either the counter saw the task, or its spawner sees that counting is on.
//! So each task is counted once. The thread that ends the last task sees that it was the last, and wakes the
//! waiters. A task whose spawner has not reached 2 is not counted yet; its parent, if it has one, still is.
//!
//! Only `Wait`, `Connection` and `Last` tasks are counted.

use crate::registry::kind::OnShutdown;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// In [`Census::live`]: one task of `Wait`, below one of `Last`.
const WAIT: u64 = 1;
const LAST: u64 = 1 << 32;

/// Live tasks that a shutdown waits for.
#[derive(Debug)]
pub struct Census {
    counting: AtomicBool,
    /// Both counts in one, so that a task which takes the place of another is never missed between two
    /// readings.
    live: AtomicU64,
    /// Waits for the end of all others from inside a task, which itself may be counted.
    inside: AtomicU64,
}

impl Census {
    pub fn new() -> Self {
        Self { counting: AtomicBool::new(false), live: AtomicU64::new(0), inside: AtomicU64::new(0) }
    }

    /// Whether counting is on. It is never switched off again.
    #[inline]
    pub fn is_counting(&self) -> bool {
        self.counting.load(Ordering::Relaxed)
    }

    /// Switches counting on. Until the caller has gone through the slots, the counts are of those found so
    /// far.
    pub fn begin(&self) {
        // Relaxed: the slots' locks carry it to the spawners.
        self.counting.store(true, Ordering::Relaxed);
    }

    /// Adds a task. The caller holds its slot's lock.
    pub fn add(&self, policy: OnShutdown) {
        if let Some(unit) = unit_of(policy) {
            self.live.fetch_add(unit, Ordering::AcqRel);
        }
    }

    /// Takes a task off. Returns true if a waiter may have waited for that: no more tasks of its policy are
    /// left than wait themselves.
    pub fn remove(&self, policy: OnShutdown) -> bool {
        let Some(unit) = unit_of(policy) else { return false };
        // AcqRel: a thread that sees 0 sees all that the ended tasks did.
        let left = self.live.fetch_sub(unit, Ordering::AcqRel) - unit;
        // A waiter inside a task raises `inside` before `total` or `left` is read on its behalf.
        // Either those reads saw this end, or this end sees the raised number.
        count_in(left, policy) <= self.inside.load(Ordering::Acquire)
    }

    /// How many of a policy live.
    pub fn count(&self, policy: OnShutdown) -> usize {
        usize::try_from(count_in(self.live.load(Ordering::Acquire), policy)).unwrap_or(usize::MAX)
    }

    /// How many of both policies live; not older than any end that did not see an [`enter`](Self::enter) that
    /// the caller knows of.
    pub fn total(&self) -> usize {
        usize::try_from(sum_of(self.latest())).unwrap_or(usize::MAX)
    }

    /// How many of one policy live; as new as [`total`](Self::total).
    pub fn left(&self, policy: OnShutdown) -> usize {
        usize::try_from(count_in(self.latest(), policy)).unwrap_or(usize::MAX)
    }

    /// Written, so that all ends are either before or after it, and those after it see what was before it.
    fn latest(&self) -> u64 {
        self.live.fetch_add(0, Ordering::AcqRel)
    }

    /// Counts a waiter inside a task until [`leave`](Self::leave).
    pub fn enter(&self) {
        self.inside.fetch_add(1, Ordering::AcqRel);
    }

    pub fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether tasks of a policy are counted.
pub const fn is_counted(policy: OnShutdown) -> bool {
    unit_of(policy).is_some()
}

const fn unit_of(policy: OnShutdown) -> Option<u64> {
    match policy {
        OnShutdown::Wait | OnShutdown::Connection => Some(WAIT),
        OnShutdown::Last => Some(LAST),
        OnShutdown::Cancel | OnShutdown::Detach => None,
    }
}

const fn count_in(live: u64, policy: OnShutdown) -> u64 {
    match policy {
        OnShutdown::Wait | OnShutdown::Connection => live % LAST,
        OnShutdown::Last => live / LAST,
        OnShutdown::Cancel | OnShutdown::Detach => 0,
    }
}

const fn sum_of(live: u64) -> u64 {
    live % LAST + live / LAST
}
