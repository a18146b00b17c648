//! The board: whose stack is asked for, and what came of it.

use crate::sync::{AtomicU64, Mutex, Ordering};

/// What a poll that was watched came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// The task waits on.
    Pending,
    /// It was ready.
    Ready,
    /// It panicked.
    Panicked,
}

/// Where an asking is.
#[derive(Debug)]
enum Step<B> {
    /// The buffer waits for the task's next poll.
    Asked(B),
    /// A poll has it.
    Taken,
    /// It is back.
    Done(B, Watched),
}

/// Askings by the ids of their tasks.
#[derive(Debug)]
pub struct Board<B> {
    /// How many wait for a poll: what each special poll reads.
    asked: AtomicU64,
    entries: Mutex<Vec<(u64, Step<B>)>>,
}

/// What the asker takes from the board.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<B> {
    /// The task was polled.
    Done(B, Watched),
    /// Nothing has polled it, and its entry stays.
    Asked,
    /// It is being polled.
    Taken,
}

impl<B> Board<B> {
    pub fn new() -> Self {
        Self { asked: AtomicU64::new(0), entries: Mutex::new(Vec::new()) }
    }

    /// Enters a task, before its slot is locked.
    pub fn enter(&self, id: u64, buffer: B) {
        self.entries.lock().push((id, Step::Asked(buffer)));
        self.asked.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether any task is asked for.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Acquire, but what a poll sees of it is ordered by what woke the task, or by the slot's lock.
        self.asked.load(Ordering::Acquire) == 0
    }

    /// Whether this task is asked for, and no poll has taken it yet. The caller holds its slot's lock.
    pub fn awaits(&self, id: u64) -> bool {
        let is_it = |(other, step): &(u64, Step<B>)| *other == id && matches!(step, Step::Asked(_));
        !self.is_empty() && self.entries.lock().iter().any(is_it)
    }

    /// Takes the buffer for a poll of this task, if it is asked for.
    pub fn take(&self, id: u64) -> Option<B> {
        let mut entries = self.entries.lock();
        let entry =
            entries.iter_mut().find(|(other, step)| *other == id && matches!(step, Step::Asked(_)))?;
        let Step::Asked(buffer) = std::mem::replace(&mut entry.1, Step::Taken) else {
            unreachable!("it was found as such")
        };
        self.asked.fetch_sub(1, Ordering::AcqRel);
        Some(buffer)
    }

    /// Puts the buffer back, after the poll.
    pub fn put(&self, id: u64, buffer: B, watched: Watched) {
        let mut entries = self.entries.lock();
        // If the asker has withdrawn the entry, the buffer is dropped after the lock.
        if let Some(entry) =
            entries.iter_mut().find(|(other, step)| *other == id && matches!(step, Step::Taken))
        {
            entry.1 = Step::Done(buffer, watched);
        }
    }

    /// The poll was that of a part of the task's work, and the part was ready.
    pub fn went_on(&self, id: u64) {
        let mut entries = self.entries.lock();
        for (_, step) in entries.iter_mut().filter(|(other, _)| *other == id) {
            if let Step::Done(_, watched @ Watched::Pending) = step {
                *watched = Watched::Ready;
            }
        }
    }

    /// What came of an asking. One that is done is taken off.
    pub fn look(&self, id: u64) -> Found<B> {
        let mut entries = self.entries.lock();
        let at = entries.iter().position(|(other, _)| *other == id);
        let Some(at) = at else { return Found::Taken };
        match &entries[at].1 {
            Step::Asked(_) => Found::Asked,
            Step::Taken => Found::Taken,
            Step::Done(..) => match entries.swap_remove(at).1 {
                Step::Done(buffer, watched) => Found::Done(buffer, watched),
                _ => unreachable!("it was found as such"),
            },
        }
    }

    /// Takes an asking off, whatever came of it.
    pub fn withdraw(&self, id: u64) -> Option<B> {
        let mut entries = self.entries.lock();
        let at = entries.iter().position(|(other, _)| *other == id)?;
        match entries.swap_remove(at).1 {
            Step::Asked(buffer) => {
                self.asked.fetch_sub(1, Ordering::AcqRel);
                Some(buffer)
            }
            Step::Taken => None,
            Step::Done(buffer, _) => Some(buffer),
        }
    }
}

impl<B> Default for Board<B> {
    fn default() -> Self {
        Self::new()
    }
}
