//! A thread that runs long reads, one after another, so that no server and no coordinator waits for one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::dispatch::Heard;
use crate::error::Error;

type Job = Box<dyn FnOnce() + Send>;

/// The longest that a read works before it pauses.
const SLICE: Duration = Duration::from_millis(1);

/// A handle to the thread, which ends with the last handle.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    queue: SyncSender<Job>,
}

/// Why a read has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// As many reads wait as may.
    Busy,
    /// The read panicked.
    Panicked,
}

impl Reader {
    /// Starts the thread. At most `waiting` reads wait for it.
    pub(crate) fn start(name: &str, waiting: usize) -> Result<Self, Error> {
        let (queue, jobs) = mpsc::sync_channel(waiting);
        let heard = Heard::now();
        let run = move || heard.run(|| work(&jobs));
        let started = thread::Builder::new().name(name.to_owned()).spawn(run);
        started.map_err(|problem| Error::resources(&format!("the thread {name}"), problem))?;
        Ok(Self { queue })
    }

    /// Begins a read whose result nothing awaits; false, and no read, if as many wait as may.
    #[must_use]
    pub(crate) fn start_read(&self, read: impl FnOnce() + Send + 'static) -> bool {
        self.queue.try_send(Box::new(read)).is_ok()
    }

    /// Runs a read over there. A read whose result is not awaited any more is left out.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unread> {
        let (sender, result) = oneshot::channel();
        let job = move || {
            if !sender.is_closed() {
                drop(sender.send(read()));
            }
        };
        match self.queue.try_send(Box::new(job)) {
            Ok(()) => result.await.map_err(|_| Unread::Panicked),
            Err(TrySendError::Full(_)) => Err(Unread::Busy),
            Err(TrySendError::Disconnected(_)) => Err(Unread::Panicked),
        }
    }
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        // The sender of the result is dropped in a panic, and so the reader of it is notified.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

/// Divides a long read into slices: after each it pauses as long as the slice took, so that one core in two
/// is free for the application.
#[derive(Debug)]
pub(crate) struct Slices {
    began: Instant,
}

impl Slices {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// Called often by the read.
    pub(crate) fn pause_if_due(&mut self) {
        let worked = self.began.elapsed();
        if SLICE <= worked {
            thread::sleep(worked);
            self.began = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_panics_ends_alone() {
        let reader = Reader::start("reader", 1).unwrap();
        let panicked = reader.read(|| panic!("a test's own panic")).await;
        assert_eq!(panicked, Err::<(), _>(Unread::Panicked));
        assert_eq!(reader.read(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn reads_beyond_the_queue_are_refused_at_once() {
        let reader = Reader::start("reader", 1).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let (begun, begins) = oneshot::channel();
        let holder = tokio::spawn({
            let reader = reader.clone();
            async move {
                reader
                    .read(move || {
                        let _ = begun.send(());
                        held.recv()
                    })
                    .await
            }
        });
        begins.await.unwrap();
        let waiting = tokio::spawn({
            let reader = reader.clone();
            async move { reader.read(|| 1).await }
        });
        while reader.queue.try_send(Box::new(|| ())).is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(reader.read(|| 2).await, Err(Unread::Busy));
        drop(release);
        assert!(holder.await.unwrap().is_ok());
        let _ = waiting.await;
    }
}
