//! A worker that takes jobs from a queue: it stops taking when draining begins, finishes what it has, and
//! puts back what the deadline cuts.
//!
//!     cargo run --example queue_consumer      then Ctrl-C
//!
//! The queue is in memory here. With a real one, `Job::done` acknowledges and `Drop` does nothing: the queue
//! gives an unacknowledged job to the next worker.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use headcount::{Headcount, Report};
use tokio::sync::{Notify, Semaphore};
use tokio::time::sleep;

/// Jobs at once.
const LIMIT: usize = 3;

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::builder().admin(None).drain_timeout(Duration::from_secs(2)).install()?;
    let queue = Arc::new(Queue::default());
    (1..=8).for_each(|number| queue.put(number));

    let permits = Arc::new(Semaphore::new(LIMIT));
    loop {
        // A place first, so that this worker takes no job that it has no place for.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        let job = tokio::select! {
            job = Arc::clone(&queue).take() => job,
            () = hc.draining() => break,
        };
        headcount::task("job").field("number", job.number).spawn_fallible(async move {
            let result = work(&job).await;
            job.done();
            drop(permit);
            result
        });
    }
    let report = hc.drain().await;
    println!("left in the queue: {:?}", queue.jobs());
    Ok(report)
}

/// Each third job fails, and the last one takes longer than a stop waits.
async fn work(job: &Job) -> Result<(), String> {
    sleep(if job.number == 8 { Duration::from_secs(60) } else { Duration::from_millis(200) }).await;
    if job.number % 3 == 0 { Err(format!("job {} has no paper", job.number)) } else { Ok(()) }
}

#[derive(Default)]
struct Queue {
    jobs: Mutex<VecDeque<u32>>,
    added: Notify,
}

impl Queue {
    fn jobs(&self) -> MutexGuard<'_, VecDeque<u32>> {
        self.jobs.lock().expect("no job panics under the lock")
    }

    fn put(&self, number: u32) {
        self.jobs().push_back(number);
        self.added.notify_one();
    }

    async fn take(self: Arc<Self>) -> Job {
        loop {
            let next = self.jobs().pop_front();
            if let Some(number) = next {
                return Job { number, queue: Some(self) };
            }
            self.added.notified().await;
        }
    }
}

/// A job that was taken. Dropped before it is done, it goes back.
struct Job {
    number: u32,
    queue: Option<Arc<Queue>>,
}

impl Job {
    fn done(mut self) {
        self.queue = None;
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.put(self.number);
        }
    }
}
