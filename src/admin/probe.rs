//! The probe: whether the application's runtimes still begin new tasks.
//!
//! Each runtime in which a tracked task was spawned gets a task that does nothing, again and again. A runtime
//! with one thread runs only while that thread drives it, which is seen nowhere, so one that does not begin
//! its probe counts as silent only while a tracked task is stuck in a poll as well. That does not concern the
//! runtime that `install` ran in.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::RuntimeFlavor;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tracing::{info, warn};

use super::context::Admin;
use crate::clock;
use crate::name::{escape, place};
use crate::registry::registry;
use crate::registry::runtimes::Met;
use crate::registry::slot::Reading;
use crate::registry::storm::{Admission, Storm};
use crate::snapshot::TaskInfo;
use headcount_core::internal::snapshot::read::{self, Describer, is_blocked};
use headcount_core::internal::text::{named, took};

/// Blocking tasks that are named.
const MAX_NAMED: usize = 10;

/// How long a description serves.
const DESCRIBED_EVERY: Duration = Duration::from_millis(250);

/// Whether the application's runtimes still begin new tasks.
#[derive(Debug, Default)]
pub(super) struct Probe {
    watched: Mutex<Vec<Arc<Watched>>>,
    /// The last list of blocking tasks, which serves for a while: it takes a pass over all tasks.
    blocking: Mutex<Option<(Instant, Vec<String>)>>,
}

/// A runtime that is probed.
#[derive(Debug)]
struct Watched {
    runtime: Arc<Met>,
    /// Whether a thread drives it all the time, so that its silence alone says something.
    is_driven: bool,
    /// Since when a task waits to be begun.
    waiting_since: Mutex<Option<Instant>>,
}

