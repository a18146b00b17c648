//! Finished tasks: for each thread two rings of records, one for any outcome and one for those that are not ok.
//!
//! A ring has one writer, the thread that holds it. A record is written like a [slot](super::slot): the id is taken away, the fields are
//! written, the id is set; a reader that sees the same id before and after has read one task. A ring grows with use up to the setting
//! `history`. Each thread keeps that many, so the newest of the process are among them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::lock::Mutex;

use crate::outcome::Outcome;
use crate::registry::details::Details;
use crate::registry::slot::DETAILS;
use crate::registry::slot::Reading;
use crate::sync::{AtomicU64, Ordering, fence};

const FIRST_CAPACITY: usize = 32;

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
    records: Mutex<Arc<Records>>,
    notes: Mutex<VecDeque<(u64, Arc<Note>)>>,
    /// Where the next record goes; the capacity once all places are taken.
    next: AtomicU64,
}

#[derive(Debug)]
struct Records(Box<[Cell]>);

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

/// The thread's own hold of its two rings.
#[derive(Debug)]
pub struct HistoryWriter {
    pub shared: Arc<ThreadHistory>,
    any: Arc<Records>,
    not_ok: Arc<Records>,
}

impl Records {
    fn with_capacity(capacity: usize) -> Arc<Self> {
        Arc::new(Self(std::iter::repeat_with(Cell::default).take(capacity).collect()))
    }
}

