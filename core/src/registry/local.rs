//! What a thread has for itself: its [cells](super::hot), and behind them the groups it knows, its stripes
//! and its history.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::{self, Handle as Runtime};

use crate::clock;
use crate::registry::group::Group;
use crate::registry::history::HistoryWriter;
use crate::registry::hot::{Hot, hot};
use crate::registry::known::Known;
use crate::registry::slot::group_of;
use crate::registry::stripe::Stripe;
use crate::registry::{Handle, Registry, TaskSlot, registry};

/// The most ids that a thread takes at once.
const MAX_RANGE: u64 = 64;
/// How long it gives ids of one range to tasks.
const RANGE_LASTS: Duration = Duration::from_millis(10);

thread_local! {
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
    hot(|hot| hot.current.get()).map(|slot| Current { slot, id: slot.id() })
}

/// Makes a task the current one; gives back which was before.
#[inline]
pub fn replace_current(slot: Option<TaskSlot>) -> Option<TaskSlot> {
    hot(|hot| hot.current.replace(slot))
}

/// What the whole way needs of its thread. Its destructor empties the thread's [cells](super::hot).
#[derive(Debug)]
pub struct Local {
    pub known: Known,
    range: u64,
    stripes: Vec<Option<&'static Stripe>>,
    history: Option<HistoryWriter>,
    /// The runtime that this thread looked at last.
    runtime: Option<runtime::Id>,
}

impl Local {
    const fn new() -> Self {
        Self { known: Known::new(), range: 0, stripes: Vec::new(), history: None, runtime: None }
    }

    /// Sees to it that the thread has ids for a task that begins `now`, in ticks.
    pub fn refill_ids(&mut self, hot: &Hot<Handle>, now: u64) {
        let (left, are_fresh) = (hot.ids_left(), hot.are_ids_fresh(now));
        if 0 < left && are_fresh {
            return;
        }
        self.meet_runtime();
        // What is left of an old range is skipped, since other threads have given larger ids meanwhile. A
        // range is as large as the use of the last one, so that ids have few gaps to wonder at.
        self.range = if are_fresh { 2 * self.range } else { self.range - left }.clamp(1, MAX_RANGE);
        let first = registry().next_id.fetch_add(self.range, Ordering::Relaxed);
        hot.keep_ids(first..first + self.range, now + clock::ticks_in(RANGE_LASTS));
    }

    /// Makes the runtime known that this thread is in.
    #[cold]
    pub fn meet_runtime(&mut self) {
        let Ok(runtime) = Runtime::try_current() else { return };
        if self.runtime.replace(runtime.id()) != Some(runtime.id()) {
            registry().runtimes.meet(&runtime);
        }
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

    /// Lets the thread's cells have the chunk that its history fills now.
    pub fn keep_chunk(&mut self, hot: &Hot<Handle>, registry: &Registry) {
        let limit = registry.config.history();
        let history = self.history(registry);
        history.make_room(limit);
        hot.keep_chunk(history.chunk());
    }

    #[inline]
    pub fn history(&mut self, registry: &Registry) -> &mut HistoryWriter {
        self.history.get_or_insert_with(|| registry.histories.lend())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let registry = registry();
        // First, so that nothing is written to what another thread has from here on.
        hot(|hot| {
            hot.close();
            registry.slab.retire(&hot.free);
        });
        for stripe in self.stripes.iter().flatten() {
            registry.group(group_of(stripe.group_bits())).return_stripe(stripe);
        }
        if let Some(history) = self.history.take() {
            registry.histories.give_back(history);
        }
    }
}

/// Runs `with` on the thread's own. Runs `without` if that is gone, as it is while a thread ends, or in use:
/// `with` may log, and a subscriber may begin and end tasks there.
#[inline]
pub fn with_local<R>(with: impl FnOnce(&mut Local, &Hot<Handle>) -> R, without: impl FnOnce() -> R) -> R {
    let with = |local: &RefCell<Local>| {
        let mut local = local.try_borrow_mut().ok()?;
        hot(|hot| {
            if !hot.is_open() {
                hot.open();
                local.meet_runtime();
            }
            Some(with(&mut local, hot))
        })
    };
    LOCAL.try_with(with).ok().flatten().unwrap_or_else(without)
}

/// An id without the thread's own range.
pub fn shared_id() -> u64 {
    registry().next_id.fetch_add(1, Ordering::Relaxed)
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::collections::HashSet;
    use std::panic::Location;
    use std::sync::{Arc, Barrier};
    use std::thread;

    use super::with_local;
    use crate::registry::group::{NameSource, Signature};
    use crate::registry::history::Chunk;
    use crate::registry::hot::Hot;
    use crate::registry::kind::Kind;
    use crate::registry::stripe::Stripe;
    use crate::registry::{Handle, registry};

    const THREADS: usize = 8;
    const BLOCK: usize = 128;

    /// The blocks of 128 bytes that a thread writes to alone.
    fn blocks() -> HashSet<usize> {
        let registry = registry();
        let signature = Signature {
            name: NameSource::Code("tests::blocks::{{closure}}"),
            labels: &[],
            kind: Kind::Task,
            location: Location::caller(),
        };
        let blocks_of = |address: usize, size: usize| {
            assert!(address % BLOCK == 0 && size % BLOCK == 0, "{size} bytes at {address:x}");
            (address / BLOCK)..(address + size) / BLOCK
        };
        let collect = |local: &mut super::Local, hot: &Hot<Handle>| {
            let group = local.known.find(&signature, &registry.groups, &registry.config);
            let stripe = std::ptr::from_ref(local.stripe(group)) as usize;
            local.keep_chunk(hot, registry);
            let chunk = std::ptr::from_ref(local.history(registry).chunk().expect("it was kept")) as usize;
            let cells = std::ptr::from_ref(hot) as usize;
            blocks_of(stripe, size_of::<Stripe>())
                .chain(blocks_of(chunk, size_of::<Chunk>()))
                .chain(blocks_of(cells, size_of::<Hot<Handle>>()))
                .collect()
        };
        with_local(collect, || panic!("the thread's own is there"))
    }

    #[test]
    fn blocks_of_threads_are_aligned_and_have_one_writer() {
        // Twice, since the second threads have what the first ones left.
        for _ in 0..2 {
            let barrier = Arc::new(Barrier::new(THREADS));
            let thread = |barrier: Arc<Barrier>| {
                thread::spawn(move || {
                    let blocks = blocks();
                    barrier.wait();
                    blocks
                })
            };
            let threads: Vec<_> = (0..THREADS).map(|_| thread(barrier.clone())).collect();
            let all: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            let sum: usize = all.iter().map(HashSet::len).sum();
            let distinct: HashSet<usize> = all.into_iter().flatten().collect();
            assert_eq!(distinct.len(), sum, "two threads write to one block");
        }
    }
}
