//! Where slots come from: chunks that are never given back, a shared pool of batches, and a small cache in each thread.

use crate::registry::slot::Slot;
use crate::sync::Mutex;

/// The slots of one process, or of one model.
#[derive(Debug)]
pub struct Slab<H: 'static> {
    /// Slots made at a time.
    chunk: usize,
    /// Slots moved between pool and thread at a time.
    batch: usize,
    chunks: Mutex<Vec<&'static [Slot<H>]>>,
    pool: Mutex<Vec<Batch<H>>>,
}

/// Free slots on their way between pool and thread.
type Batch<H> = Vec<&'static Slot<H>>;

/// Free slots of one thread: at most two batches.
#[derive(Debug)]
pub struct FreeSlots<H: 'static>(Vec<&'static Slot<H>>);

impl<H> FreeSlots<H> {
    pub const fn new() -> Self {
        Self(Vec::new())
    }
}

impl<H> Slab<H> {
    pub fn new(chunk: usize, batch: usize) -> Self {
        Self { chunk, batch, chunks: Mutex::new(Vec::new()), pool: Mutex::new(Vec::new()) }
    }

    /// A free slot, from the thread's cache if it has one.
    #[inline]
    pub fn acquire(&self, cache: &mut FreeSlots<H>) -> &'static Slot<H> {
        match cache.0.pop() {
            Some(slot) => slot,
            None => self.refill(cache),
        }
    }

    /// Takes a free slot back, and hands a batch to the pool if the cache is full.
    #[inline]
    pub fn release(&self, slot: &'static Slot<H>, cache: &mut FreeSlots<H>) {
        if 2 * self.batch <= cache.0.len() {
            self.hand_over(cache);
        }
        cache.0.push(slot);
    }

    /// Moves a batch from the thread to the pool.
    #[cold]
    fn hand_over(&self, cache: &mut FreeSlots<H>) {
        let batch = cache.0.split_off(self.batch);
        self.pool.lock().push(batch);
    }

    /// Takes all back that a thread has, since it ends.
    pub fn retire(&self, cache: &mut FreeSlots<H>) {
        let batch = std::mem::take(&mut cache.0);
        if !batch.is_empty() {
            self.pool.lock().push(batch);
        }
    }

    #[cold]
    fn refill(&self, cache: &mut FreeSlots<H>) -> &'static Slot<H> {
        let pooled = self.pool.lock().pop();
        let mut batch = pooled.unwrap_or_else(|| self.grow());
        let slot = batch.pop().expect("a batch is never empty");
        cache.0.append(&mut batch);
        slot
    }

    /// Makes a chunk. No lock is held while it is made; one batch is the caller's, the others the pool's.
    fn grow(&self) -> Batch<H> {
        let slots: Vec<Slot<H>> = std::iter::repeat_with(Slot::new).take(self.chunk).collect();
        let slots: &'static [Slot<H>] = slots.leak();
        // Listed before any of them is used, so that a reading which begins after a spawn returned passes its slot.
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
