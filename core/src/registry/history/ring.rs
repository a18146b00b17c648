//! A ring: the chunks that one thread fills in turn, and the notes on their records.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::chunk::{Chunk, RECORDS, Record};
use crate::registry::details::Details;
use crate::sync::{Mutex, Ordering};

/// What a finished task leaves besides its record.
#[derive(Debug, Default)]
pub struct Note {
    pub details: Option<Box<Details>>,
    pub message: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Ring {
    chunks: Mutex<Chunks>,
    /// How many records there is room for.
    room: AtomicUsize,
    notes: Mutex<VecDeque<(u64, Arc<Note>)>>,
    filled: Arc<Filled>,
}

#[derive(Clone, Debug, Default)]
struct Chunks {
    /// In the order in which they were filled, from behind the current one around to it.
    all: Vec<&'static Chunk>,
    /// For each, how many chunks of all rings were full when it was.
    filled_at: Vec<u64>,
    /// The place of the one that is being filled.
    current: usize,
}

/// How many chunks were filled, in all rings of a kind.
///
/// If `n` chunks have been filled since a chunk was, then of each ring the first of these may hold records
/// that are older than that chunk's, and all others hold newer ones. So with `r` rings at least `n - r`
/// chunks are newer.
#[derive(Debug, Default)]
pub(super) struct Filled {
    chunks: std::sync::atomic::AtomicU64,
    rings: std::sync::atomic::AtomicU64,
}

impl Filled {
    /// Counts a chunk, and returns its number.
    fn count(&self) -> u64 {
        self.chunks.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether so many newer records exist than those of the chunk that was filled then.
    fn is_superseded(&self, filled_at: u64, now: u64, limit: usize) -> bool {
        let newer = limit.div_ceil(RECORDS) as u64 + self.rings.load(Ordering::Relaxed);
        newer <= now.saturating_sub(filled_at)
    }
}

impl Ring {
    pub(super) fn new(filled: &Arc<Filled>) -> Self {
        filled.rings.fetch_add(1, Ordering::Relaxed);
        Self {
            chunks: Mutex::default(),
            room: AtomicUsize::new(0),
            notes: Mutex::default(),
            filled: filled.clone(),
        }
    }

    /// Only by the thread that holds the history; `own` is the chunk that it fills.
    #[inline]
    pub(super) fn push(&self, own: &mut Option<&'static Chunk>, record: &Record, limit: usize) {
        if own.is_some_and(|chunk| chunk.push(record)) {
            return;
        }
        let chunk = self.advance(limit);
        let _ = chunk.push(record);
        *own = Some(chunk);
    }

    /// The next chunk to be filled: a new one, or the one with the oldest records. There is one even if none
    /// are to be kept, so that an end does not have to ask; readers then show nothing of it.
    #[cold]
    pub(super) fn advance(&self, limit: usize) -> &'static Chunk {
        let mut chunks = self.chunks.lock();
        let chunks = &mut *chunks;
        if chunks.all.is_empty() {
            chunks.add(0);
        } else {
            let now = self.filled.count();
            chunks.filled_at[chunks.current] = now;
            let next = chunks.current + 1;
            let oldest = next % chunks.all.len();
            let is_whole = limit <= chunks.all.len() * RECORDS;
            if is_whole || self.filled.is_superseded(chunks.filled_at[oldest], now, limit) {
                chunks.current = oldest;
            } else {
                chunks.add(next);
            }
        }
        self.room.store(chunks.all.len() * RECORDS, Ordering::Relaxed);
        let chunk = chunks.all[chunks.current];
        chunk.restart();
        chunk
    }

    #[cfg(all(test, not(headcount_loom)))]
    pub(super) fn chunk_count(&self) -> usize {
        self.chunks.lock().all.len()
    }

    /// The chunk that is being filled, for the next thread that holds the ring.
    pub(super) fn current(&self) -> Option<&'static Chunk> {
        let chunks = self.chunks.lock();
        chunks.all.get(chunks.current).copied()
    }

    pub(super) fn note(&self, id: u64, note: &Arc<Note>, limit: usize) {
        // One chunk more, since the ring may be about to grow.
        let limit = limit.min(self.room.load(Ordering::Relaxed) + RECORDS);
        let mut notes = self.notes.lock();
        while !notes.is_empty() && limit <= notes.len() {
            notes.pop_front();
        }
        if 0 < limit {
            notes.push_back((id, note.clone()));
        }
    }

    pub(super) fn read_into(&self, records: &mut HashMap<u64, Record>) {
        let chunks = self.chunks.lock().all.clone();
        let all = chunks.iter().flat_map(|chunk| chunk.read(0..RECORDS));
        records.extend(all.map(|record| (record.task.id(), record)));
    }

    /// All records, from the newest back.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = Record> + use<> {
        let Chunks { all, current, .. } = self.chunks.lock().clone();
        let filled = |place: usize| all[place].room().unwrap_or(RECORDS);
        let newest = all.get(current).map(|chunk| (*chunk, 0..filled(current)));
        let whole = |chunk: &&'static Chunk| (*chunk, 0..RECORDS);
        let (before, behind) = (all.iter().take(current).rev(), all.iter().skip(current + 1).rev());
        let oldest = all.get(current).map(|chunk| (*chunk, filled(current)..RECORDS));
        let parts: Vec<(&'static Chunk, Range<usize>)> =
            newest.into_iter().chain(before.chain(behind).map(whole)).chain(oldest).collect();
        parts.into_iter().flat_map(|(chunk, part)| chunk.read(part).rev())
    }

    /// Adds what ended at `since` or later.
    pub(super) fn read_since(&self, since: u64, records: &mut HashMap<u64, Record>) {
        let is_since = |record: &Record| since <= record.ended;
        records.extend(self.newest_first().take_while(is_since).map(|record| (record.task.id(), record)));
    }

    /// Visits what was pushed since the record with the identity `mark` was the newest, newest first, and
    /// moves the mark.
    pub(super) fn visit_new(&self, mark: &mut u64, visit: &mut impl FnMut(&Record)) {
        let mut newest: Option<Record> = None;
        for record in self.newest_first() {
            if record.task.identity == *mark {
                break;
            }
            // What is newer than the first was written meanwhile, over what this had not come to; it is for
            // the next visit.
            if record.ended <= newest.get_or_insert(record).ended {
                visit(&record);
            }
        }
        if let Some(newest) = newest {
            *mark = newest.task.identity;
        }
    }

    pub(super) fn find_note(&self, id: u64) -> Option<Arc<Note>> {
        let notes = self.notes.lock();
        notes.iter().rev().find(|(known, _)| *known == id).map(|(_, note)| note.clone())
    }

    /// The notes that were kept since that of the task `mark` was the newest, and moves the mark.
    pub(super) fn notes_since(&self, mark: &mut u64) -> Vec<(u64, Arc<Note>)> {
        let notes = self.notes.lock();
        let new: Vec<_> = notes.iter().rev().take_while(|(id, _)| id != mark).cloned().collect();
        if let Some((newest, _)) = new.first() {
            *mark = *newest;
        }
        new
    }

    pub(super) fn notes_into(&self, of: &HashSet<u64>, all: &mut HashMap<u64, Arc<Note>>) {
        all.extend(self.notes.lock().iter().filter(|(id, _)| of.contains(id)).cloned());
    }
}

impl Chunks {
    /// A new chunk in this place, as the current one.
    fn add(&mut self, place: usize) {
        self.all.insert(place, Box::leak(Box::new(Chunk::new())));
        self.filled_at.insert(place, 0);
        self.current = place;
    }
}
