//! loom models of asking, waking, capturing and ending:
//! `RUSTFLAGS="--cfg headcount_loom" cargo test -p headcount-core --lib model`.
//!
//! A waker is a flag here, and its cell a lock around one.

use loom::sync::Arc;
use loom::thread;

use super::board_model::{Board, Found, Watched};
use crate::registry::kind::{Kind, OnShutdown};
use crate::registry::slot::{ASKED, Birth, PLAIN, STORED, Slot, first_bits, group_bits, lineage};
use crate::sync::Mutex;

const ID: u64 = 1;

/// A task that is never ready, with the cell of its waker.
struct Task {
    slot: Slot<u64>,
    board: Board<u32>,
    cell: Mutex<Option<()>>,
    /// The runtime will poll it.
    is_woken: Mutex<bool>,
}

impl Task {
    fn new() -> Arc<Self> {
        let slot = Slot::new();
        slot.begin(&Birth {
            id: ID,
            bits: first_bits(Kind::Task, OnShutdown::Wait, ASKED),
            lineage: lineage(0, false),
            group: group_bits(0),
            started: 1,
        });
        let (cell, is_woken) = (Mutex::new(None), Mutex::new(false));
        Arc::new(Self { slot, board: Board::new(), cell, is_woken })
    }

    /// As the asker does it; false if the task has ended.
    fn ask(&self) -> bool {
        self.board.enter(ID, 7);
        let Some(mut locked) = self.slot.lock(ID) else { return false };
        if locked.has(PLAIN) {
            locked.clear(PLAIN);
            locked.set(ASKED);
        }
        let waker = *self.cell.lock();
        drop(locked);
        if waker.is_some() {
            *self.is_woken.lock() = true;
        }
        true
    }

    /// As a poll does it.
    fn poll(&self) {
        if !self.slot.is_asked() {
            return;
        }
        let buffer = if self.board.is_empty() { None } else { self.board.take(ID) };
        if self.slot.lineage() & STORED == 0 {
            *self.cell.lock() = Some(());
            self.slot.mark_stored(true);
        }
        if let Some(buffer) = buffer {
            self.board.put(ID, buffer, Watched::Pending);
        }
        let mut locked = self.slot.lock_any().expect("it has not ended");
        if self.board.awaits(ID) {
            drop(locked);
            *self.is_woken.lock() = true;
        } else {
            locked.clear(ASKED);
            locked.set(PLAIN);
        }
    }

    /// As the end of the task does it.
    fn end(&self) {
        self.slot.end();
        if self.slot.lineage() & STORED != 0 {
            self.slot.mark_stored(false);
            *self.cell.lock() = None;
        }
    }

    /// The runtime polls whatever is woken.
    fn run(&self) {
        while std::mem::replace(&mut *self.is_woken.lock(), false) {
            self.poll();
        }
    }
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A task is asked while its first poll stores its waker: it is captured, though nothing else ever wakes it.
#[test]
fn an_asking_is_not_missed_model() {
    explore(|| {
        let task = Task::new();
        let asker = thread::spawn({
            let task = task.clone();
            move || assert!(task.ask())
        });
        task.poll();
        task.run();
        asker.join().unwrap();
        task.run();
        assert_eq!(task.board.look(ID), Found::Done(7, Watched::Pending));
        assert!(task.slot.is_plain() && !task.slot.is_asked(), "its polls are plain again");
    });
}

/// A task is asked a second time while it answers the first: both are answered.
#[test]
fn a_second_asking_is_not_missed_model() {
    explore(|| {
        let task = Task::new();
        task.poll();
        task.ask();
        let worker = thread::spawn({
            let task = task.clone();
            move || task.run()
        });
        // One call at a time: the entry of the first is taken off before the second.
        task.board.withdraw(ID);
        assert!(task.ask());
        worker.join().unwrap();
        task.run();
        assert_eq!(task.board.look(ID), Found::Done(7, Watched::Pending));
    });
}

/// A task is asked while it ends: no waker is left behind, and the asking can be withdrawn.
#[test]
fn an_end_leaves_no_waker_model() {
    explore(|| {
        let task = Task::new();
        task.poll();
        let asker = thread::spawn({
            let task = task.clone();
            move || task.ask()
        });
        task.end();
        asker.join().unwrap();
        assert!(task.cell.lock().is_none());
        assert_eq!(task.slot.id(), 0);
        // The runtime polls no task that has ended.
        assert_eq!(task.board.look(ID), Found::Asked);
        assert_eq!(task.board.withdraw(ID), Some(7));
        assert!(task.board.is_empty());
    });
}
