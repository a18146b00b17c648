//! Spawning elsewhere than on the current runtime: on a given one, on a `LocalSet`, in a `JoinSet`; and
//! fallible tasks of every kind.

use std::fmt::Display;
use std::panic::Location;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle, JoinSet, LocalSet};

use super::builder::TaskBuilder;
use super::launch::{Fallible, launch_blocking, launch_in, launch_local_with};
use crate::current::note_failure;
use crate::registry::kind::{BLOCKING, LOCAL, TASK};

/// Runs a closure on the blocking pool of a runtime, as [`Handle::spawn_blocking`] does, and tracks it.
///
/// It works outside of a runtime too.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// let runtime = tokio::runtime::Runtime::new().unwrap();
/// let handle = headcount::spawn_blocking_on(|| 42, runtime.handle());
/// assert_eq!(runtime.block_on(handle).unwrap(), 42);
/// ```
#[track_caller]
pub fn spawn_blocking_on<F, R>(closure: F, runtime: &Handle) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    TaskBuilder::unnamed().spawn_blocking_on(closure, runtime)
}

/// Spawns a future that is not `Send` on a `LocalSet`, as [`LocalSet::spawn_local`] does, and tracks it.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let set = tokio::task::LocalSet::new();
/// let shared = std::rc::Rc::new(1);
/// let handle = headcount::spawn_local_on(async move { *shared }, &set);
/// set.await;
/// assert_eq!(handle.await.unwrap(), 1);
/// # }
/// ```
#[track_caller]
pub fn spawn_local_on<F>(future: F, set: &LocalSet) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    TaskBuilder::unnamed().spawn_local_on(future, set)
}

/// Spawns a future in a `JoinSet`, as [`JoinSet::spawn`] does, and tracks it as a task of its own.
///
/// The set keeps its tasks: dropping it aborts them. Unlike a [`track`](fn@crate::track)ed member, the task
/// can be aborted by the shutdown and through the API.
///
/// # Panics
///
/// Outside of a tokio runtime, as [`JoinSet::spawn`] does.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut set = tokio::task::JoinSet::new();
/// headcount::spawn_in(&mut set, async { 1 });
/// headcount::task("second").spawn_in(&mut set, async { 2 });
/// let mut results = set.join_all().await;
/// results.sort_unstable();
/// assert_eq!(results, [1, 2]);
/// # }
/// ```
#[track_caller]
pub fn spawn_in<F>(set: &mut JoinSet<F::Output>, future: F) -> AbortHandle
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    TaskBuilder::unnamed().spawn_in(set, future)
}

impl TaskBuilder {
    /// Runs a closure on the blocking pool of a runtime; see [`spawn_blocking_on`].
    #[track_caller]
    pub fn spawn_blocking_on<F, R>(self, closure: F, runtime: &Handle) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let _entered = runtime.enter();
        self.spawn_blocking(closure)
    }

    /// Spawns a future that is not `Send` on a `LocalSet`; see [`spawn_local_on`].
    #[track_caller]
    pub fn spawn_local_on<F>(self, future: F, set: &LocalSet) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let _entered = set.enter();
        self.spawn_local(future)
    }

    /// Spawns a future in a `JoinSet`; see [`spawn_in`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`JoinSet::spawn`] does.
    #[track_caller]
    pub fn spawn_in<F>(self, set: &mut JoinSet<F::Output>, future: F) -> AbortHandle
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (begun, span) = self.begin::<F, TASK>(Location::caller());
        launch_in(set, future, begun, span)
    }

    /// [`spawn_fallible`](Self::spawn_fallible) on a given runtime.
    #[track_caller]
    pub fn spawn_fallible_on<F, T, E>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        let _entered = runtime.enter();
        self.spawn_fallible(future)
    }

    /// [`spawn_fallible`](Self::spawn_fallible) of a future that is not `Send`.
    ///
    /// # Panics
    ///
    /// Outside of a [`LocalSet`], as [`tokio::task::spawn_local`] does.
    #[track_caller]
    pub fn spawn_fallible_local<F, T, E>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: Display + 'static,
    {
        let (begun, span) = self.begin::<F, LOCAL>(Location::caller());
        launch_local_with(Fallible { future }, begun, span)
    }

    /// [`spawn_fallible_local`](Self::spawn_fallible_local) on a given `LocalSet`.
    #[track_caller]
    pub fn spawn_fallible_local_on<F, T, E>(self, future: F, set: &LocalSet) -> JoinHandle<F::Output>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: Display + 'static,
    {
        let _entered = set.enter();
        self.spawn_fallible_local(future)
    }

    /// [`spawn_fallible`](Self::spawn_fallible) of a closure on the blocking pool.
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
    /// let read = headcount::task("read").spawn_fallible_blocking(|| std::fs::read("/no/such/file"));
    /// assert!(read.await.unwrap().is_err());
    /// assert_eq!(headcount::snapshot().finished.error, 1);
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_fallible_blocking<F, T, E>(self, closure: F) -> JoinHandle<Result<T, E>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        let (begun, span) = self.begin::<F, BLOCKING>(Location::caller());
        let run = move || {
            let result = closure();
            if let Err(error) = &result {
                note_failure(error);
            }
            result
        };
        launch_blocking(run, begun, span)
    }

    /// [`spawn_fallible_blocking`](Self::spawn_fallible_blocking) on the blocking pool of a given runtime.
    #[track_caller]
    pub fn spawn_fallible_blocking_on<F, T, E>(self, closure: F, runtime: &Handle) -> JoinHandle<Result<T, E>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        let _entered = runtime.enter();
        self.spawn_fallible_blocking(closure)
    }

    /// [`spawn_fallible`](Self::spawn_fallible) in a `JoinSet`; see [`spawn_in`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`JoinSet::spawn`] does.
    #[track_caller]
    pub fn spawn_fallible_in<F, T, E>(self, set: &mut JoinSet<F::Output>, future: F) -> AbortHandle
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        let (begun, span) = self.begin::<F, TASK>(Location::caller());
        launch_in(set, Fallible { future }, begun, span)
    }
}
