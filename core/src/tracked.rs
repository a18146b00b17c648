//! A future or closure and its entry in the registry.
//!
//! The poller and the drop guard in this module write a task's state. The [protocol](crate::registry)
//! describes the rest.

use std::any::Any;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tracing::Span;

use crate::clock;
use crate::registry::begin::{Begun, release_handle};
use crate::registry::end::{Ending, end, end_dropped};
use crate::registry::flags::{CARRIES, flags};
use crate::registry::local::{Current, current, replace_current, with_local};
use crate::registry::panicked::with_place;
use crate::registry::runtimes::Root;
use crate::registry::slot::{DETAILS, Reading};
use crate::registry::{TaskSlot, is_enabled, registry};
use crate::stacks::{self, Watch};

pin_project_lite::pin_project! {
    /// A future that is listed and measured while it lives, made by [`track`](crate::track).
    ///
    /// It does what the future does, and is what the future is: `Send`, `Sync`, `Unpin` and `UnwindSafe` if
    /// that is. Dropping it drops the future first, then the entry, so that a task is live until its
    /// destructors have run.
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
        host: Host,
    }
}

impl<F> Tracked<F> {
    /// A future that a task is made of.
    #[inline]
    pub(crate) fn new(future: F, entry: Entry) -> Self {
        Self { future, entry, host: Host::None }
    }

    /// A future that lives in whatever task polls it.
    #[inline]
    pub(crate) fn guest(future: F, entry: Entry) -> Self {
        Self { future, entry, host: Host::Unknown }
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        if matches!(this.host, Host::Unknown) {
            *this.host = Host::of(this.entry);
        }
        let waker = Some(context.waker());
        this.entry.poll_with(waker, |watched| poll_with(future, context, watched))
    }
}

/// The task that a tracked future lives in, if headcount does not track that task itself: it then counts as
/// tracked while the future lives.
#[derive(Debug)]
enum Host {
    /// It was not polled yet.
    Unknown,
    None,
    Task(Root),
}

impl Host {
    #[cold]
    fn of(entry: &Entry) -> Self {
        // Inside a tracked task there is nothing to count.
        if entry.current().is_none() || current().is_some() {
            return Self::None;
        }
        registry().runtimes.enter_root().map_or(Self::None, Self::Task)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Self::Task(root) = self {
            registry().runtimes.leave_root(*root);
        }
    }
}

pin_project_lite::pin_project! {
    /// A future that was handed to a runtime, with its task: [`Tracked`] without a span, which is a word less
    /// to move.
    #[derive(Debug)]
    pub struct Spawned<F> {
        #[pin]
        future: F,
        // After the future, which is dropped in this order.
        life: Life,
    }
}

impl<F> Spawned<F> {
    #[inline]
    pub fn new(future: F, life: Life) -> Self {
        Self { future, life }
    }

    /// A future that has its task itself.
    #[inline]
    pub fn untracked(future: F) -> Self {
        Self::new(future, Life::of(None))
    }
}

impl<F: Future> Future for Spawned<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        let waker = Some(context.waker());
        this.life.poll(waker, |watched| poll_with(future, context, watched))
    }
}

/// Polls with the context, or with this waker in its place.
#[inline(always)]
#[allow(clippy::inline_always, reason = "the fast way of a poll knows that there is no other waker")]
fn poll_with<F: Future>(
    future: Pin<&mut F>,
    context: &mut Context<'_>,
    watched: Option<&Waker>,
) -> Poll<F::Output> {
    match watched {
        None => future.poll(context),
        Some(waker) => future.poll(&mut Context::from_waker(waker)),
    }
}

/// A live task; dropping this ends it.
#[derive(Debug)]
pub struct Life {
    /// `None` once the task has ended, or with tracking off.
    slot: Option<TaskSlot>,
}

// Nothing that a panic could leave half done can be seen through it: slots are atomics.
impl UnwindSafe for Life {}
impl RefUnwindSafe for Life {}

impl Life {
    #[inline]
    pub fn of(begun: Option<Begun>) -> Self {
        Self { slot: begun.map(|begun| begun.slot) }
    }

    #[inline]
    pub fn current(&self) -> Option<Current> {
        self.slot.map(|slot| Current { slot, id: slot.id() })
    }

    /// One poll of the task, whose waker this is. `poll` gets another one where the stack is asked for.
    #[inline]
    pub fn poll<T>(
        &mut self,
        waker: Option<&Waker>,
        poll: impl FnOnce(Option<&Waker>) -> Poll<T>,
    ) -> Poll<T> {
        let Some(slot) = self.slot else { return poll(None) };
        if !slot.is_plain() {
            let mut poll = Some(poll);
            // A reference, so that not each future has the whole way compiled for it.
            return self.poll_special(slot, waker, &mut |watched| match poll.take() {
                Some(poll) => poll(watched),
                None => unreachable!("it is polled once"),
            });
        }
        let began = clock::counter();
        slot.poll_began(began);
        let outer = replace_current(Some(slot));
        let result = catch_unwind(AssertUnwindSafe(|| poll(None)));
        replace_current(outer);
        let now = clock::counter();
        slot.poll_ended(began, now);
        let took = now.saturating_sub(began);
        if flags().notable_poll_ticks() < took {
            note_poll(slot, took);
        }
        match result {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(ready) => {
                // What is dropped next has destructors, as the future that a timeout cuts: the task ends
                // behind them.
                slot.mark_ready();
                ready
            }
            Err(payload) => {
                self.slot = None;
                end_panicked(slot, now, payload)
            }
        }
    }

