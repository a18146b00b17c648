//! The runtimes that scenarios run on.

use std::future::Future;
use std::thread;

use tokio::runtime::{Builder, Runtime};

/// Which of tokio's schedulers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    MultiThread,
    CurrentThread,
}

impl Flavor {
    pub const ALL: [Self; 2] = [Self::MultiThread, Self::CurrentThread];

    /// The heading of the table that shows it.
    pub fn title(self) -> &'static str {
        match self {
            Self::MultiThread => "Multi-thread runtime",
            Self::CurrentThread => "Current-thread runtime",
        }
    }

    /// The same in a goal.
    pub fn workers(self) -> &'static str {
        match self {
            Self::MultiThread => "many workers",
            Self::CurrentThread => "one thread",
        }
    }

    /// A runtime of this flavor, with a worker for each core.
    pub fn build(self) -> Runtime {
        let mut builder = match self {
            Self::MultiThread => Builder::new_multi_thread(),
            Self::CurrentThread => Builder::new_current_thread(),
        };
        builder.enable_time().build().expect("a runtime can be built")
    }
}

/// A multi-thread runtime that leaves one core to a reader beside it.
pub fn beside_a_reader() -> Runtime {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    Builder::new_multi_thread()
        .worker_threads(cores.saturating_sub(1).max(1))
        .enable_time()
        .build()
        .expect("a runtime can be built")
}

/// Runs `future` as a task of the runtime, so that what it spawns is spawned on a worker.
pub fn on_a_worker<F>(runtime: &Runtime, future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let task = runtime.spawn(future);
    runtime.block_on(task).expect("the measuring task ends")
}
