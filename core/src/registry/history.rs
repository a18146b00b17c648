//! Finished tasks: for each thread two rings of records, one for any outcome and one for those that are not
//! ok.
//!
//! A ring is a list of chunks, which grows with use up to the setting `history`; a chunk is never given back.
//! The thread that holds a ring is its one writer. It fills one chunk after the other, and begins again with
//! the first where there may be no more. A record is written like a [slot](super::slot): the id is taken
//! away, the fields are written, the id is set. A reader that sees the same id before and after has read one
//! task.
//!
//! The rings together keep as many records as the setting says: the newest of the process. A thread cannot
//! know how many others write meanwhile, so it grows until its oldest chunk is [superseded](Filled): so many
//! newer records are in other rings. A thread pool of hundreds, of which each ends a task now and then, so
//! keeps a few chunks a thread, and not a whole history each.

#![allow(clippy::inline_always, reason = "the fast way of a task is one piece of code")]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::outcome::Outcome;
use crate::registry::details::Details;
use crate::registry::slot::DETAILS;
use crate::registry::slot::Reading;
use crate::sync::{AtomicU64, Mutex, OneWriter, Ordering, fence};

/// Records of one chunk.
#[cfg(not(headcount_loom))]
const RECORDS: usize = 64;
#[cfg(headcount_loom)]
const RECORDS: usize = 2;

/// A finished task.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Its last reading.
    pub task: Reading,
    pub outcome: Outcome,
    pub ended: u64,
}

/// What a finished task leaves besides its record.
#[derive(Debug, Default)]
pub struct Note {
    pub details: Option<Box<Details>>,
    pub message: Option<Arc<str>>,
}

/// The history of one thread, which another takes over when it ends.
#[derive(Debug)]
pub struct ThreadHistory {
    any: Ring,
    not_ok: Ring,
}

#[derive(Debug)]
struct Ring {
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
struct Filled {
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

/// The right to write to a history, which one thread has at a time.
#[derive(Debug)]
pub struct HistoryWriter {
    shared: &'static ThreadHistory,
    any: Option<&'static Chunk>,
    not_ok: Option<&'static Chunk>,
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
}

impl Ring {
    fn new(filled: &Arc<Filled>) -> Self {
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
    fn push(&self, own: &mut Option<&'static Chunk>, record: &Record, limit: usize) {
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
    fn advance(&self, limit: usize) -> &'static Chunk {
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
        // The ring's writer may be another one than when it was here last.
        chunk.writer.hand_over();
        chunk.next.store(0, Ordering::Release);
        chunk
    }

    /// The chunk that is being filled, for the next thread that holds the ring.
    fn current(&self) -> Option<&'static Chunk> {
        let chunks = self.chunks.lock();
        chunks.all.get(chunks.current).copied()
    }

