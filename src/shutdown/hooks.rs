//! The application's hook on abandoned tasks, on a thread of its own: it may hang without holding up the shutdown.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::log::Logger;
use super::text;
use crate::observer::Heard;
use crate::registry::local::Current;
use crate::settings::OnAbandon;
use headcount_core::internal::snapshot::read::Describer;

struct Job {
    tasks: Vec<Current>,
    until: Instant,
    handed: Arc<AtomicUsize>,
    done: oneshot::Sender<()>,
}

/// The hook and its thread.
pub(crate) struct Hooks {
    jobs: Option<mpsc::Sender<Job>>,
}

/// A run of the hook.
#[derive(Debug)]
pub(crate) struct Run {
    done: oneshot::Receiver<()>,
    handed: Arc<AtomicUsize>,
    tasks: usize,
}

impl Hooks {
    /// Starts the thread if there is a hook.
    pub(crate) fn start(hook: Option<OnAbandon>, log: Logger) -> io::Result<Self> {
        let Some(hook) = hook else { return Ok(Self { jobs: None }) };
        let (jobs, queue) = mpsc::channel::<Job>();
        let heard = Heard::now();
        let run = move || {
            heard.run(|| {
                while let Ok(job) = queue.recv() {
                    perform(&hook, job, &log);
                }
            });
        };
        thread::Builder::new().name("headcount-hooks".to_owned()).spawn(run)?;
        Ok(Self { jobs: Some(jobs) })
    }

    /// Hands tasks to the hook, one after another, until the time is over; `None` without a hook or a task.
    pub(crate) fn run(&self, tasks: Vec<Current>, at_most: Duration) -> Option<Run> {
        let jobs = self.jobs.as_ref().filter(|_| !tasks.is_empty())?;
        let (sender, done) = oneshot::channel();
        let handed = Arc::new(AtomicUsize::new(0));
        let until = Instant::now().checked_add(at_most)?;
        let run = Run { done, handed: Arc::clone(&handed), tasks: tasks.len() };
        jobs.send(Job { tasks, until, handed, done: sender }).ok()?;
        Some(run)
    }
}

impl Run {
    /// Resolves when the hook has returned for each task, or has had its time.
    pub(crate) async fn returned(&mut self) {
        // An error is a thread that is gone: nothing comes from there any more.
        let _ = (&mut self.done).await;
    }

    /// How many tasks the hook was not done with, of how many.
    pub(crate) fn missed(&self) -> (usize, usize) {
        (self.tasks.saturating_sub(self.handed.load(Ordering::Acquire)), self.tasks)
    }
}

fn perform(hook: &OnAbandon, job: Job, log: &Logger) {
    for task in job.tasks {
        if job.until <= Instant::now() {
            break;
        }
        // It may have ended while it waited for its turn.
        if let Some(reading) = task.slot.read().filter(|reading| reading.id() == task.id) {
            let task = Describer::new().live(&reading);
            if catch_unwind(AssertUnwindSafe(|| hook(&task))).is_err() {
                log.warn(format!("on_abandon panicked for {}", text::who(&task.name, task.id)));
            }
        }
        job.handed.fetch_add(1, Ordering::AcqRel);
    }
    let _ = job.done.send(());
}
