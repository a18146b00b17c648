//! The spawn family: each function is the named, listed and measured equal of a tokio call.

mod admit;
mod builder;
mod elsewhere;
mod executor;
mod launch;
#[cfg(tokio_unstable)]
mod named;
mod site;
mod terms;

use std::borrow::Cow;
use std::panic::Location;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use self::launch::{begin_code, launch, launch_blocking, launch_local, launch_on};
use crate::registry::kind::{BLOCKING, FUTURE, LOCAL, TASK};
use crate::tracked::{Entry, Tracked};

pub(crate) use self::builder::Run;
pub use self::builder::TaskBuilder;
pub use self::elsewhere::{spawn_blocking_on, spawn_in, spawn_local_on};
pub use self::executor::{Executor, executor};
pub(crate) use self::terms::LONGEST_TIMEOUT;
pub use crate::registry::site::Site;

/// Spawns a future, as [`tokio::spawn`] does, and tracks it.
///
/// It is named after its code: give it a name of its own with [`task`], and do so where you alert on it.
/// Everything else behaves as in tokio, including abort and the panic outside a runtime. Tasks spawned before
/// `install`, or where it is never called, are tracked as well.
///
/// While a shutdown refuses late tasks the future is dropped, and the handle is one that was aborted.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`tokio::spawn`] does.
///
/// # Cost
///
/// headcount adds no allocation and no shared lock to a plain spawn. Fields, limits, timeouts and carriers
/// allocate. `bench/RESULTS.md` has the figures.
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
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    launch(future, begin_code::<F, TASK>(Location::caller()))
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
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn spawn_on<F>(future: F, runtime: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    launch_on(future, begin_code::<F, TASK>(Location::caller()), runtime)
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
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    launch_local(future, begin_code::<F, LOCAL>(Location::caller()))
}

/// Runs a closure on the blocking pool, as [`tokio::task::spawn_blocking`] does, and tracks it.
///
/// It is `queued` until a thread of the pool takes it. Until then it can be aborted; a running closure
/// cannot.
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
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn spawn_blocking<F, R>(closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    launch_blocking(closure, begin_code::<F, BLOCKING>(Location::caller()), None)
}

/// Tracks a future without spawning it: for [`JoinSet`](tokio::task::JoinSet), `FuturesUnordered`,
/// `block_on`, `select!`.
///
/// It is live from this call until it is ready or dropped. headcount cannot abort it.
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
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn track<F: Future>(future: F) -> Tracked<F> {
    Tracked::guest(future, Entry::new(begin_code::<F, FUTURE>(Location::caller()), None))
}

/// Starts to build a task with this name, labels, fields and terms.
///
/// Names are for few values: each is a group with metrics of its own, at most `max_groups` (200) in all. One
/// place in the code may have as many names and values of labels as it leaves free for all others, and 20
/// while there is room at all; what is above that is counted under `__other__`, with one warning. An empty
/// name is none. Names longer than 128 bytes are cut.
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
#[inline]
pub fn task(name: impl Into<Cow<'static, str>>) -> TaskBuilder {
    TaskBuilder::named(name.into())
}
