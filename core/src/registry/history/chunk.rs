//! Records, and the chunks of them that one thread writes and all read.

#![allow(clippy::inline_always, reason = "the fast way of a task is one piece of code")]

use std::ops::Range;

use crate::outcome::Outcome;
use crate::registry::slot::Reading;
use crate::sync::{AtomicU64, OneWriter, Ordering, fence};

/// Records of one chunk.
#[cfg(not(headcount_loom))]
pub(super) const RECORDS: usize = 64;
#[cfg(headcount_loom)]
pub(super) const RECORDS: usize = 2;

/// A finished task.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Its last reading.
    pub task: Reading,
    pub outcome: Outcome,
    pub ended: u64,
}

/// Some records of one ring. Nothing of another thread is on its cache lines, nor on the neighbours that a
/// processor fetches with them.
#[derive(Debug)]
#[repr(align(128))]
pub struct Chunk {
    /// Records written since the ring came to this chunk.
    next: AtomicU64,
    records: [Cell; RECORDS],
    writer: OneWriter,
}

#[derive(Debug, Default)]
struct Cell {
    identity: AtomicU64,
    lineage: AtomicU64,
    started: AtomicU64,
    ended_and_outcome: AtomicU64,
    poll: AtomicU64,
    busy: AtomicU64,
    polls: AtomicU64,
}

impl Cell {
    #[inline(always)]
    fn write(&self, record: &Record) {
        self.identity.store(0, Ordering::Relaxed);
        // Release: a reader that sees a field below sees that the id was gone. Pairs with the acquire fence
        // in `read`.
        fence(Ordering::Release);
        self.lineage.store(record.task.lineage, Ordering::Relaxed);
        self.started.store(record.task.started, Ordering::Relaxed);
        self.ended_and_outcome.store(record.ended << 3 | record.outcome as u64, Ordering::Relaxed);
        self.poll.store(record.task.poll, Ordering::Relaxed);
        self.busy.store(record.task.busy, Ordering::Relaxed);
        self.polls.store(record.task.polls_and_group, Ordering::Relaxed);
        // Release: a thread that sees the id also sees the fields.
        self.identity.store(record.task.identity, Ordering::Release);
    }

    fn read(&self) -> Option<Record> {
        let identity = self.identity.load(Ordering::Acquire);
        let ended_and_outcome = self.ended_and_outcome.load(Ordering::Relaxed);
        let task = Reading {
            identity,
            lineage: self.lineage.load(Ordering::Relaxed),
            started: self.started.load(Ordering::Relaxed),
            poll: self.poll.load(Ordering::Relaxed),
            busy: self.busy.load(Ordering::Relaxed),
            polls_and_group: self.polls.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let whole = identity != 0 && self.identity.load(Ordering::Relaxed) == identity;
        let outcome = Outcome::from_index(ended_and_outcome & 0b111);
        whole.then_some(Record { task, outcome, ended: ended_and_outcome >> 3 })
    }
}

impl Chunk {
    pub fn new() -> Self {
        Self {
            next: AtomicU64::new(0),
            records: std::array::from_fn(|_| Cell::default()),
            writer: OneWriter::default(),
        }
    }

    /// Writes a record, unless the chunk is full.
    #[inline]
    #[must_use]
    pub fn push(&self, record: &Record) -> bool {
        let Some(place) = self.room() else { return false };
        self.write(place, record);
        true
    }

    /// Where the next record goes, for [`write`](Self::write).
    #[inline]
    pub fn room(&self) -> Option<usize> {
        let next = self.next.load(Ordering::Relaxed);
        if next < RECORDS as u64 { usize::try_from(next).ok() } else { None }
    }

    #[inline(always)]
    pub fn write(&self, place: usize, record: &Record) {
        self.writer.check();
        self.records[place % RECORDS].write(record);
        self.next.store(place as u64 + 1, Ordering::Release);
    }

    /// The records of these places, in the order in which they were written.
    pub(super) fn read(&self, part: Range<usize>) -> impl DoubleEndedIterator<Item = Record> + use<'_> {
        self.records[part].iter().filter_map(Cell::read)
    }

    /// To be filled from its first place on, by the calling thread.
    pub(super) fn restart(&self) {
        // The ring's writer may be another one than when it was here last.
        self.hand_over();
        self.next.store(0, Ordering::Release);
    }

    /// Another thread writes from now on.
    pub(super) fn hand_over(&self) {
        self.writer.hand_over();
    }
}
