//! Context that survives a spawn: taken where a task is spawned, and entered around each of its polls.
//!
//! A detached task starts with nothing: its spans have no parent, and task-local values are not set. That is
//! right, because the request that spawned it has often ended before. What the task is to have anyway is
//! named once, where headcount is installed, with `Headcount::builder().carry(…)`. Nothing else is carried.
//!
//! | | carries |
//! |---|---|
//! | [`span_link`] | a span of its own, with a link to the span that was current at the spawn |
//! | [`task_local`] | the value of a [`tokio::task_local!`] |
//! | `opentelemetry` of `headcount` | the same for OpenTelemetry, the baggage, and the trace's id |
//! | a [`Carrier`] of your own | anything else |
//!
//! It acts on all spawn functions, also on [`spawn_blocking`](fn@crate::spawn_blocking) and
//! [`track`](fn@crate::track), and on tasks that tasks spawn. Requests are where context begins, so nothing
//! is carried to them. With `HEADCOUNT=off` tasks still carry, because they may need what they carry; then
//! nothing of it is shown.
//!
//! # Cost
//!
//! Without a carrier, none. With one, each spawn takes the whole way and allocates, and each poll of a
//! task that carries something takes two short locks of its own.

mod local;
mod span_link;

use std::borrow::Cow;

use crate::id::TaskId;
use crate::outcome::Outcome;

pub use self::local::{TaskLocal, task_local};
pub use self::span_link::{SpanLink, span_link};

/// A task that is being spawned.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Spawn<'a> {
    /// The task's name.
    pub name: &'a str,
    /// The task's id; `None` with `HEADCOUNT=off`.
    pub id: Option<TaskId>,
    /// Whether the code that spawns gave the task a span, which its polls are in.
    pub has_span: bool,
}

impl<'a> Spawn<'a> {
    pub(crate) const fn new(name: &'a str, id: Option<TaskId>, has_span: bool) -> Self {
        Self { name, id, has_span }
    }
}

/// Takes what the code that spawns a task has.
///
/// A carrier that panics costs the task what it would have carried and nothing else. It is counted in
/// `headcount_carriers_dropped_total`, and a line of the log names it once. Tasks that `take` spawns carry
/// nothing.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// use std::cell::Cell;
///
/// use headcount::carry::{Carried, Carrier, Spawn};
///
/// thread_local!(static REGION: Cell<u32> = const { Cell::new(0) });
///
/// struct Region(u32);
///
/// struct RegionCarrier;
///
/// impl Carrier for RegionCarrier {
///     fn name(&self) -> &str {
///         "region"
///     }
///
///     fn take(&self, _: &Spawn<'_>) -> Option<Box<dyn Carried>> {
///         Some(Box::new(Region(REGION.get())))
///     }
/// }
///
/// impl Carried for Region {
///     fn enter(&mut self, poll: &mut dyn FnMut()) {
///         let outer = REGION.replace(self.0);
///         poll();
///         self.0 = REGION.replace(outer);
///     }
/// }
/// ```
pub trait Carrier: Send + Sync + 'static {
    /// Its name, for the log.
    fn name(&self) -> &str;

    /// Takes what the task is to have; `None` where there is nothing. It runs on the thread that spawns, so
    /// it must not block.
    fn take(&self, task: &Spawn<'_>) -> Option<Box<dyn Carried>>;
}

/// What one task carries, until it ends.
pub trait Carried: Send + 'static {
    /// Runs one poll, or the closure of a blocking task, with what is carried.
    ///
    /// `poll` is to be called once, and does not unwind. Where it is not called, headcount calls it without
    /// what is carried, and counts that as a panic of the carrier.
    fn enter(&mut self, poll: &mut dyn FnMut());

    /// The id of the trace that the spawn belongs to, for the failure's line, the API and the metrics'
    /// exemplars. The first carrier that has one gives it. Asked once, at the spawn.
    fn trace_id(&self) -> Option<String> {
        None
    }

    /// What is to be seen of it: fields of the task, where the task has none with that key. Asked once, at
    /// the spawn.
    fn fields(&self) -> Vec<(Cow<'static, str>, String)> {
        Vec::new()
    }

    /// The task has ended. With `HEADCOUNT=off` it is not called.
    fn end(&mut self, outcome: Outcome) {
        let _ = outcome;
    }
}
