//! All threads' histories: lent to writers, and read together.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use super::chunk::Record;
use super::ring::{Filled, Note, Ring};
use super::writer::{HistoryWriter, ThreadHistory};
use crate::sync::Mutex;

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
    use super::super::chunk::RECORDS;
    use super::*;
    use crate::outcome::Outcome;
    use crate::registry::slot::{FLAG_BITS, Reading};

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
        histories.all.lock().iter().map(|history| history.any.chunk_count()).sum()
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
