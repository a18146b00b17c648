//! loom models of what threads share here: `RUSTFLAGS="--cfg headcount_loom" cargo test -p headcount-stack
//! --lib model`.
//!
//! The waker itself shares nothing that changes: its vtable reads a hook that lives longer than the poll.
//! What is between asking, waking, capturing and ending is of `headcount-core`, which has models of it.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::thread;

use crate::buffer::Buffer;
use crate::shared::{List, Published, Shared};

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// As `clone` does it on the thread that polls: a stack of two frames.
fn write(buffer: &Buffer, first: usize) {
    if let Some(mut stack) = buffer.open() {
        assert!(stack.write(first, 1) && stack.write(first + 1, 2));
        stack.close();
    }
}

/// A buffer is handed over through a lock, as the board of the core does it, while another thread clones the
/// waker: its reader sees whole stacks, and each clone once.
#[test]
fn a_buffer_is_handed_over_whole_model() {
    explore(|| {
        let board = Arc::new(Mutex::new(None));
        let poller = thread::spawn({
            let board = Arc::clone(&board);
            move || {
                let buffer = Arc::new(Buffer::new());
                buffer.begin(usize::MAX);
                let other = thread::spawn({
                    let buffer = Arc::clone(&buffer);
                    move || buffer.count_dropped()
                });
                write(&buffer, 10);
                write(&buffer, 20);
                // There is no room for a third.
                write(&buffer, 30);
                *board.lock().unwrap() = Some(Arc::clone(&buffer));
                other.join().unwrap();
                buffer
            }
        });
        if let Some(buffer) = board.lock().unwrap().take() {
            assert_eq!(buffer.stacks().collect::<Vec<_>>(), [[10, 11], [20, 21]]);
        }
        let buffer = poller.join().unwrap();
        assert_eq!((buffer.stacks().count(), buffer.dropped()), (2, 2));
    });
}

/// A thread ends while another reads the cells: none is read once its memory may be gone.
#[test]
fn a_cell_is_not_read_behind_its_thread_model() {
    static VALUE: u8 = 7;
    explore(|| {
        let list = Arc::new(List::new());
        // The thread's memory: the cell, and what stands for its end, which loom checks against each reading.
        let memory = Arc::new((Shared::<u8>::new(), UnsafeCell::new(true)));
        let owner = thread::spawn({
            let (list, memory) = (Arc::clone(&list), SharedHere(Arc::clone(&memory)));
            move || {
                let memory = memory.inner();
                let to = memory.0.address();
                list.enter(Published { id: 1, to });
                memory.0.set(Some(&VALUE));
                memory.0.set(None);
                list.leave(to);
                memory.1.with_mut(|alive| {
                    // SAFETY: loom finds a reading that is not over before this.
                    unsafe { *alive = false };
                });
            }
        });
        let seen = list.read(|entry| {
            // SAFETY: loom finds a reading that is not before the end.
            assert!(memory.1.with(|alive| unsafe { *alive }));
            entry.read()
        });
        assert!(seen.iter().all(|thread| thread.id == 1));
        owner.join().unwrap();
        assert!(list.read(|entry| entry.id).is_empty());
    });
}

/// A cell is set by one thread alone, so it is not `Sync`; the model's reader goes through the list.
struct SharedHere(Arc<(Shared<u8>, UnsafeCell<bool>)>);

impl SharedHere {
    fn inner(&self) -> &(Shared<u8>, UnsafeCell<bool>) {
        &self.0
    }
}

// SAFETY: the thread that it is moved to is the only one that sets the cell.
unsafe impl Send for SharedHere {}
