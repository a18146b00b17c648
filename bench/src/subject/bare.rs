//! `tokio::spawn`, the measure of all others.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Subject;

/// Nothing but tokio.
#[derive(Clone, Copy)]
pub struct Bare;

impl Subject for Bare {
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future)
    }

    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        runtime.spawn(future)
    }
}
