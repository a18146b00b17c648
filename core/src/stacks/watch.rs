//! What a poll does for stacks.

use std::task::{Poll, Waker};

use headcount_stack::Buffer;

use super::asker::board;
use super::board::Watched;
use crate::registry::hot::publish_current;
use crate::registry::slot::{ASKED, PLAIN, STORED};
use crate::registry::{TaskSlot, wakers};

/// One poll of a task that takes the whole way.
#[derive(Debug)]
pub struct Watch<'a> {
    waker: Option<&'a Waker>,
    asked: Option<Asked>,
}

/// The stack is asked for.
#[derive(Debug)]
struct Asked {
    id: u64,
    buffer: Box<Buffer>,
    /// Since when the task is in its state.
    since: u64,
}

impl<'a> Watch<'a> {
    /// Before the poll.
    pub fn begin(slot: TaskSlot, waker: Option<&'a Waker>) -> Self {
        let asked = waker.filter(|_| !board().is_empty()).and_then(|_| {
            let id = slot.id();
            Some(Asked { id, buffer: board().take(id)?, since: slot.since_mark() })
        });
        if wakers::are_stored() {
            publish();
        }
        Self { waker, asked }
    }

    /// The poll itself.
    pub fn poll<T>(&self, poll: &mut dyn FnMut(Option<&Waker>) -> Poll<T>) -> Poll<T> {
        match (self.waker, &self.asked) {
            (Some(waker), Some(asked)) => {
                headcount_stack::watch(waker, &asked.buffer, |watched| poll(Some(watched)))
            }
            _ => poll(None),
        }
    }

    /// After the poll, while the task has not ended.
    pub fn end<T>(self, slot: TaskSlot, result: &std::thread::Result<Poll<T>>) {
        let watched = match result {
            Ok(Poll::Pending) => Watched::Pending,
            Ok(Poll::Ready(_)) => Watched::Ready,
            Err(_) => Watched::Panicked,
        };
        let Self { waker, asked } = self;
        let Some(waker) = waker else { return };
        if watched == Watched::Pending {
            if slot.lineage() & STORED == 0
                && wakers::are_stored()
                && wakers::is_stored_for(slot.own().kind())
            {
                wakers::store(slot, waker);
            }
            if let Some(asked) = &asked {
                // The poll was not the task's own idea: it has waited since before.
                slot.restore_since(asked.since);
            }
        }
        if let Some(Asked { id, buffer, .. }) = asked {
            board().put(id, buffer, watched);
        }
        // After the waker was stored: an asker that has not found it has entered the board before.
        if watched == Watched::Pending && (slot.is_asked() || !board().is_empty()) {
            give_back(slot, waker);
        }
    }
}

/// Makes the task's polls plain again, unless it was asked for meanwhile. Then it wakes itself, since the
/// asker may not have found its waker.
fn give_back(slot: TaskSlot, waker: &Waker) {
    let Some(mut task) = slot.lock_any() else { return };
    if board().awaits(slot.id()) {
        drop(task);
        waker.wake_by_ref();
    } else if task.has(ASKED) {
        task.clear(ASKED);
        task.set(PLAIN);
    }
}

/// A part of the task's work was ready in the poll that was asked for, and the task goes on.
pub fn went_on(id: u64) {
    board().went_on(id);
}

/// Lets other threads read which task this one polls, if anything may ask.
#[inline]
pub fn publish() {
    if wakers::are_stored() {
        publish_current();
    }
}
