//! The write side: the two rings of one thread, and the right to write to them.

use std::sync::Arc;

use super::chunk::{Chunk, Record};
use super::ring::{Note, Ring};
use crate::outcome::Outcome;
use crate::registry::slot::DETAILS;

/// The history of one thread, which another takes over when it ends.
#[derive(Debug)]
pub(super) struct ThreadHistory {
    pub(super) any: Ring,
    pub(super) not_ok: Ring,
}

/// The right to write to a history, which one thread has at a time.
#[derive(Debug)]
pub struct HistoryWriter {
    pub(super) shared: &'static ThreadHistory,
    any: Option<&'static Chunk>,
    not_ok: Option<&'static Chunk>,
}

impl ThreadHistory {
    pub(super) fn note_of(&self, record: &Record) -> Option<Arc<Note>> {
        if record.outcome == Outcome::Ok && !record.task.has(DETAILS) {
            return None;
        }
        let ring = if record.outcome == Outcome::Ok { &self.any } else { &self.not_ok };
        ring.find_note(record.task.id())
    }
}

impl HistoryWriter {
    pub(super) fn over(shared: &'static ThreadHistory) -> Self {
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
    pub(super) fn hand_over(&self) {
        self.any.iter().chain(&self.not_ok).for_each(|chunk| chunk.hand_over());
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
