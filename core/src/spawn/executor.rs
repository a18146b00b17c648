//! An executor for code that spawns through a trait of its own, as hyper's servers and clients do.

use std::borrow::Cow;
use std::panic::Location;

use tokio::task::JoinHandle;

use super::builder::TaskBuilder;
use super::launch::launch_with;
use crate::registry::kind::TASK;

/// Spawns what a server or client gives it as named, tracked tasks; made by [`executor`] or
/// [`TaskBuilder::executor`].
///
/// With the feature `hyper` it is a [`hyper::rt::Executor`]. For any other trait, implement that on a type
/// around it and call [`spawn`](Self::spawn).
///
/// Its tasks have the location where it was made. Clones share nothing and cost what a clone of the builder
/// does: nothing is allocated unless it has fields, a span or more than two labels.
///
/// [`hyper::rt::Executor`]: https://docs.rs/hyper/1/hyper/rt/trait.Executor.html
#[derive(Clone, Debug)]
pub struct Executor {
    task: TaskBuilder,
    location: &'static Location<'static>,
}

/// An executor whose tasks have this name: for hyper's servers and clients, which spawn connections, HTTP/2
/// streams and upgrades by themselves.
///
/// An empty name names each task after its code.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let executor = headcount::executor("http2-stream");
/// assert_eq!(executor.spawn(async { 42 }).await.unwrap(), 42);
/// # }
/// ```
///
/// With the feature `hyper` of this crate, hyper-util's server and client have no untracked task:
///
/// ```text
/// let server = hyper_util::server::conn::auto::Builder::new(headcount::executor("http2-stream"));
/// let connection = server.serve_connection_with_upgrades(io, service).into_owned();
/// headcount::task("connection").spawn(connection);
///
/// let connections = headcount::task("client").connection().executor();
/// let client = hyper_util::client::legacy::Client::builder(connections);
/// ```
#[track_caller]
pub fn executor(name: impl Into<Cow<'static, str>>) -> Executor {
    TaskBuilder::named(name.into()).executor()
}

impl TaskBuilder {
    /// An [`Executor`] whose tasks have what this builder has: name, labels, policy, grace.
    ///
    /// A client's connections await only their peer: give those [`connection`](Self::connection). A server's
    /// HTTP/2 streams are requests, and a shutdown waits for them.
    #[track_caller]
    pub fn executor(self) -> Executor {
        Executor { task: self, location: Location::caller() }
    }
}

impl Executor {
    /// Spawns a future, as [`tokio::spawn`] does, and tracks it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (begun, span) = self.task.clone().begin::<F, TASK>(self.location);
        launch_with(future, begun, span)
    }
}

#[cfg(feature = "hyper")]
impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(self.spawn(future));
    }
}
