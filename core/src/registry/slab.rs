//! Where slots come from: chunks that are never given back, a shared pool of batches, and a small cache in
//! each thread.

use std::cell::Cell;

use crate::registry::slot::Slot;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// The slots of one process, or of one model.
#[derive(Debug)]
pub struct Slab<H: 'static> {
    /// Slots made at a time.
    chunk: usize,
    /// Slots moved between pool and thread at a time.
    batch: usize,
    /// How many were made.
    made: AtomicU64,
    chunks: Mutex<Vec<&'static [Slot<H>]>>,
    pool: Mutex<Vec<Batch<H>>>,
}

/// Free slots on their way between pool and thread.
type Batch<H> = Vec<&'static Slot<H>>;

/// The most free slots that a thread keeps.
const KEPT: u8 = u8::MAX;

/// Free slots of one thread: a stack without a destructor.
#[derive(Debug)]
pub struct FreeSlots<H: 'static> {
    count: Cell<u8>,
    /// The slots are at 1 to `count`. Index 0 always stays empty, so an empty stack is recognised by the
    /// value it returns.
    slots: [Cell<Option<&'static Slot<H>>>; KEPT as usize + 1],
}

impl<H> FreeSlots<H> {
    pub const fn new() -> Self {
        Self { count: Cell::new(0), slots: [const { Cell::new(None) }; KEPT as usize + 1] }
    }

    /// The slot that [`pop`](Self::pop) takes next.
    #[inline]
    pub fn last(&self) -> Option<&'static Slot<H>> {
        self.slots[usize::from(self.count.get())].get()
    }

    /// Takes the slot that [`last`](Self::last) gave.
    #[inline]
    pub fn pop(&self) {
        self.count.set(self.count.get() - 1);
    }

    /// Where the next slot goes, for [`push`](Self::push); `None` if the stack is full.
    #[inline]
    pub fn room(&self) -> Option<u8> {
        self.count.get().checked_add(1)
    }

    #[inline]
    pub fn push(&self, room: u8, slot: &'static Slot<H>) {
        self.slots[usize::from(room)].set(Some(slot));
        self.count.set(room);
    }

    /// Takes the upper `count` slots, or all if there are fewer.
    fn take(&self, count: usize) -> Batch<H> {
        let all = usize::from(self.count.get());
        let left = all.saturating_sub(count);
        self.count.set(u8::try_from(left).unwrap_or(0));
        self.slots[left + 1..=all].iter().filter_map(Cell::take).collect()
    }
}

impl<H> Slab<H> {
    pub fn new(chunk: usize, batch: usize) -> Self {
        Self {
            chunk,
            batch,
            made: AtomicU64::new(0),
            chunks: Mutex::new(Vec::new()),
            pool: Mutex::new(Vec::new()),
        }
    }

    /// A free slot, from the thread's own if it has one.
    #[inline]
    pub fn acquire(&self, own: &FreeSlots<H>) -> &'static Slot<H> {
        let slot = own.last().unwrap_or_else(|| self.refill(own));
        own.pop();
        slot
    }

    /// Takes a free slot back.
    #[inline]
    pub fn release(&self, slot: &'static Slot<H>, own: &FreeSlots<H>) {
        let room = own.room().unwrap_or_else(|| self.hand_over(own));
        own.push(room, slot);
    }

    /// Moves slots from a thread that is full to the pool, and gives the place of the next one.
    #[cold]
    pub fn hand_over(&self, own: &FreeSlots<H>) -> u8 {
        for _ in 0..2 {
            self.retire_some(own, self.batch);
        }
        own.room().expect("some were handed over")
    }

    fn retire_some(&self, own: &FreeSlots<H>, count: usize) {
        let batch = own.take(count);
        if !batch.is_empty() {
            self.pool.lock().push(batch);
        }
    }

    /// Takes all free slots of a thread back, since it ends.
    pub fn retire(&self, own: &FreeSlots<H>) {
        while own.last().is_some() {
            self.retire_some(own, self.batch);
        }
    }

    /// Gives free slots to a thread that has none. The result is the last of them, still among them.
    #[cold]
    pub fn refill(&self, own: &FreeSlots<H>) -> &'static Slot<H> {
        let pooled = self.pool.lock().pop();
        for slot in pooled.unwrap_or_else(|| self.grow()) {
            own.push(own.room().expect("a batch has room"), slot);
        }
        own.last().expect("a batch is never empty")
    }

    /// Makes a chunk. No lock is held while it is made; one batch is the caller's, the others the pool's.
    fn grow(&self) -> Batch<H> {
        // Relaxed: the numbers only have to differ.
        let first = self.made.fetch_add(self.chunk as u64, Ordering::Relaxed);
        // Four billion slots take 256 GB.
        let first = u32::try_from(first).expect("the memory ends before the numbers");
        let slots: Vec<Slot<H>> = (first..).take(self.chunk).map(Slot::numbered).collect();
        let slots: &'static [Slot<H>] = slots.leak();
        // Listed before any of them is used, so that a reading which begins after a spawn returned passes its
        // slot.
        self.chunks.lock().push(slots);
        let mut batches = slots.chunks(self.batch).map(|batch| batch.iter().collect());
        let first = batches.next().expect("a chunk is never empty");
        self.pool.lock().extend(batches);
        first
    }

    /// All slots, free ones included. Holds no lock while the caller looks at them.
    pub fn slots(&self) -> impl Iterator<Item = &'static Slot<H>> + use<H> {
        let chunks = self.chunks.lock().clone();
        chunks.into_iter().flatten()
    }
}
