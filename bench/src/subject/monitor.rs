//! tokio-metrics' `TaskMonitor`: times of all instrumented tasks together.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_metrics::TaskMonitor;

use super::Subject;

static MONITOR: LazyLock<TaskMonitor> = LazyLock::new(TaskMonitor::new);

/// One monitor for the process.
#[derive(Clone, Copy)]
pub struct Monitor;

impl Subject for Monitor {
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(MONITOR.instrument(future))
    }

    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        runtime.spawn(MONITOR.instrument(future))
    }
}