    fn note(&self, id: u64, note: &Arc<Note>, limit: usize) {
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

    fn read_into(&self, records: &mut HashMap<u64, Record>) {
        let chunks = self.chunks.lock().all.clone();
        let all = chunks.iter().flat_map(|chunk| chunk.records.iter()).filter_map(Cell::read);
        records.extend(all.map(|record| (record.task.id(), record)));
    }

    /// All records, from the newest back.
    fn newest_first(&self) -> impl Iterator<Item = Record> + use<> {
        let Chunks { all, current, .. } = self.chunks.lock().clone();
        let filled = |place: usize| all[place].room().unwrap_or(RECORDS);
        let newest = all.get(current).map(|chunk| (*chunk, 0..filled(current)));
        let whole = |chunk: &&'static Chunk| (*chunk, 0..RECORDS);
        let (before, behind) = (all.iter().take(current).rev(), all.iter().skip(current + 1).rev());
        let oldest = all.get(current).map(|chunk| (*chunk, filled(current)..RECORDS));
        let parts: Vec<(&'static Chunk, Range<usize>)> =
            newest.into_iter().chain(before.chain(behind).map(whole)).chain(oldest).collect();
        parts.into_iter().flat_map(|(chunk, part)| chunk.records[part].iter().rev()).filter_map(Cell::read)
    }

    /// Adds what ended at `since` or later.
    fn read_since(&self, since: u64, records: &mut HashMap<u64, Record>) {
        let is_since = |record: &Record| since <= record.ended;
        records.extend(self.newest_first().take_while(is_since).map(|record| (record.task.id(), record)));
    }

    /// Visits what was pushed since the record with the identity `mark` was the newest, newest first, and
    /// moves the mark.
    fn visit_new(&self, mark: &mut u64, visit: &mut impl FnMut(&Record)) {
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

    fn find_note(&self, id: u64) -> Option<Arc<Note>> {
        let notes = self.notes.lock();
        notes.iter().rev().find(|(known, _)| *known == id).map(|(_, note)| note.clone())
    }

    /// The notes that were kept since that of the task `mark` was the newest, and moves the mark.
    fn notes_since(&self, mark: &mut u64) -> Vec<(u64, Arc<Note>)> {
        let notes = self.notes.lock();
        let new: Vec<_> = notes.iter().rev().take_while(|(id, _)| id != mark).cloned().collect();
        if let Some((newest, _)) = new.first() {
            *mark = *newest;
        }
        new
    }

    fn notes_into(&self, of: &HashSet<u64>, all: &mut HashMap<u64, Arc<Note>>) {
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

impl ThreadHistory {
    fn note_of(&self, record: &Record) -> Option<Arc<Note>> {
        if record.outcome == Outcome::Ok && !record.task.has(DETAILS) {
            return None;
        }
        let ring = if record.outcome == Outcome::Ok { &self.any } else { &self.not_ok };
        ring.find_note(record.task.id())
    }
}

impl HistoryWriter {
    fn over(shared: &'static ThreadHistory) -> Self {
        Self { shared, any: shared.any.current(), not_ok: shared.not_ok.current() }
    }

    #[inline]
    pub fn push(&mut self, record: &Record, limit: usize) {
        self.shared.any.push(&mut self.any, record, limit);
        if record.outcome != Outcome::Ok {
            self.shared.not_ok.push(&mut self.not_ok, record, limit);
        }
    }

    /// Another thread writes from now on.
    fn hand_over(&self) {
        self.any.iter().chain(&self.not_ok).for_each(|chunk| chunk.writer.hand_over());
    }

    /// The chunk that takes the records of any outcome now.
    pub fn chunk(&self) -> Option<&'static Chunk> {
        self.any
    }

    /// Goes to the next chunk if that one is full.
    pub fn make_room(&mut self, limit: usize) {
        if self.any.is_none_or(|chunk| chunk.room().is_none()) {
            self.any = Some(self.shared.any.advance(limit));
        }
    }

    pub fn note(&self, id: u64, outcome: Outcome, note: Note, limit: usize) {
        let note = Arc::new(note);
        self.shared.any.note(id, &note, limit);
        if outcome != Outcome::Ok {
            self.shared.not_ok.note(id, &note, limit);
        }
    }
}

/// The histories of all threads that are or were.
#[derive(Debug, Default)]
pub struct Histories {
    all: Mutex<Vec<&'static ThreadHistory>>,
    free: Mutex<Vec<&'static ThreadHistory>>,
    /// For threads whose locals are gone: they take this lock to write.
    shared: Mutex<Option<HistoryWriter>>,
    any: Arc<Filled>,
    not_ok: Arc<Filled>,
}

/// Finished tasks, newest first, and what they left.
#[derive(Debug)]
pub struct HistoryReading {
    pub records: Vec<Record>,
    pub notes: HashMap<u64, Arc<Note>>,
}

impl Histories {
    pub fn lend(&self) -> HistoryWriter {
        let free = self.free.lock().pop();
        HistoryWriter::over(free.unwrap_or_else(|| self.add()))
    }

    /// With room for a record.
    #[cfg(all(test, headcount_loom))]
    pub fn lend_with_room(&self, limit: usize) -> HistoryWriter {
        let mut writer = self.lend();
        writer.make_room(limit);
        writer
    }

    fn add(&self) -> &'static ThreadHistory {
        let history = ThreadHistory { any: Ring::new(&self.any), not_ok: Ring::new(&self.not_ok) };
        let history: &'static _ = Box::leak(Box::new(history));
        self.all.lock().push(history);
        history
    }

    #[allow(clippy::needless_pass_by_value, reason = "its holder writes no more")]
    pub fn give_back(&self, writer: HistoryWriter) {
        writer.hand_over();
        self.free.lock().push(writer.shared);
    }

    pub fn with_shared<R>(&self, write: impl FnOnce(&mut HistoryWriter) -> R) -> R {
        let mut shared = self.shared.lock();
        let writer = shared.get_or_insert_with(|| self.lend());
        // Only the lock says whose it is.
        writer.hand_over();
        write(writer)
    }

    /// The newest `limit` of any outcome and the newest `limit` that are not ok.
    pub fn read(&self, limit: usize) -> HistoryReading {
        let all = self.all.lock().clone();
        let mut records = newest(&all, |history| &history.any, limit);
        records.extend(newest(&all, |history| &history.not_ok, limit));
        let mut records: Vec<Record> = records.into_values().collect();
        records.sort_unstable_by_key(|record| Reverse((record.ended, record.task.id())));
        let shown: HashSet<u64> = records.iter().map(|record| record.task.id()).collect();
        let mut notes = HashMap::new();
        for history in &all {
            history.any.notes_into(&shown, &mut notes);
            history.not_ok.notes_into(&shown, &mut notes);
        }
        HistoryReading { records, notes }
    }

    /// What ended at `since` or later and is still held, the newest `limit` at most, newest first. The cost
    /// grows with what ended, not with what is held.
    pub fn read_since(&self, since: u64, limit: usize) -> Vec<(Record, Option<Arc<Note>>)> {
        let mut ended = Vec::new();
        for history in self.all.lock().clone() {
            let mut records = HashMap::new();
            history.any.read_since(since, &mut records);
            history.not_ok.read_since(since, &mut records);
            ended.extend(records.into_values().map(|record| (record, history)));
        }
        ended.sort_unstable_by_key(|(record, _)| Reverse((record.ended, record.task.id())));
        ended.truncate(limit);
        let with_note =
            |(record, history): (Record, &'static ThreadHistory)| (record, history.note_of(&record));
        ended.into_iter().map(with_note).collect()
    }

    /// Visits what ended since the last visit with the same marks, one mark a thread, as far as it is held.
    /// Costs a look at each ring where nothing has.
    pub fn visit_new(&self, marks: &mut Vec<u64>, mut visit: impl FnMut(&Record)) {
        let all = self.all.lock().clone();
        marks.resize(all.len().max(marks.len()), 0);
        for (history, mark) in all.iter().zip(marks) {
            history.any.visit_new(mark, &mut visit);
        }
    }

    /// Visits the tasks that left a note to `select` since the last visit with the same marks, one mark a
    /// thread, as far as they are held. None is missed, because a note is kept after its record. Costs a look
    /// at each ring where there are none.
    pub fn visit_new_notes<T>(
        &self,
        marks: &mut Vec<u64>,
        select: impl Fn(&Note) -> Option<T>,
        mut visit: impl FnMut(&Record, T),
    ) {
        let all = self.all.lock().clone();
        marks.resize(all.len().max(marks.len()), 0);
        for (history, mark) in all.iter().zip(marks) {
            let new = history.any.notes_since(mark);
            let selected: Vec<(u64, T)> =
                new.iter().filter_map(|(id, note)| Some((*id, select(note)?))).collect();
            if selected.is_empty() {
                continue;
            }
            let mut records = HashMap::new();
            history.any.read_into(&mut records);
            for (id, selected) in selected {
                if let Some(record) = records.get(&id) {
                    visit(record, selected);
                }
            }
        }
    }

    /// One finished task, unless none are `kept`.
    pub fn find(&self, id: u64, kept: usize) -> Option<(Record, Option<Arc<Note>>)> {
        if kept == 0 {
            return None;
        }
        let all = self.all.lock().clone();
        let mut records = HashMap::new();
        for ring in all.iter().flat_map(|history| [&history.any, &history.not_ok]) {
            ring.read_into(&mut records);
            if let Some(record) = records.remove(&id) {
                return Some((record, ring.find_note(id)));
            }
            records.clear();
        }
        None
    }
}

/// The newest of all rings of a kind. Each is read from its newest record back, as far as it has one of
/// these, so the cost grows with `limit` and the number of rings, and not with what they hold.
fn newest(
    histories: &[&'static ThreadHistory],
    ring: impl Fn(&'static ThreadHistory) -> &'static Ring,
    limit: usize,
) -> HashMap<u64, Record> {
    let mut ends: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
    let mut records = HashMap::new();
    for history in histories {
        for record in ring(history).newest_first() {
            let end = (record.ended, record.task.id());
            let is_full = limit <= ends.len();
            if is_full && ends.peek().is_none_or(|Reverse(oldest)| end <= *oldest) {
                break;
            }
            if records.insert(end.1, record).is_none() {
                ends.push(Reverse(end));
                if is_full {
                    if let Some(Reverse((_, id))) = ends.pop() {
                        records.remove(&id);
                    }
                }
            }
        }
    }
    records
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;
    use crate::registry::slot::FLAG_BITS;

    fn record(id: u64) -> Record {
        let task = Reading {
            identity: id << FLAG_BITS,
            lineage: 0,
            started: 0,
            poll: 0,
            busy: 0,
            polls_and_group: 0,
        };
        Record { task, outcome: Outcome::Ok, ended: id }
    }

    fn index(number: u64) -> usize {
        usize::try_from(number).expect("small")
    }

    /// Ends tasks on one of so many threads each, chosen by `turn`, and checks which are kept.
    fn kept_chunks(threads: u64, ends: u64, limit: usize, turn: impl Fn(u64) -> u64) -> usize {
        let histories = Histories::default();
        let mut writers: Vec<_> = (0..threads).map(|_| histories.lend()).collect();
        for id in 1..=ends {
            let writer = &mut writers[index(turn(id) % threads)];
            writer.push(&record(id), limit);
            writer.note(id, Outcome::Ok, Note { details: None, message: Some("said".into()) }, limit);
        }
        let HistoryReading { records, notes } = histories.read(limit);
        let newest: Vec<u64> = records.iter().map(|record| record.task.id()).collect();
        let expected: Vec<u64> = (1..=ends).rev().take(limit).collect();
        assert_eq!(newest, expected, "{threads} threads");
        assert!(newest.iter().all(|id| notes.contains_key(id)), "a record lost its note");
        histories.all.lock().iter().map(|history| history.any.chunks.lock().all.len()).sum()
    }

    #[test]
    fn the_newest_are_kept_however_many_threads_end_them() {
        for limit in [1, 64, 65, 1000] {
            for threads in [1, 2, 7, 300] {
                let even = kept_chunks(threads, 40_000, limit, |id| id);
                let bound = limit.div_ceil(RECORDS) + 3 * index(threads);
                assert!(even <= bound, "{even} chunks for {limit} of {threads} threads");
                // One thread ends most, and the others a task now and then.
                kept_chunks(threads, 40_000, limit, |id| if id % 50 == 0 { id / 50 } else { 0 });
                // One after the other.
                kept_chunks(threads, 40_000, limit, |id| id / 600);
            }
        }
    }

    #[test]
    fn chunks_that_were_filled_late_with_old_records_supersede_nothing() {
        let others = 299;
        // All others fill their chunks but for one record, then the first fills some, then they all end two
        // tasks.
        let old = others * (RECORDS as u64 - 1);
        let turn = |id: u64| match id {
            _ if id <= old => 1 + id % others,
            _ if id <= old + 128 => 0,
            _ if id <= old + 128 + 2 * others => 1 + id % others,
            _ => 0,
        };
        kept_chunks(others + 1, old + 128 + 2 * others + 130, 1000, turn);
    }
}
