//! A thread with a runtime of its own.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::dispatch::Heard;
use crate::error::Error;

/// A handle to the thread. It runs until the process ends, or until [`stop`](Worker::stop).
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    runtime: Handle,
    stop: Arc<Notify>,
}

impl Worker {
    /// Starts the thread. It logs through the dispatcher of this one.
    pub(crate) fn start(name: &str) -> Result<Self, Error> {
        let stop = Arc::new(Notify::new());
        let (sender, receiver) = mpsc::channel();
        let (heard, stopped) = (Heard::now(), Arc::clone(&stop));
        // The runtime is made and dropped over there, because it must not be dropped inside another.
        let run = move || {
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(problem) => return drop(sender.send(Err(problem))),
            };
            if sender.send(Ok(runtime.handle().clone())).is_ok() {
                heard.run(|| runtime.block_on(stopped.notified()));
            }
        };
        let started = thread::Builder::new().name(name.to_owned()).spawn(run);
        started.map_err(|problem| Error::resources(&format!("the thread {name}"), problem))?;
        let ended = |_| Err(io::Error::other("it ended at once"));
        let runtime = receiver.recv().unwrap_or_else(ended);
        let runtime =
            runtime.map_err(|problem| Error::resources(&format!("the runtime of {name}"), problem))?;
        Ok(Self { runtime, stop })
    }

    /// Runs a future on the thread. It must not block there.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// Ends the thread and drops what runs there.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