    /// A poll of a task that ends where it is ready, of one whose stack is asked for, or of any where the
    /// processor's counter is no clock.
    #[cold]
    #[inline(never)]
    fn poll_special<T>(
        &mut self,
        slot: TaskSlot,
        waker: Option<&Waker>,
        poll: &mut dyn FnMut(Option<&Waker>) -> Poll<T>,
    ) -> Poll<T> {
        if slot.identity() & DETAILS == 0 || !flags().see().has(CARRIES) {
            return self.poll_outside(slot, waker, poll);
        }
        let mut result = None;
        let mut inside = || {
            let poll = || if is_enabled() { self.poll_outside(slot, waker, poll) } else { poll(None) };
            result = Some(catch_unwind(AssertUnwindSafe(poll)));
        };
        registry().carriers.poll(slot.id(), &mut inside);
        match result {
            Some(Ok(poll)) => poll,
            Some(Err(payload)) => resume_unwind(payload),
            None => unreachable!("it is polled, whatever its carriers do"),
        }
    }

    /// The poll itself, whatever the task carries.
    fn poll_outside<T>(
        &mut self,
        slot: TaskSlot,
        waker: Option<&Waker>,
        poll: &mut dyn FnMut(Option<&Waker>) -> Poll<T>,
    ) -> Poll<T> {
        let clock = registry().clock;
        let watch = Watch::begin(slot, waker);
        let began = clock.ticks();
        slot.poll_began(began);
        let outer = replace_current(Some(slot));
        let result = catch_unwind(AssertUnwindSafe(|| watch.poll(poll)));
        replace_current(outer);
        let now = clock.ticks();
        slot.poll_ended(began, now);
        let took = now.saturating_sub(began);
        if flags().notable_poll_ticks() < took {
            note_poll(slot, took);
        }
        watch.end(slot, &result);
        match result {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(ready) => {
                if slot.ends_when_dropped() {
                    slot.mark_ready();
                } else {
                    self.slot = None;
                    end(slot, Ending::Ready, now);
                }
                ready
            }
            Err(payload) => {
                self.slot = None;
                end_panicked(slot, now, payload)
            }
        }
    }
}

impl Drop for Life {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            end_dropped(slot);
        }
    }
}

/// A live task and the span that it is polled in; dropping it ends the task inside the span.
#[derive(Debug)]
pub struct Entry {
    life: Life,
    span: Option<Box<Span>>,
}

// A span is only entered and left.
impl UnwindSafe for Entry {}
impl RefUnwindSafe for Entry {}

impl Entry {
    pub fn new(begun: Option<Begun>, span: Option<Span>) -> Self {
        Self { life: Life::of(begun), span: span.map(Box::new) }
    }

    #[inline]
    pub fn current(&self) -> Option<Current> {
        self.life.current()
    }

    /// One poll of the task, whose waker this is.
    #[inline]
    pub fn poll_with<T>(
        &mut self,
        waker: Option<&Waker>,
        poll: impl FnOnce(Option<&Waker>) -> Poll<T>,
    ) -> Poll<T> {
        let Self { life, span } = self;
        let _entered = span.as_deref().map(Span::enter);
        life.poll(waker, poll)
    }

    /// One poll of a task that has no waker.
    #[inline]
    pub fn poll<T>(&mut self, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        self.poll_with(None, |_| poll())
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

    /// A poll of a part of the task's work: the task does not end with it.
    pub fn stay_polled<T>(
        &mut self,
        context: &mut Context<'_>,
        work: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let (mut result, mut is_asked) = (Poll::Pending, false);
        let waker = Some(context.waker());
        let _: Poll<()> = self.poll_with(waker, |watched| {
            is_asked = watched.is_some();
            result = match watched {
                None => work(context),
                Some(waker) => work(&mut Context::from_waker(waker)),
            };
            Poll::Pending
        });
        if is_asked && result.is_ready() {
            self.current().into_iter().for_each(|task| stacks::went_on(task.id));
        }
        result
    }

    /// Ends the task as one that is done.
    pub fn finish(&mut self) {
        let _ = self.poll(|| Poll::Ready(()));
    }

    /// The whole of a blocking task.
    pub fn run<T>(mut self, closure: impl FnOnce() -> T) -> T {
        if let Some(current) = self.current() {
            release_handle(current);
            stacks::publish();
        }
        match self.poll(|| Poll::Ready(closure())) {
            Poll::Ready(value) => value,
            Poll::Pending => unreachable!("a closure does not wait"),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let _entered = self.span.as_deref().map(Span::enter);
        drop(Life { slot: self.life.slot.take() });
    }
}

#[cold]
#[inline(never)]
fn end_panicked(slot: TaskSlot, now: u64, payload: Box<dyn Any + Send>) -> ! {
    let text = with_place(slot.id(), text_of(&*payload));
    end(slot, Ending::Panicked(text), now);
    resume_unwind(payload)
}

/// A poll that is slow, or one that an observer watches.
#[cold]
#[inline(never)]
fn note_poll(slot: TaskSlot, took: u64) {
    let task = &slot.own();
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
        |local, _| local.stripe_of(task.group(), registry).count_slow_poll(),
        || registry.group(task.group()).with_shared(crate::registry::stripe::Stripe::count_slow_poll),
    );
}

/// The text of a panic, where it has one.
fn text_of(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}
