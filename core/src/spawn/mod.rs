//! The spawn family: each function is the named, listed and measured equal of a tokio call.

#[cfg(tokio_unstable)]
mod named;

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::Span;

use crate::current::note_failure;
use crate::registry::begin::{NewTask, hold};
use crate::registry::group::{NameSource, Signature};
use crate::registry::kind::{Kind, OnShutdown};
use crate::registry::local::Current;
use crate::registry::registry;
use crate::tracked::{Entry, Tracked};

/// Spawns a future, as [`tokio::spawn`] does, and tracks it.
///
/// It is named after its code: give it a name of its own with [`task`], and do so where you alert on it. All else is tokio's: the
/// [`JoinHandle`], abort, the panic outside of a runtime. Tasks spawned before `install`, or where it is never called, are tracked as well.
///
/// While a shutdown refuses late tasks the future is dropped, and the handle is one that was aborted.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`tokio::spawn`] does.
///
/// # Cost
///
/// No allocation and no shared lock. `bench/RESULTS.md` has the figures.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// async fn send_email(to: &str) -> usize {
///     to.len()
/// }
///
/// let handle = headcount::spawn(send_email("ada@example.org"));
/// assert_eq!(handle.await.unwrap(), 15);
/// # }
/// ```
#[track_caller]
#[inline]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    launch(Tracked::new(future, unnamed::<F>(Kind::Task, Location::caller())))
}

/// Spawns a future on a runtime, as [`Handle::spawn`] does, and tracks it. Works outside of a runtime too.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// let runtime = tokio::runtime::Runtime::new().unwrap();
/// let handle = headcount::spawn_on(async { 42 }, runtime.handle());
/// assert_eq!(runtime.block_on(handle).unwrap(), 42);
/// ```
#[track_caller]
#[inline]
pub fn spawn_on<F>(future: F, runtime: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    launch_on(Tracked::new(future, unnamed::<F>(Kind::Task, Location::caller())), runtime)
}

/// Spawns a future that is not `Send`, as [`tokio::task::spawn_local`] does, and tracks it.
///
/// # Panics
///
/// Outside of a [`LocalSet`](tokio::task::LocalSet), as [`tokio::task::spawn_local`] does.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let local = tokio::task::LocalSet::new();
/// local.run_until(async {
///     let shared = std::rc::Rc::new(1);
///     headcount::spawn_local(async move { assert_eq!(*shared, 1) }).await.unwrap();
/// }).await;
/// # }
/// ```
#[track_caller]
#[inline]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    launch_local(Tracked::new(future, unnamed::<F>(Kind::Local, Location::caller())))
}

/// Runs a closure on the blocking pool, as [`tokio::task::spawn_blocking`] does, and tracks it.
///
/// It is `queued` until a thread of the pool takes it. Until then it can be aborted; a running closure cannot.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`tokio::task::spawn_blocking`] does.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let sum = headcount::spawn_blocking(|| (1..=10).sum::<u32>());
/// assert_eq!(sum.await.unwrap(), 55);
/// # }
/// ```
#[track_caller]
#[inline]
pub fn spawn_blocking<F, R>(closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    launch_blocking(closure, unnamed::<F>(Kind::Blocking, Location::caller()))
}

/// Tracks a future without spawning it: for [`JoinSet`](tokio::task::JoinSet), `FuturesUnordered`, `block_on`, `select!`.
///
/// It is live from this call until it is ready or dropped. Nothing of ours can abort it.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut set = tokio::task::JoinSet::new();
/// set.spawn(headcount::track(async { 1 }));
/// assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
/// # }
/// ```
#[track_caller]
#[inline]
pub fn track<F: Future>(future: F) -> Tracked<F> {
    Tracked::new(future, unnamed::<F>(Kind::Future, Location::caller()))
}

/// Begins a task with a name, and whatever else it is to have.
///
/// Names are for few values: each is a group with metrics of its own, at most `max_groups` in all and 20 from one place in the code; what is
/// above that is counted under `__other__`. An empty name is none. Names longer than 128 bytes are cut.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
/// use headcount::OnShutdown;
///
/// headcount::task("send-email")
///     .label("provider", "ses")
///     .field("order_id", 42)
///     .on_shutdown(OnShutdown::Wait)
///     .grace(Duration::from_secs(5))
///     .spawn(async { /* … */ })
///     .await
///     .unwrap();
/// # }
/// ```
pub fn task(name: impl Into<Cow<'static, str>>) -> TaskBuilder {
    TaskBuilder { name: Some(name.into()), ..TaskBuilder::unnamed() }
}