impl Watched {
    fn waiting(&self) -> Duration {
        self.waiting_since.lock().map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// A runtime that begins no task.
#[derive(Debug)]
pub(super) struct Silent {
    waiting: Duration,
    /// Its name, where there are several runtimes.
    runtime: Option<String>,
}

impl Silent {
    fn new(watched: &Watched) -> Self {
        let name = || format!("the runtime of thread {}", escape(&watched.runtime.name));
        let is_one_of_many = 1 < registry().runtimes.all().len();
        Self { waiting: watched.waiting(), runtime: is_one_of_many.then(name) }
    }

    /// A sentence without names of tasks.
    pub(super) fn without_names(&self) -> String {
        let place = self.runtime.as_deref().map(|name| format!(" in {name}")).unwrap_or_default();
        format!("no task was begun for {}{place}", took(self.waiting))
    }

    /// A sentence for people: how long the runtime began no task, and which tasks do not yield.
    fn describe(&self, blocking: &[String]) -> String {
        let named = match blocking {
            [] => "no tracked task holds a worker: look at what plain tokio::spawn runs".to_owned(),
            blocking => blocking.join("; "),
        };
        format!("{}; {named}", self.without_names())
    }
}

impl Probe {
    /// The runtime that has been silent for the longest, if that is longer than `limit`.
    pub(super) fn silent(&self, limit: Duration) -> Option<Silent> {
        let mut late: Vec<_> =
            self.watched.lock().iter().filter(|watched| limit < watched.waiting()).cloned().collect();
        late.sort_by_key(|watched| Reverse(watched.waiting()));
        let counts =
            |watched: &&Arc<Watched>| watched.is_driven || !self.blocking(watched.waiting()).is_empty();
        late.iter().find(counts).map(|watched| Silent::new(watched))
    }

    /// How long a runtime has not begun its probe; `None` if it is not probed.
    pub(super) fn waiting(&self, runtime: &Met) -> Option<Duration> {
        let watched = self.watched.lock();
        watched
            .iter()
            .find(|watched| watched.runtime.number == runtime.number)
            .map(|watched| watched.waiting())
    }

    /// A sentence for people: how long the runtime began no task, and which tasks do not yield.
    pub(super) fn describe(&self, silent: &Silent) -> String {
        silent.describe(&self.blocking(silent.waiting))
    }

    fn blocking(&self, waiting: Duration) -> Vec<String> {
        let mut blocking = self.blocking.lock();
        match &*blocking {
            Some((at, tasks)) if at.elapsed() < DESCRIBED_EVERY => tasks.clone(),
            _ => blocking.insert((Instant::now(), blocking_tasks(waiting))).1.clone(),
        }
    }
}

/// Probes each runtime from the moment it is met until it has gone.
pub(super) async fn run(admin: Arc<Admin>, unresponsive_after: Duration) {
    let pause = (unresponsive_after / 4).clamp(Duration::from_millis(10), Duration::from_secs(1));
    loop {
        for runtime in registry().runtimes.all() {
            let mut watched = admin.probe.watched.lock();
            if watched.iter().all(|known| known.runtime.number != runtime.number) {
                let is_driven = Some(runtime.id()) == admin.process.application
                    || runtime.handle.runtime_flavor() != RuntimeFlavor::CurrentThread;
                let new = Arc::new(Watched { runtime, is_driven, waiting_since: Mutex::default() });
                watched.push(Arc::clone(&new));
                admin.worker.spawn(probe(Arc::clone(&admin), new, unresponsive_after, pause));
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Gives the runtime a task that does nothing, again and again, until it has gone. Logs when it does not
/// begin it, and when it does again.
async fn probe(admin: Arc<Admin>, watched: Arc<Watched>, unresponsive_after: Duration, pause: Duration) {
    let mut storm = Storm::default();
    loop {
        *watched.waiting_since.lock() = Some(Instant::now());
        let mut task = watched.runtime.handle.spawn(async {});
        let begun = match timeout(unresponsive_after, &mut task).await {
            Ok(begun) => begun,
            Err(_) => late(&admin, &watched, task, &mut storm, pause).await,
        };
        *watched.waiting_since.lock() = None;
        if begun.is_err() {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    registry().runtimes.prune();
    admin.probe.watched.lock().retain(|known| known.runtime.number != watched.runtime.number);
}

/// Waits for a probe that is overdue, and logs that the application does not answer and that it does again.
async fn late(
    admin: &Admin,
    watched: &Watched,
    mut task: JoinHandle<()>,
    storm: &mut Storm,
    pause: Duration,
) -> Result<(), JoinError> {
    let blocking = loop {
        let blocking = blocking_tasks(watched.waiting());
        if watched.is_driven || !blocking.is_empty() {
            break blocking;
        }
        if let Ok(begun) = timeout(pause, &mut task).await {
            return begun;
        }
    };
    let told = match storm.admit(clock::ticks()) {
        Admission::HoldBack => false,
        Admission::Write { held_back } => {
            let problem = Silent::new(watched).describe(&blocking);
            let before =
                if held_back == 0 { String::new() } else { format!(" ({held_back} times more before)") };
            admin.lines.write(move || {
                warn!(target: "headcount::blocked", "The application does not answer: {problem}{before}");
            });
            true
        }
    };
    let begun = task.await;
    if told && begun.is_ok() {
        let waited = took(watched.waiting());
        admin.lines.write(move || {
            info!(target: "headcount::blocked", "The application answers again, after {waited}");
        });
    }
    begun
}

/// The tasks that do not yield, described; `waiting` is how long a runtime has begun no task.
fn blocking_tasks(waiting: Duration) -> Vec<String> {
    let mut describer = Describer::new();
    // Half the time waited, if that is less than `blocked_after`: such a task held a worker for most of it.
    let limit = registry().config.blocked_after_ticks().min(clock::ticks_in(waiting / 2));
    let reading = read::live().map(|(_, task)| task);
    let blocking: Vec<_> =
        reading.filter(|task| is_blocked(task, describer.now, limit)).take(MAX_NAMED).collect();
    let describe = |task: &Reading| {
        let TaskInfo { name, id, location, state_for, .. } = describer.live(task);
        format!("{} has not yielded for {} ({})", named(&name, id), took(state_for), place(&location))
    };
    blocking.iter().map(describe).collect()
}
