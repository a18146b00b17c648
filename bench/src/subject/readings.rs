//! `tokio::spawn` and what no list of live tasks can do without: the readings of the clock, one at the spawn
//! and two at each poll, and an abort handle.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Subject;

/// The floor of whatever measures how long a task waits, runs and lives. It reads and keeps nothing.
#[derive(Clone, Copy)]
pub struct Readings;

pin_project! {
    struct Read<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Read<F> {
    fn spawned(future: F) -> Self {
        black_box(headcount_tick::now());
        Self { future }
    }
}

impl<F: Future> Future for Read<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        black_box(headcount_tick::now());
        let polled = self.project().future.poll(context);
        black_box(headcount_tick::now());
        polled
    }
}

impl Subject for Readings {
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(Read::spawned(future))
    }

    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        runtime.spawn(Read::spawned(future))
    }
}

/// The floor of whatever can abort a task that it measures: the readings, and tokio's handle for it, which is
/// made and let go.
#[derive(Clone, Copy)]
pub struct ReadingsAndHandle;

impl Subject for ReadingsAndHandle {
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = Readings.spawn(future);
        black_box(handle.abort_handle());
        handle
    }

    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = Readings.spawn_on(future, runtime);
        black_box(handle.abort_handle());
        handle
    }
}
