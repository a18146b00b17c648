//! What a thread has for itself: free slots, ids, stripes, its history and the groups it knows.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::registry::group::Group;
use crate::registry::history::HistoryWriter;
use crate::registry::known::Known;
use crate::registry::slab::FreeSlots;
use crate::registry::stripe::Stripe;
use crate::registry::{Handle, Registry, TaskSlot, registry};

/// The most ids that a thread takes at once.
const MAX_RANGE: u64 = 64;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The task that this thread polls. Not part of `Local`, so that it works to the very end of the thread.
    static CURRENT: Cell<Option<TaskSlot>> = const { Cell::new(None) };
    static LOCAL: RefCell<Local> = const { RefCell::new(Local::new()) };
}

/// A slot and the id of the task that it is about.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    pub slot: TaskSlot,
    pub id: u64,
}

#[inline]
pub fn current() -> Option<Current> {
    CURRENT.get().map(|slot| Current { slot, id: slot.id() })
}

/// Makes a task the current one; gives back which was before.
#[inline]
pub fn replace_current(slot: Option<TaskSlot>) -> Option<TaskSlot> {
    CURRENT.replace(slot)
}

#[derive(Debug)]
pub struct Local {
    pub free: FreeSlots<Handle>,
    pub known: Known,
    ids: std::ops::Range<u64>,
    range: u64,
    stripes: Vec<Option<&'static Stripe>>,
    history: Option<HistoryWriter>,
}

impl Local {
    const fn new() -> Self {
        Self {
            free: FreeSlots::new(),
            known: Known::new(),
            ids: 0..0,
            range: 0,
            stripes: Vec::new(),
            history: None,
        }
    }

    #[inline]
    pub fn next_id(&mut self) -> u64 {
        if let Some(id) = self.ids.next() {
            return id;
        }
        // Ranges grow with use, so that a small program's ids have no gaps to wonder at.
        self.range = (2 * self.range).clamp(1, MAX_RANGE);
        let first = NEXT_ID.fetch_add(self.range, Ordering::Relaxed);
        self.ids = first + 1..first + self.range;
        first
    }

    #[inline]
    pub fn stripe(&mut self, group: &Group) -> &'static Stripe {
        match self.stripes.get(group.id as usize) {
            Some(Some(stripe)) => stripe,
            _ => self.borrow_stripe(group),
        }
    }

    /// The stripe for a group of which only the id is at hand.
    #[inline]
    pub fn stripe_of(&mut self, group: u32, registry: &Registry) -> &'static Stripe {
        match self.stripes.get(group as usize) {
            Some(Some(stripe)) => stripe,
            _ => self.borrow_stripe(registry.group(group)),
        }
    }

    #[cold]
    fn borrow_stripe(&mut self, group: &Group) -> &'static Stripe {
        let place = group.id as usize;
        if self.stripes.len() <= place {
            self.stripes.resize(place + 1, None);
        }
        self.stripes[place].insert(group.lend_stripe())
    }

    #[inline]
    pub fn history(&mut self, registry: &Registry) -> &mut HistoryWriter {
        self.history.get_or_insert_with(|| registry.histories.lend())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let registry = registry();
        registry.slab.retire(&mut self.free);
        for (group, stripe) in self.stripes.iter().enumerate() {
            if let Some(stripe) = stripe {
                registry.group(u32::try_from(group).unwrap_or(0)).return_stripe(stripe);
            }
        }
        if let Some(history) = self.history.take() {
            registry.histories.give_back(history);
        }
    }
}

/// Runs `with` on the thread's own, or `without` if that is gone, as it is while a thread ends.
///
/// Neither may run code of users: the thread's own is borrowed meanwhile.
#[inline]
pub fn with_local<R>(with: impl FnOnce(&mut Local) -> R, without: impl FnOnce() -> R) -> R {
    LOCAL.try_with(|local| with(&mut local.borrow_mut())).unwrap_or_else(|_| without())
}

/// An id without the thread's own range.
pub fn shared_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}
