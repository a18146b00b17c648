//! Where tasks wait, and what holds those that do not.
//!
//! ```text
//!  API · stack(id) · SIGQUIT · the drain ──▶ service ──▶ core's `capture`
//!                                               ▲               │ instruction pointers
//!                                             tree  ◀── frames ◀┘ named on the same thread
//! ```
//!
//! A capture polls the application's code once more, so the setting `stacks` permits it. [`kernel`] reads
//! what the system says of a thread that is inside a poll, which polls nothing.
//!
//! Bounds: one question at a time, so many questions and tasks a second, [`MOST_TASKS`](dump::MOST_TASKS)
//! tasks of a dump, the frames and bytes of a buffer, the captures that are kept. What is refused or left out
//! is counted.

#[cfg(feature = "stacks")]
mod dump;
#[cfg(feature = "stacks")]
mod frames;
#[cfg(feature = "stacks")]
mod kernel;
#[cfg(feature = "stacks")]
mod service;
#[cfg(feature = "stacks")]
mod source;
mod tree;

#[cfg(feature = "stacks")]
pub(crate) use service::{Refused, Service, keep, service, start};
#[cfg(feature = "stacks")]
pub use service::{StackError, stack};
pub(crate) use tree::{Folded, StackDump};
#[cfg_attr(not(feature = "stacks"), allow(unused_imports))]
pub use tree::{StackBranch, StackFrame, StackResult, StackThread, TaskStack};

use std::sync::Arc;

use crate::registry::local::Current;

/// What the last capture of a task said, if it is not old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LastWords {
    /// `waits in shop::mail::send → Semaphore::acquire (src/mail.rs:88)`.
    Waits(String),
    /// What holds a task that is inside a poll.
    Held(HeldWords),
}

/// What holds a task that is inside a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldWords {
    /// `in fsync(2) of /var/lib/app/wal`.
    pub(crate) what: String,
    /// `src/report.rs:12`: the last line of the application in its thread's stack.
    pub(crate) place: Option<Arc<str>>,
}

/// What the last capture of a task said.
pub(crate) fn last_words(id: u64) -> Option<LastWords> {
    #[cfg(feature = "stacks")]
    return service()?.last_words(id);
    #[cfg(not(feature = "stacks"))]
    {
        let _ = id;
        None
    }
}

/// Has these tasks captured in a while, for [`last_words`].
pub(crate) fn prepare(tasks: Vec<Current>) {
    #[cfg(feature = "stacks")]
    if let Some(service) = service() {
        service.prepare(tasks);
    }
    #[cfg(not(feature = "stacks"))]
    drop(tasks);
}

/// Asks all tasks some time soon, and hands over what comes; or says why it does not.
pub(crate) fn dump_soon(then: impl FnOnce(&StackDump) + Send + 'static) -> Result<(), &'static str> {
    #[cfg(feature = "stacks")]
    if let Some(service) = service() {
        return service.dump_soon(then).then_some(()).ok_or("too many questions for stacks wait already");
    }
    drop(then);
    Err("this build lacks the feature `stacks`")
}

/// What holds each of these tasks in its poll.
#[cfg_attr(not(feature = "stacks"), allow(clippy::unused_async, reason = "with the feature it waits"))]
pub(crate) async fn held_by(tasks: &[Current]) -> Vec<Option<HeldWords>> {
    #[cfg(feature = "stacks")]
    if let Some(service) = service() {
        return service.held_by(tasks).await;
    }
    vec![None; tasks.len()]
}