impl Cell {
    fn write(&self, record: &Record) {
        self.identity.store(0, Ordering::Relaxed);
        // Release: a reader that sees a field below sees that the id was gone. Pairs with the acquire fence in `read`.
        fence(Ordering::Release);
        self.lineage.store(record.task.lineage, Ordering::Relaxed);
        self.started.store(record.task.started, Ordering::Relaxed);
        self.ended_and_outcome.store(record.ended << 3 | record.outcome as u64, Ordering::Relaxed);
        self.poll.store(record.task.poll, Ordering::Relaxed);
        self.busy.store(record.task.busy, Ordering::Relaxed);
        self.polls.store(record.task.polls_and_group, Ordering::Relaxed);
        // Release: who sees the id sees the fields.
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

impl Ring {
    fn new() -> Self {
        Self {
            records: Mutex::new(Records::with_capacity(0)),
            notes: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    /// Only by the thread that holds the history; `own` is its hold of `records`.
    #[inline]
    fn push(&self, own: &mut Arc<Records>, record: &Record, limit: usize) {
        let mut next = self.next.load(Ordering::Relaxed);
        if next == own.0.len() as u64 {
            next = if own.0.len() < limit { self.grow(own, limit) } else { 0 };
        }
        #[allow(clippy::cast_possible_truncation, reason = "no more than the length")]
        let Some(cell) = own.0.get(next as usize) else { return };
        cell.write(record);
        self.next.store(next + 1, Ordering::Release);
    }

    /// Makes room, and gives the place of the next record.
    #[cold]
    fn grow(&self, own: &mut Arc<Records>, limit: usize) -> u64 {
        let capacity = (2 * own.0.len()).max(FIRST_CAPACITY).min(limit);
        let mut kept: Vec<Record> = own.0.iter().filter_map(Cell::read).collect();
        kept.sort_by_key(|record| record.ended);
        let larger = Records::with_capacity(capacity);
        for (cell, record) in larger.0.iter().zip(&kept) {
            cell.write(record);
        }
        *self.records.lock() = larger.clone();
        *own = larger;
        kept.len() as u64
    }

    fn note(&self, id: u64, note: &Arc<Note>, limit: usize) {
        let mut notes = self.notes.lock();
        while !notes.is_empty() && limit <= notes.len() {
            notes.pop_front();
        }
        if 0 < limit {
            notes.push_back((id, note.clone()));
        }
    }

    fn read_into(&self, records: &mut HashMap<u64, Record>) {
        let cells = self.records.lock().clone();
        records.extend(cells.0.iter().filter_map(Cell::read).map(|record| (record.task.id(), record)));
    }

    /// Adds what ended at `since` or later, from the newest back.
    fn read_since(&self, since: u64, records: &mut HashMap<u64, Record>) {
        let cells = self.records.lock().clone();
        let next =
            usize::try_from(self.next.load(Ordering::Acquire)).unwrap_or(usize::MAX).min(cells.0.len());
        let (newer, older) = cells.0.split_at(next);
        for record in newer.iter().rev().chain(older.iter().rev()).filter_map(Cell::read) {
            if record.ended < since {
                return;
            }
            records.insert(record.task.id(), record);
        }
    }

    /// Visits what was pushed since the record with the identity `mark` was the newest, newest first, and moves the mark.
    fn visit_new(&self, mark: &mut u64, visit: &mut impl FnMut(&Record)) {
        let cells = self.records.lock().clone();
        let next =
            usize::try_from(self.next.load(Ordering::Acquire)).unwrap_or(usize::MAX).min(cells.0.len());
        let (newer, older) = cells.0.split_at(next);
        let mut newest: Option<Record> = None;
        for record in newer.iter().rev().chain(older.iter().rev()).filter_map(Cell::read) {
            if record.task.identity == *mark {
                break;
            }
            // What is newer than the first was written meanwhile, over what this had not come to; it is for the next visit.
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

    fn notes_into(&self, all: &mut HashMap<u64, Arc<Note>>) {
        all.extend(self.notes.lock().iter().cloned());
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
    fn over(shared: Arc<ThreadHistory>) -> Self {
        let any = shared.any.records.lock().clone();
        let not_ok = shared.not_ok.records.lock().clone();
        Self { shared, any, not_ok }
    }

    #[inline]
    pub fn push(&mut self, record: &Record, limit: usize) {
        self.shared.any.push(&mut self.any, record, limit);
        if record.outcome != Outcome::Ok {
            self.shared.not_ok.push(&mut self.not_ok, record, limit);
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
    all: Mutex<Vec<Arc<ThreadHistory>>>,
    free: Mutex<Vec<Arc<ThreadHistory>>>,
    /// For threads whose locals are gone: they take this lock to write.
    shared: Mutex<Option<HistoryWriter>>,
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

    fn add(&self) -> Arc<ThreadHistory> {
        let history = Arc::new(ThreadHistory { any: Ring::new(), not_ok: Ring::new() });
        self.all.lock().push(history.clone());
        history
    }

    pub fn give_back(&self, writer: HistoryWriter) {
        self.free.lock().push(writer.shared);
    }

    pub fn with_shared<R>(&self, write: impl FnOnce(&mut HistoryWriter) -> R) -> R {
        let mut shared = self.shared.lock();
        write(shared.get_or_insert_with(|| self.lend()))
    }

    /// The newest `limit` of any outcome and the newest `limit` that are not ok.
    pub fn read(&self, limit: usize) -> HistoryReading {
        let all = self.all.lock().clone();
        let mut records = newest(&all, |history| &history.any, limit);
        records.extend(newest(&all, |history| &history.not_ok, limit));
        let mut records: Vec<Record> = records.into_values().collect();
        records.sort_unstable_by_key(|record| std::cmp::Reverse((record.ended, record.task.id())));
        let mut notes = HashMap::new();
        for history in &all {
            history.any.notes_into(&mut notes);
            history.not_ok.notes_into(&mut notes);
        }
        HistoryReading { records, notes }
    }

    /// What ended at `since` or later and is still held, the newest `limit` at most, newest first. The cost grows with what ended, not with
    /// what is held.
    pub fn read_since(&self, since: u64, limit: usize) -> Vec<(Record, Option<Arc<Note>>)> {
        let mut ended = Vec::new();
        for history in &self.all.lock().clone() {
            let mut records = HashMap::new();
            history.any.read_since(since, &mut records);
            history.not_ok.read_since(since, &mut records);
            ended.extend(records.into_values().map(|record| (record, history.clone())));
        }
        ended.sort_unstable_by_key(|(record, _)| std::cmp::Reverse((record.ended, record.task.id())));
        ended.truncate(limit);
        let with_note = |(record, history): (Record, Arc<ThreadHistory>)| (record, history.note_of(&record));
        ended.into_iter().map(with_note).collect()
    }

    /// Visits what ended since the last visit with the same marks, one mark a thread, as far as it is held. Costs a look at each ring where
    /// nothing has.
    pub fn visit_new(&self, marks: &mut Vec<u64>, mut visit: impl FnMut(&Record)) {
        let all = self.all.lock().clone();
        marks.resize(all.len().max(marks.len()), 0);
        for (history, mark) in all.iter().zip(marks) {
            history.any.visit_new(mark, &mut visit);
        }
    }

    /// One finished task.
    pub fn find(&self, id: u64) -> Option<(Record, Option<Arc<Note>>)> {
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

fn newest(
    histories: &[Arc<ThreadHistory>],
    ring: impl Fn(&ThreadHistory) -> &Ring,
    limit: usize,
) -> HashMap<u64, Record> {
    let mut records = HashMap::new();
    for history in histories {
        ring(history).read_into(&mut records);
    }
    if limit < records.len() {
        let mut ends: Vec<(u64, u64)> =
            records.values().map(|record| (record.ended, record.task.id())).collect();
        ends.sort_unstable();
        let cut = ends[ends.len() - limit.max(1)];
        records.retain(|id, record| 0 < limit && cut <= (record.ended, *id));
    }
    records
}
