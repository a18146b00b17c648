//! Where a capture goes: memory that is prepared before, in atomics, so that a shared reference is enough.

use std::fmt;

use crate::sync::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Words in a buffer: 16 kB. A model has few.
const WORDS: usize = if cfg!(headcount_loom) { 8 } else { 2_048 };
/// Frames of one stack, from its leaf.
pub(crate) const MOST_FRAMES: usize = if cfg!(headcount_loom) { 3 } else { 256 };

/// Stacks as instruction pointers, the leaf first, each behind its length.
pub struct Buffer {
    words: Box<[AtomicUsize]>,
    used: AtomicUsize,
    /// An address in the frame of the poll: frames above it are outside.
    base: AtomicUsize,
    dropped: AtomicU64,
    cut: AtomicU64,
}

impl Buffer {
    /// An empty buffer of 16 kB.
    pub fn new() -> Self {
        Self {
            words: std::iter::repeat_with(|| AtomicUsize::new(0)).take(WORDS).collect(),
            used: AtomicUsize::new(0),
            base: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        }
    }

    /// Forgets what was written, for the next capture.
    pub fn clear(&self) {
        self.used.store(0, Relaxed);
        self.dropped.store(0, Relaxed);
        self.cut.store(0, Relaxed);
    }

    /// The stacks, in the order in which they were written.
    pub fn stacks(&self) -> impl Iterator<Item = Vec<usize>> + '_ {
        let (mut at, used) = (0, self.used.load(Relaxed));
        std::iter::from_fn(move || {
            let length = self.words.get(at).filter(|_| at < used)?.load(Relaxed);
            let stack = &self.words[at + 1..=at + length];
            at += 1 + length;
            Some(stack.iter().map(|ip| ip.load(Relaxed)).collect())
        })
    }

    /// Stacks that there was no room for, and clones on other threads.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Stacks that have more frames than were kept.
    pub fn cut(&self) -> u64 {
        self.cut.load(Relaxed)
    }

    pub(crate) fn begin(&self, base: usize) {
        self.base.store(base, Relaxed);
    }

    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    /// Begins a stack; `None` if there is no room for it. Only the thread that polls writes.
    pub(crate) fn open(&self) -> Option<Stack<'_>> {
        let at = self.used.load(Relaxed);
        if WORDS <= at + MOST_FRAMES {
            self.count_dropped();
            return None;
        }
        Some(Stack { buffer: self, at, length: 0, base: self.base.load(Relaxed) })
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("used", &self.used).finish_non_exhaustive()
    }
}

/// A stack that is being written.
pub(crate) struct Stack<'a> {
    buffer: &'a Buffer,
    at: usize,
    length: usize,
    base: usize,
}

impl Stack<'_> {
    /// Writes a frame; false where the stack is over.
    pub(crate) fn write(&mut self, ip: usize, sp: usize) -> bool {
        // Stacks grow downwards on all processors that Rust runs on: what lies above was there before.
        if self.base < sp {
            return false;
        }
        if self.length == MOST_FRAMES {
            self.buffer.cut.fetch_add(1, Relaxed);
            return false;
        }
        self.length += 1;
        self.buffer.words[self.at + self.length].store(ip, Relaxed);
        true
    }

    pub(crate) fn close(self) {
        self.buffer.words[self.at].store(self.length, Relaxed);
        self.buffer.used.store(self.at + 1 + self.length, Relaxed);
    }
}
