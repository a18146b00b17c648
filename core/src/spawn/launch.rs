//! How a task that has begun is handed to tokio.

use std::fmt::{self, Display};
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tracing::Span;

use super::admit::{Gated, Hold, Ruling, closed, finished, finished_local, is_special, note, rule};
#[cfg(tokio_unstable)]
use super::named;
use crate::current::note_failure;
use crate::registry::begin::{Begun, begin_known, hold};
use crate::registry::hot::hot;
use crate::registry::panicked::drop_contained;
use crate::registry::registry;
use crate::tracked::{Entry, Life, Spawned, Tracked};

/// Larger tasks are boxed before they are begun, as tokio does it with futures. An unoptimised build moves a
/// future at each call, and a box keeps a large one off the stack.
const BOXED_ABOVE: usize = if cfg!(debug_assertions) { 2048 } else { 16384 };

/// Whether a future or closure is boxed: a constant, so that only one of the two ways is compiled for each
/// type.
pub(super) struct Size<F>(std::marker::PhantomData<F>);

impl<F> Size<F> {
    pub(super) const IS_LARGE: bool = BOXED_ABOVE < size_of::<Spawned<F>>();
}

/// Begins a task that has nothing but its code and its location.
#[inline]
pub(super) fn begin_code<F, const KIND: u64>(location: &'static Location<'static>) -> Option<Begun> {
    begin_known::<0, KIND, false>(std::any::type_name::<F>(), [], location)
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn launch<F>(future: F, begun: Option<Begun>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if Size::<F>::IS_LARGE {
        launch_task(Spawned::new(Box::pin(future), Life::of(begun)), begun)
    } else {
        launch_task(Spawned::new(future, Life::of(begun)), begun)
    }
}

/// [`launch`] of a task that may have a span. A large future is boxed before anything else moves it.
#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn launch_with<F>(future: F, begun: Option<Begun>, span: Option<Span>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if Size::<F>::IS_LARGE {
        launch_boxed_with(Box::pin(future), begun, span)
    } else {
        launch_boxed_with(future, begun, span)
    }
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
fn launch_boxed_with<F>(future: F, begun: Option<Begun>, span: Option<Span>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match span {
        None => launch(future, begun),
        Some(span) => launch_in_span(future, begun, span),
    }
}

