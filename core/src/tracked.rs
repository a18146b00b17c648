//! A future or closure and its entry in the registry.
//!
//! Who writes a task's state: the poller, here, and the drop guard, here. The [protocol](crate::registry) says the rest.

use std::any::Any;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::Span;

use crate::registry::begin::{NewTask, begin, release_handle};
use crate::registry::end::{Ending, end};
use crate::registry::local::{Current, replace_current, with_local};
use crate::registry::slot::Reading;
use crate::registry::{TaskSlot, is_enabled, registry};

pin_project_lite::pin_project! {
    /// A future that is listed and measured while it lives, made by [`track`](crate::track).
    ///
    /// It does what the future does, and is what the future is: `Send`, `Sync`, `Unpin` and `UnwindSafe` if that is.
    /// Dropping it drops the future first, then the entry, so that a task is live until its destructors have run.
    ///
    /// # Panics
    ///
    /// Where the future does: a panic is counted and passed on.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Tracked<F> {
        #[pin]
        future: F,
        // After the future, which is dropped in this order.
        entry: Entry,
    }
}

impl<F> Tracked<F> {
    #[inline]
    pub(crate) fn new(future: F, entry: Entry) -> Self {
        Self { future, entry }
    }

    /// The task's id, unless it has ended or tracking is off.
    #[inline]
    pub(crate) fn current(&self) -> Option<Current> {
        self.entry.current()
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        this.entry.poll(|| future.poll(context))
    }
}

/// The entry of a live task; dropping it ends the task.
#[derive(Debug)]
pub struct Entry {
    /// `None` once the task has ended, or with tracking off.
    slot: Option<TaskSlot>,
    span: Option<Box<Span>>,
}

// Nothing that a panic could leave half done can be seen through an entry: slots are atomics.
impl UnwindSafe for Entry {}
impl RefUnwindSafe for Entry {}

impl Entry {
    #[inline]
    pub fn new(task: &NewTask<'_>, span: Option<Span>) -> Self {
        let slot = is_enabled().then(|| begin(task).slot);
        Self { slot, span: span.map(Box::new) }
    }

    #[inline]
    pub fn current(&self) -> Option<Current> {
        self.slot.map(|slot| Current { slot, id: slot.id() })
    }

    /// One poll of the task.
    #[inline]
    pub fn poll<T>(&mut self, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        let Self { slot: entry, span } = self;
        let _entered = span.as_deref().map(Span::enter);
        let Some(slot) = *entry else { return poll() };
        let registry = registry();
        let began = registry.clock.ticks();
        slot.poll_began(began);
        let outer = replace_current(Some(slot));
        let result = catch_unwind(AssertUnwindSafe(poll));
        replace_current(outer);
        let now = registry.clock.ticks();
        slot.poll_ended(began, now);
        let took = now.saturating_sub(began);
        if registry.config.notable_poll_ticks() < took {
            note_poll(&slot.own(), took);
        }
        match result {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(ready) => {
                if slot.ends_when_dropped() {
                    // What is dropped next has destructors, as that which a timeout gave up: the task ends behind them.
                    slot.mark_ready();
                } else {
                    *entry = None;
                    end(slot, Ending::Ready, now);
                }
                ready
            }
            Err(payload) => {
                *entry = None;
                end(slot, Ending::Panicked(text_of(&*payload)), now);
                resume_unwind(payload)
            }
        }
    }

    /// Part of the task's work: it does not end with it.
    pub fn stay<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let mut result = None;
        let _: Poll<()> = self.poll(|| {
            result = Some(work());
            Poll::Pending
        });
        result.expect("the work was done, or has unwound")
    }

    /// Ends the task as one that is done.
    pub fn finish(&mut self) {
        let _ = self.poll(|| Poll::Ready(()));
    }

    /// The whole of a blocking task.
    pub fn run<T>(mut self, closure: impl FnOnce() -> T) -> T {
        if let Some(current) = self.current() {
            release_handle(current);
        }
        match self.poll(|| Poll::Ready(closure())) {
            Poll::Ready(value) => value,
            Poll::Pending => unreachable!("a closure does not wait"),
        }
    }
}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let Some(now) = slot.ready_at() else {
            return end(slot, Ending::Dropped, registry().clock.ticks());
        };
        let _entered = self.span.as_deref().map(Span::enter);
        end(slot, Ending::Ready, now);
    }
}

/// A poll that is slow, or one of those that somebody wants to see.
#[cold]
fn note_poll(task: &Reading, took: u64) {
    let registry = registry();
    registry.polls.note(task.id(), took);
    if registry.config.slow_poll_ticks() < took {
        count_slow_poll(task);
    }
}

/// A closure is never "slow": it may block.
fn count_slow_poll(task: &Reading) {
    if task.kind() == crate::registry::kind::Kind::Blocking {
        return;
    }
    let registry = registry();
    with_local(
        |local| local.stripe_of(task.group(), registry).count_slow_poll(),
        || registry.group(task.group()).with_shared(crate::registry::stripe::Stripe::count_slow_poll),
    );
}

/// The text of a panic, where it has one.
fn text_of(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}
