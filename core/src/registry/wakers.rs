//! The wakers of tasks, where the setting `stacks` has them stored: only a waker stored beforehand can wake a
//! task that nothing else wakes.
//!
//! A cell for each slot of the slab, by the slot's number. The cells of a chunk of slots are made when the
//! first of them is used, so a process that stores no wakers has none.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use crate::registry::TaskSlot;
use crate::registry::kind::Kind;
use crate::registry::slot::STORED;
use crate::sync::ShortMutex;

type Cell = ShortMutex<Option<Waker>>;

/// Cells made at a time: 24 kB.
const CHUNK: usize = 1024;
/// Eight million tasks. Those above have no waker stored.
const CHUNKS: usize = 8192;

static CELLS: [OnceLock<Box<[Cell]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];

static STORING: AtomicBool = AtomicBool::new(false);

/// Whether tasks that wait have their wakers stored.
#[inline]
pub fn are_stored() -> bool {
    STORING.load(Ordering::Relaxed)
}

/// Only what a runtime polls as a task of its own: elsewhere a stored waker could keep a future that was
/// dropped.
pub const fn is_stored_for(kind: Kind) -> bool {
    !matches!(kind, Kind::Blocking | Kind::Future | Kind::Request)
}

/// From now on they do. Tasks that live already are asked by the caller.
pub fn begin_storing() {
    STORING.store(true, Ordering::Relaxed);
}

fn cell(number: u32) -> Option<&'static Cell> {
    let number = usize::try_from(number).ok()?;
    let chunk = CELLS.get(number / CHUNK)?;
    let cells = chunk.get_or_init(|| std::iter::repeat_with(|| Cell::new(None)).take(CHUNK).collect());
    cells.get(number % CHUNK)
}

/// Stores the waker of a slot's task. Only by the task's poller.
pub fn store(slot: TaskSlot, waker: &Waker) {
    if let Some(cell) = cell(slot.number()) {
        let waker = waker.clone();
        let former = cell.lock().replace(waker);
        slot.mark_stored(true);
        drop(former);
    }
}

/// The waker that is stored for a slot. The caller holds the slot's lock, so it is that of its task.
pub fn get(number: u32) -> Option<Waker> {
    cell(number)?.lock().clone()
}

/// Drops the stored waker of a task that ends, which keeps the task's memory.
pub fn forget(slot: TaskSlot) {
    if slot.lineage() & STORED == 0 {
        return;
    }
    slot.mark_stored(false);
    // Outside the lock: the last reference to a task frees it.
    let waker = cell(slot.number()).and_then(|cell| cell.lock().take());
    drop(waker);
}

#[cfg(all(test, feature = "stacks", not(headcount_loom)))]
mod tests {
    use super::*;

    /// docs/STACKS.md promises it: nothing else of a task grows when its waker is stored.
    #[test]
    fn a_stored_waker_takes_24_bytes() {
        assert_eq!(size_of::<Cell>(), 24);
        assert_eq!(size_of::<crate::registry::slot::Slot<tokio::task::AbortHandle>>(), 64);
    }
}