/// [`launch`] of a task that is polled and dropped inside a span. One type for all futures with the same
/// output, so that spans do not double what is compiled for each.
#[track_caller]
#[cold]
fn launch_in_span<F>(future: F, begun: Option<Begun>, span: Span) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let future: Pin<Box<dyn Future<Output = F::Output> + Send>> =
        Box::pin(Tracked::new(future, Entry::new(begun, Some(span))));
    launch_task(Spawned::untracked(future), begun)
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
fn launch_task<F>(task: Spawned<F>, begun: Option<Begun>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if is_special(begun) {
        match rule(begun) {
            Ruling::Plain => {}
            Ruling::Out(out) => {
                refuse(task);
                return finished(out);
            }
            Ruling::Held(hold) => return launch_held(task, begun, hold),
        }
    }
    let born = born(begun);
    #[cfg(tokio_unstable)]
    let handle = named::spawn(task, begun);
    #[cfg(not(tokio_unstable))]
    let handle = tokio::spawn(task);
    held(begun, born, handle)
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn launch_on<F>(future: F, begun: Option<Begun>, runtime: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if Size::<F>::IS_LARGE {
        launch_task_on(Spawned::new(Box::pin(future), Life::of(begun)), begun, runtime)
    } else {
        launch_task_on(Spawned::new(future, Life::of(begun)), begun, runtime)
    }
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn launch_on_with<F>(
    future: F,
    begun: Option<Begun>,
    span: Option<Span>,
    runtime: &Handle,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if Size::<F>::IS_LARGE {
        launch_boxed_on_with(Box::pin(future), begun, span, runtime)
    } else {
        launch_boxed_on_with(future, begun, span, runtime)
    }
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
fn launch_boxed_on_with<F>(
    future: F,
    begun: Option<Begun>,
    span: Option<Span>,
    runtime: &Handle,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match span {
        None => launch_on(future, begun, runtime),
        Some(span) => launch_on_in_span(future, begun, span, runtime),
    }
}

#[track_caller]
#[cold]
fn launch_on_in_span<F>(
    future: F,
    begun: Option<Begun>,
    span: Span,
    runtime: &Handle,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let future: Pin<Box<dyn Future<Output = F::Output> + Send>> =
        Box::pin(Tracked::new(future, Entry::new(begun, Some(span))));
    launch_task_on(Spawned::untracked(future), begun, runtime)
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
fn launch_task_on<F>(task: Spawned<F>, begun: Option<Begun>, runtime: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if is_special(begun) {
        match rule(begun) {
            Ruling::Plain => {}
            Ruling::Out(out) => {
                refuse(task);
                return finished(out);
            }
            Ruling::Held(hold) => return launch_held_on(task, begun, hold, runtime),
        }
    }
    let born = born(begun);
    #[cfg(tokio_unstable)]
    let handle = named::spawn_on(task, begun, runtime);
    #[cfg(not(tokio_unstable))]
    let handle = runtime.spawn(task);
    if begun.is_some() && hot(|hot| hot.spawned_on.replace(Some(runtime.id()))) != Some(runtime.id()) {
        registry().runtimes.meet(runtime);
    }
    held(begun, born, handle)
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn launch_local<F>(future: F, begun: Option<Begun>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if Size::<F>::IS_LARGE {
        launch_task_local(Spawned::new(Box::pin(future), Life::of(begun)), begun)
    } else {
        launch_task_local(Spawned::new(future, Life::of(begun)), begun)
    }
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn launch_local_with<F>(
    future: F,
    begun: Option<Begun>,
    span: Option<Span>,
) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if Size::<F>::IS_LARGE {
        launch_boxed_local_with(Box::pin(future), begun, span)
    } else {
        launch_boxed_local_with(future, begun, span)
    }
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
fn launch_boxed_local_with<F>(future: F, begun: Option<Begun>, span: Option<Span>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match span {
        None => launch_local(future, begun),
        Some(span) => launch_local_in_span(future, begun, span),
    }
}

#[track_caller]
#[cold]
fn launch_local_in_span<F>(future: F, begun: Option<Begun>, span: Span) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let future: Pin<Box<dyn Future<Output = F::Output>>> =
        Box::pin(Tracked::new(future, Entry::new(begun, Some(span))));
    launch_task_local(Spawned::untracked(future), begun)
}

#[track_caller]
#[cfg_attr(not(debug_assertions), inline(always))]
fn launch_task_local<F>(task: Spawned<F>, begun: Option<Begun>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if is_special(begun) {
        match rule(begun) {
            Ruling::Plain => {}
            Ruling::Out(out) => {
                refuse(task);
                return finished_local(out);
            }
            Ruling::Held(hold) => return launch_held_local(task, begun, hold),
        }
    }
    let born = born(begun);
    #[cfg(tokio_unstable)]
    let handle = named::spawn_local(task, begun);
    #[cfg(not(tokio_unstable))]
    let handle = tokio::task::spawn_local(task);
    held(begun, born, handle)
}

#[track_caller]
#[inline]
pub(super) fn launch_blocking<F, R>(closure: F, begun: Option<Begun>, span: Option<Span>) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let entry = Entry::new(begun, span);
    if Size::<F>::IS_LARGE {
        let closure: Box<dyn FnOnce() -> R + Send> = Box::new(closure);
        launch_blocking_sized(closure, begun, entry)
    } else {
        launch_blocking_sized(closure, begun, entry)
    }
}

#[track_caller]
#[inline]
fn launch_blocking_sized<F, R>(closure: F, begun: Option<Begun>, entry: Entry) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let mut hold = None;
    if is_special(begun) {
        match rule(begun) {
            Ruling::Plain => {}
            Ruling::Out(out) => {
                refuse((closure, entry));
                return finished(out);
            }
            Ruling::Held(held) if held.waits() => return launch_waiting(closure, begun, entry, held),
            Ruling::Held(held) => hold = Some(held),
        }
    }
    let born = born(begun);
    // Dropped unrun, the closure goes first: a task is live until its destructors have run.
    let handles = hold.as_ref().map(|hold| hold.handles());
    let task = (closure, entry, hold);
    let run = move || {
        let (closure, entry, mut hold) = task;
        if let Some(hold) = &mut hold {
            hold.admit();
        }
        entry.run(closure)
    };
    #[cfg(tokio_unstable)]
    let handle = named::spawn_blocking(run, begun);
    #[cfg(not(tokio_unstable))]
    let handle = tokio::task::spawn_blocking(run);
    if let Some(handles) = handles {
        handles.set(|| handle.abort_handle());
    }
    held(begun, born, handle)
}

/// A closure that waits for its limit or key: in a task, since a thread of the pool would wait with it.
#[track_caller]
#[cold]
fn launch_waiting<F, R>(closure: F, begun: Option<Begun>, entry: Entry, hold: Box<Hold>) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let born = born(begun);
    let handles = hold.handles();
    // Dropped in this order where it is aborted while it waits, before its first poll and after it.
    let task = (closure, entry, hold);
    let handle = tokio::spawn(async move {
        let mut task = task;
        std::future::poll_fn(|context| task.2.poll(context)).await;
        let run = move || {
            let (closure, entry, _hold) = task;
            entry.run(closure)
        };
        let mut running = AbortOnDrop(tokio::task::spawn_blocking(run));
        match (&mut running.0).await {
            Ok(value) => value,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime ends, and drops this task too.
            Err(_) => std::future::pending().await,
        }
    });
    handles.set(|| handle.abort_handle());
    held(begun, born, handle)
}

/// A closure that no thread has taken yet is dropped with the task that waits for it.
struct AbortOnDrop<R>(JoinHandle<R>);

impl<R> Drop for AbortOnDrop<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// [`launch_task`] behind what the task must pass. One type for all futures with the same output.
#[track_caller]
#[cold]
fn launch_held<F>(task: Spawned<F>, begun: Option<Begun>, hold: Box<Hold>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (born, handles) = (born(begun), hold.handles());
    let future: Pin<Box<dyn Future<Output = F::Output> + Send>> = Box::pin(Gated::new(task, hold));
    #[cfg(tokio_unstable)]
    let handle = named::spawn(future, begun);
    #[cfg(not(tokio_unstable))]
    let handle = tokio::spawn(future);
    handles.set(|| handle.abort_handle());
    held(begun, born, handle)
}

#[track_caller]
#[cold]
fn launch_held_on<F>(
    task: Spawned<F>,
    begun: Option<Begun>,
    hold: Box<Hold>,
    runtime: &Handle,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if begun.is_some() {
        registry().runtimes.meet(runtime);
    }
    let _entered = runtime.enter();
    launch_held(task, begun, hold)
}

#[track_caller]
#[cold]
fn launch_held_local<F>(task: Spawned<F>, begun: Option<Begun>, hold: Box<Hold>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let (born, handles) = (born(begun), hold.handles());
    let future: Pin<Box<dyn Future<Output = F::Output>>> = Box::pin(Gated::new(task, hold));
    #[cfg(tokio_unstable)]
    let handle = named::spawn_local(future, begun);
    #[cfg(not(tokio_unstable))]
    let handle = tokio::task::spawn_local(future);
    handles.set(|| handle.abort_handle());
    held(begun, born, handle)
}

#[track_caller]
pub(super) fn launch_in<F>(
    set: &mut JoinSet<F::Output>,
    future: F,
    begun: Option<Begun>,
    span: Option<Span>,
) -> AbortHandle
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match span {
        None if Size::<F>::IS_LARGE => {
            launch_task_in(set, Spawned::new(Box::pin(future), Life::of(begun)), begun)
        }
        None => launch_task_in(set, Spawned::new(future, Life::of(begun)), begun),
        Some(span) => {
            let future: Pin<Box<dyn Future<Output = F::Output> + Send>> =
                Box::pin(Tracked::new(future, Entry::new(begun, Some(span))));
            launch_task_in(set, Spawned::untracked(future), begun)
        }
    }
}

#[track_caller]
fn launch_task_in<F>(set: &mut JoinSet<F::Output>, task: Spawned<F>, begun: Option<Begun>) -> AbortHandle
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let mut held = None;
    if is_special(begun) {
        match rule(begun) {
            Ruling::Plain => {}
            Ruling::Out(out) => {
                refuse(task);
                let handle = set.spawn_on(std::future::pending(), closed());
                note(handle.id(), out);
                return handle;
            }
            Ruling::Held(hold) => held = Some(hold),
        }
    }
    let born = born(begun);
    let handle = match held {
        None => set.spawn(task),
        Some(held) => {
            let handles = held.handles();
            let future: Pin<Box<dyn Future<Output = F::Output> + Send>> = Box::pin(Gated::new(task, held));
            let handle = set.spawn(future);
            handles.set(|| handle.clone());
            handle
        }
    };
    if let Some(begun) = begun {
        hold(begun, born, handle.clone());
    }
    handle
}

