//! The application's hook on abandoned tasks, on a thread of its own: it may hang without holding up the
//! shutdown.

use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::observer::{Heard, steps};
use crate::registry::local::Current;
use crate::settings::OnAbandon;
use crate::shutdown::census::slots;
use crate::shutdown::words::{Data, Line, Logger, text};
use headcount_core::internal::snapshot::read::Describer;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A time that never comes, and that a clock can hold.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

struct Job {
    tasks: Vec<Current>,
    until: Instant,
    progress: Progress,
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
    progress: Progress,
}

/// How far a run has come.
#[derive(Clone, Debug)]
struct Progress {
    handed: Arc<AtomicUsize>,
    /// Set when nothing waits for the run any more: what was counted as missed is not handed over later.
    over: Arc<AtomicBool>,
    tasks: usize,
}

/// How many tasks the hook was not done with, of how many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Missed {
    pub(crate) tasks: usize,
    pub(crate) of: usize,
    /// The time that it had.
    pub(crate) within: Duration,
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
        let progress = Progress { handed: Arc::default(), over: Arc::default(), tasks: tasks.len() };
        let until = Instant::now() + at_most.min(LONGEST);
        jobs.send(Job { tasks, until, progress: progress.clone(), done: sender }).ok()?;
        Some(Run { done, progress })
    }
}

impl Run {
    /// Resolves when the hook has returned for each task, or has had its time.
    pub(crate) async fn returned(&mut self) {
        // An error is a thread that is gone: nothing comes from there any more.
        let _ = (&mut self.done).await;
    }
}

impl Progress {
    /// Ends the run, and says what it has missed.
    fn end(&self, within: Duration) -> Missed {
        // SeqCst, here and in `perform`: what is not in the count is under way, and nothing comes after it.
        self.over.store(true, Ordering::SeqCst);
        let tasks = self.tasks.saturating_sub(self.handed.load(Ordering::SeqCst));
        Missed { tasks, of: self.tasks, within }
    }
}

fn perform(hook: &OnAbandon, job: Job, log: &Logger) {
    for task in job.tasks {
        if job.until <= Instant::now() || job.progress.over.load(Ordering::SeqCst) {
            break;
        }
        // It may have ended while it waited for its turn.
        if let Some(reading) = slots::read(task) {
            let task = Describer::new().live(&reading);
            if catch_unwind(AssertUnwindSafe(|| hook(&task))).is_err() {
                let name = text::named(&task.name, task.id);
                log.line(Line::warn(format!("on_abandon panicked for {name}")).with(Data::task(&task)));
            }
        }
        job.progress.handed.fetch_add(1, Ordering::SeqCst);
    }
    let _ = job.done.send(());
}

/// The hook, and what it has been handed: everything that is left, and before that tasks whose grace was
/// over.
pub(super) struct Handover {
    hooks: Hooks,
    timeout: Duration,
    all: Option<Run>,
    batches: JoinSet<(Vec<Current>, Missed)>,
    /// The tasks of the batches that the hook has now.
    in_batches: HashSet<u64>,
    /// How far each batch is, by its first task.
    progress: HashMap<u64, Progress>,
}

/// What the hook is done with.
pub(super) enum Handed {
    /// Everything that is left.
    All,
    /// These, or their time was over.
    Batch(Vec<Current>, Missed),
}

impl Handover {
    pub(super) fn new(hooks: Hooks, timeout: Duration) -> Self {
        Self {
            hooks,
            timeout,
            all: None,
            batches: JoinSet::new(),
            in_batches: HashSet::new(),
            progress: HashMap::new(),
        }
    }

    /// Hands over everything that is left; false if there is nothing to wait for.
    pub(super) fn all(&mut self, tasks: Vec<Current>) -> bool {
        self.all = self.hooks.run(tasks, self.timeout);
        self.all.is_some()
    }

    /// Hands over some; they come back with [`next`](Self::next) in any case. Until then they are not to be
    /// ended, since the hook is handed only what lives.
    pub(super) fn batch(&mut self, tasks: Vec<Current>, at_most: Duration) {
        let at_most = at_most.min(self.timeout);
        let run = self.hooks.run(tasks.clone(), at_most);
        if let (Some(run), Some(first)) = (&run, tasks.first()) {
            self.in_batches.extend(tasks.iter().map(|task| task.id));
            self.progress.insert(first.id, run.progress.clone());
        }
        self.batches.spawn(async move {
            let Some(mut run) = run else { return (tasks, Missed::default()) };
            let _ = tokio::time::timeout(at_most, run.returned()).await;
            (tasks, run.progress.end(at_most))
        });
    }

    /// Whether the task is in a batch that the hook has now.
    pub(super) fn has(&self, task: Current) -> bool {
        self.in_batches.contains(&task.id)
    }

    /// What the hook is done with next.
    pub(super) async fn next(&mut self) -> Handed {
        let Self { all, batches, in_batches, progress, .. } = self;
        let returned = async {
            match all {
                Some(run) => run.returned().await,
                None => std::future::pending().await,
            }
        };
        let batch = async {
            match batches.join_next().await {
                Some(Ok(batch)) => batch,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = returned => {
                self.all = None;
                Handed::All
            }
            (tasks, missed) = batch => {
                for task in &tasks {
                    in_batches.remove(&task.id);
                    progress.remove(&task.id);
                }
                Handed::Batch(tasks, missed)
            }
        }
    }

    /// Ends the wait for everything that is left.
    pub(super) fn give_up(&mut self) -> Option<Missed> {
        Some(self.all.take()?.progress.end(self.timeout))
    }

    /// Waits until the hook is done with all that it has, for so long at the most.
    pub(super) async fn finish(&mut self, at_most: Duration) -> Missed {
        let mut missed = Missed { within: at_most, ..Missed::default() };
        let mut add = |more: Missed| {
            missed.tasks += more.tasks;
            missed.of += more.of;
        };
        let rest = async {
            while self.all.is_some() || !self.progress.is_empty() {
                if let Handed::Batch(_, missed) = self.next().await {
                    add(missed);
                }
            }
        };
        let _ = steps::within(at_most, rest).await;
        self.give_up().into_iter().for_each(&mut add);
        self.progress.drain().map(|(_, progress)| progress.end(at_most)).for_each(add);
        missed
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}