/// What a task is to have, from [`task`].
#[must_use = "a task begins when it is spawned or tracked"]
#[derive(Clone, Debug)]
pub struct TaskBuilder {
    name: Option<Cow<'static, str>>,
    labels: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    fields: Vec<(Cow<'static, str>, String)>,
    policy: OnShutdown,
    grace: Option<Duration>,
    scope: Option<u64>,
    span: Option<Span>,
}

impl TaskBuilder {
    const fn unnamed() -> Self {
        Self {
            name: None,
            labels: Vec::new(),
            fields: Vec::new(),
            policy: OnShutdown::Wait,
            grace: None,
            scope: None,
            span: None,
        }
    }

    /// Adds a label, which its metrics have too: few values only, since each makes a group.
    ///
    /// At most 8 labels; a key given twice has the later value. Values are cut at 128 bytes. Keys become what Prometheus allows: other
    /// characters than letters, digits and `_` become `_`, leading underscores go, and `task`, `kind`, `outcome`, `le` and `quantile` get a `_` behind.
    pub fn label(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// Adds a field: any value, seen on the dashboard, in the API and in log lines, never in a metric.
    ///
    /// At most 16 fields, the first ones; a key given twice has the later value. Keys and values are cut at 256 bytes.
    pub fn field(mut self, key: impl Into<Cow<'static, str>>, value: impl Display) -> Self {
        self.fields.push((key.into(), value.to_string()));
        self
    }

    /// What becomes of it when the process stops. By default it is [waited for](OnShutdown::Wait).
    pub const fn on_shutdown(mut self, policy: OnShutdown) -> Self {
        self.policy = policy;
        self
    }

    /// It serves a connection for as long as its peer likes: at a shutdown it is told, has a short grace, and is then cancelled, which is
    /// no failure. The same as [`on_shutdown`](Self::on_shutdown) with [`OnShutdown::Connection`].
    pub const fn connection(self) -> Self {
        self.on_shutdown(OnShutdown::Connection)
    }

    /// How long it is waited for, at most, from the moment it is told of the shutdown; then it is aborted. The deadline caps it.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Polls it inside the current span, which as with tokio it would not inherit, and logs its failure there.
    pub fn in_current_span(mut self) -> Self {
        self.span = Some(Span::current());
        self
    }

    /// Opens a leak check with this task.
    pub(crate) const fn scope(mut self, scope: u64) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Spawns it, as [`tokio::spawn`] does.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    #[track_caller]
    #[inline]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        launch(Tracked::new(future, self.enter::<F>(Kind::Task, Location::caller())))
    }

    /// Spawns it on a runtime, as [`Handle::spawn`] does.
    #[track_caller]
    #[inline]
    pub fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        launch_on(Tracked::new(future, self.enter::<F>(Kind::Task, Location::caller())), runtime)
    }

    /// Spawns a future that is not `Send`, as [`tokio::task::spawn_local`] does.
    ///
    /// # Panics
    ///
    /// Outside of a [`LocalSet`](tokio::task::LocalSet), as [`tokio::task::spawn_local`] does.
    #[track_caller]
    #[inline]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        launch_local(Tracked::new(future, self.enter::<F>(Kind::Local, Location::caller())))
    }

    /// Runs a closure on the blocking pool, as [`tokio::task::spawn_blocking`] does.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::task::spawn_blocking`] does.
    #[track_caller]
    #[inline]
    pub fn spawn_blocking<F, R>(self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        launch_blocking(closure, self.enter::<F>(Kind::Blocking, Location::caller()))
    }

    /// Spawns a future of a `Result`: an `Err` counts as outcome `error` and is logged. The handle gives the result as it is.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use headcount_core as headcount;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let parse = headcount::task("parse").spawn_fallible(async { "x".parse::<u32>() });
    /// assert!(parse.await.unwrap().is_err());
    /// # }
    /// ```
    #[track_caller]
    #[inline]
    pub fn spawn_fallible<F, T, E>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        let entry = self.enter::<F>(Kind::Task, Location::caller());
        launch(Tracked::new(Fallible { future }, entry))
    }

    /// Tracks a future without spawning it; see [`track`].
    #[track_caller]
    #[inline]
    pub fn track<F: Future>(self, future: F) -> Tracked<F> {
        let entry = self.enter::<F>(Kind::Future, Location::caller());
        Tracked::new(future, entry)
    }

    /// Enters the task into the registry.
    #[doc(hidden)]
    #[inline]
    pub fn enter<F>(self, kind: Kind, location: &'static Location<'static>) -> Entry {
        let name = match &self.name {
            Some(name) if !name.is_empty() => NameSource::Given(name),
            _ => NameSource::Code(std::any::type_name::<F>()),
        };
        let task = NewTask {
            signature: Signature { name, labels: &self.labels, kind, location },
            fields: &self.fields,
            policy: self.policy,
            grace: self.grace,
            scope: self.scope,
        };
        Entry::new(&task, self.span)
    }
}

