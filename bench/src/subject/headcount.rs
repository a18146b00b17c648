//! headcount, as an application uses it.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Subject;

/// The registry of the process.
#[derive(Clone, Copy)]
pub struct Headcount;

impl Subject for Headcount {
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        headcount::spawn(future)
    }

    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        headcount::spawn_on(future, runtime)
    }

    #[track_caller]
    fn spawn_named<F>(self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        headcount::task(name).spawn(future)
    }

    fn spawn_labelled<F>(self, name: &'static str, provider: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        headcount::task(name).label("provider", provider).spawn(future)
    }

    fn spawn_site<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        headcount::task!("send-email", provider = "ses").spawn(future)
    }
}
