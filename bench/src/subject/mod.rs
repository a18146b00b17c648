//! What is measured: ways to spawn a task, from bare tokio to headcount, behind one trait.

mod await_tree;
mod bare;
mod by_hand;
mod headcount;
mod monitor;
mod readings;
mod tracker;

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub use await_tree::AwaitTree;
pub use bare::Bare;
pub use by_hand::ByHand;
pub use headcount::Headcount;
pub use monitor::Monitor;
pub use readings::{Readings, ReadingsAndHandle};
pub use tracker::Tracker;

/// A way to spawn a task.
pub trait Subject: Copy + Send + Sync + 'static {
    /// Spawns from inside a runtime.
    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns from a thread that belongs to no runtime.
    fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns under a name, from the place of the caller. A subject without names spawns as it does
    /// otherwise.
    #[track_caller]
    fn spawn_named<F>(self, _name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(future)
    }

    /// Spawns under a name and one label. A subject without labels leaves it out.
    fn spawn_labelled<F>(
        self,
        name: &'static str,
        _provider: &'static str,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_named(name, future)
    }

    /// Spawns under a name and a label that the program knows before it runs. A subject without such sites
    /// spawns by the name.
    fn spawn_site<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_named("send-email", future)
    }
}