/// The entry of a task that has nothing but its code and its place.
#[inline]
fn unnamed<F>(kind: Kind, location: &'static Location<'static>) -> Entry {
    let name = NameSource::Code(std::any::type_name::<F>());
    let task = NewTask {
        signature: Signature { name, labels: &[], kind, location },
        fields: &[],
        policy: OnShutdown::Wait,
        grace: None,
        scope: None,
    };
    Entry::new(&task, None)
}

#[track_caller]
#[inline]
fn launch<F>(tracked: Tracked<F>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let current = tracked.current();
    if is_refused(current) {
        refuse(tracked);
        return aborted(tokio::spawn(std::future::pending()));
    }
    #[cfg(tokio_unstable)]
    let handle = named::spawn(tracked, current);
    #[cfg(not(tokio_unstable))]
    let handle = tokio::spawn(tracked);
    held(current, handle)
}

#[track_caller]
#[inline]
fn launch_on<F>(tracked: Tracked<F>, runtime: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let current = tracked.current();
    if is_refused(current) {
        refuse(tracked);
        return aborted(runtime.spawn(std::future::pending()));
    }
    #[cfg(tokio_unstable)]
    let handle = named::spawn_on(tracked, current, runtime);
    #[cfg(not(tokio_unstable))]
    let handle = runtime.spawn(tracked);
    held(current, handle)
}

#[track_caller]
#[inline]
fn launch_local<F>(tracked: Tracked<F>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let current = tracked.current();
    if is_refused(current) {
        refuse(tracked);
        return aborted(tokio::task::spawn_local(std::future::pending()));
    }
    #[cfg(tokio_unstable)]
    let handle = named::spawn_local(tracked, current);
    #[cfg(not(tokio_unstable))]
    let handle = tokio::task::spawn_local(tracked);
    held(current, handle)
}

#[track_caller]
#[inline]
fn launch_blocking<F, R>(closure: F, entry: Entry) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let current = entry.current();
    if is_refused(current) {
        refuse((closure, entry));
        return aborted(tokio::spawn(std::future::pending()));
    }
    // Dropped unrun, the closure goes first: a task is live until its destructors have run.
    let task = (closure, entry);
    let run = move || {
        let (closure, entry) = task;
        entry.run(closure)
    };
    #[cfg(tokio_unstable)]
    let handle = named::spawn_blocking(run, current);
    #[cfg(not(tokio_unstable))]
    let handle = tokio::task::spawn_blocking(run);
    held(current, handle)
}

/// Whether a new task, unless tracking is off, is to be dropped since the process stops.
#[inline]
fn is_refused(task: Option<Current>) -> bool {
    task.is_some() && registry().admission.refuses()
}

/// Drops a task that came too late. As in a runtime, a destructor that panics does not reach who spawned it.
#[cold]
fn refuse<T>(task: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
}

/// The handle of a task that was aborted before its first poll.
#[cold]
fn aborted<T>(handle: JoinHandle<T>) -> JoinHandle<T> {
    handle.abort();
    handle
}

/// Keeps what aborts the task.
#[inline]
fn held<T>(task: Option<Current>, handle: JoinHandle<T>) -> JoinHandle<T> {
    if let Some(task) = task {
        hold(task, handle.abort_handle());
    }
    handle
}

pin_project_lite::pin_project! {
    /// Notes an `Err` with the task that it is.
    struct Fallible<F> {
        #[pin]
        future: F,
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