/// Drops a task that came too late or was rejected. As in a runtime, a destructor that panics does not reach
/// the code that spawned it.
#[cold]
fn refuse<T>(task: T) {
    drop_contained(task);
}

/// What the task's slot says of it, before anything else can end it.
#[cfg_attr(not(debug_assertions), inline(always))]
fn born(begun: Option<Begun>) -> u64 {
    begun.map_or(0, |begun| begun.slot.identity())
}

/// Keeps the abort handle of the task.
#[cfg_attr(not(debug_assertions), inline(always))]
fn held<T>(begun: Option<Begun>, born: u64, handle: JoinHandle<T>) -> JoinHandle<T> {
    if let Some(begun) = begun {
        hold(begun, born, handle.abort_handle());
    }
    handle
}

pin_project_lite::pin_project! {
    /// Notes an `Err` with the task that it is.
    pub(super) struct Fallible<F> {
        #[pin]
        pub(super) future: F,
    }
}

impl<F> fmt::Debug for Fallible<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallible").finish_non_exhaustive()
    }
}

impl<F, T, E> Future for Fallible<F>
where
    F: Future<Output = Result<T, E>>,
    E: Display,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let poll = self.project().future.poll(context);
        if let Poll::Ready(Err(error)) = &poll {
            note_failure(error);
        }
        poll
    }
}
