//! await-tree: a named tree of spans for each task, in a registry.

use std::future::Future;
use std::sync::LazyLock;

use await_tree::Registry;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Subject;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(await_tree::Config::default()));

/// One registry for the process, tasks without a key.
#[derive(Clone, Copy)]
pub struct AwaitTree;

impl Subject for AwaitTree {
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_named("task", future)
    }

    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        runtime.spawn(REGISTRY.register_anonymous("task").instrument(future))
    }

    fn spawn_named<F>(self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(REGISTRY.register_anonymous(name).instrument(future))
    }
}
