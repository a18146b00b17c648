//! Stacks of tasks that wait: what asks for them, and what a poll does about it.
//!
//! # Protocol
//!
//! ```text
//!  asks                                       polls
//!  ──────────────────────────────             ───────────────────────────────────────────
//!  enters the task on the [board](board)
//!  locks the slot:
//!    PLAIN becomes ASKED
//!    takes a clone of the stored waker
//!  wakes ───────────────────────────────────▶ ASKED: the poll takes the whole way
//!                                             takes the task's buffer from the board
//!                                             polls with a waker whose clones write to the buffer
//!                                             stores its waker, if none is stored
//!                                             puts the buffer back on the board
//!                                             locks the slot:
//!  takes the buffer from the board              is the task on the board again? then it stays ASKED,
//!                                                 and wakes itself
//!                                               else ASKED becomes PLAIN
//! ```
//!
//! The slot's lock orders the two. If the asker locks first, its entry is on the board when the poll looks.
//! If the poll locks first, its waker is stored, so the asker wakes it.
//!
//! An entry belongs to one asking: a task that ends with it takes nothing along, and the asker finds that the
//! slot is another task's. An entry that nothing took in time is withdrawn.

#[cfg(feature = "stacks")]
mod asker;
#[cfg(feature = "stacks")]
pub mod board;
#[cfg(all(test, headcount_loom, not(feature = "stacks")))]
#[path = "board.rs"]
mod board_model;
#[cfg(all(test, headcount_loom, not(feature = "stacks")))]
mod model;
#[cfg(feature = "stacks")]
mod watch;

#[cfg(feature = "stacks")]
pub use asker::{Capture, Captured, MOST_AT_ONCE, capture, store_wakers, threads};
/// Where the sources of this crate are, as the debug information has it.
#[cfg(feature = "stacks")]
pub const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");

#[cfg(feature = "stacks")]
pub use watch::{Watch, publish, went_on};

#[cfg(not(feature = "stacks"))]
pub(crate) use none::{Watch, publish, went_on};

/// Without the feature, a poll does nothing for stacks.
#[cfg(not(feature = "stacks"))]
mod none {
    use std::task::{Poll, Waker};

    use crate::registry::TaskSlot;

    #[derive(Debug)]
    pub(crate) struct Watch;

    impl Watch {
        #[inline]
        pub(crate) fn begin(_: TaskSlot, _: Option<&Waker>) -> Self {
            Self
        }

        #[inline]
        #[allow(clippy::unused_self, reason = "with the feature it has some")]
        pub(crate) fn poll<T>(&self, poll: &mut dyn FnMut(Option<&Waker>) -> Poll<T>) -> Poll<T> {
            poll(None)
        }

        #[inline]
        #[allow(clippy::unused_self, reason = "with the feature it has some")]
        pub(crate) fn end<T>(self, _: TaskSlot, _: &std::thread::Result<Poll<T>>) {}
    }

    #[inline]
    pub(crate) fn publish() {}

    #[inline]
    pub(crate) fn went_on(_: u64) {}
}
