//! tokio-util's `TaskTracker`: a count of live tasks, to be waited for.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::Subject;

static TRACKER: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// One tracker for the process.
#[derive(Clone, Copy)]
pub struct Tracker;

impl Subject for Tracker {
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        TRACKER.spawn(future)
    }

    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        TRACKER.spawn_on(future, runtime)
    }
}
