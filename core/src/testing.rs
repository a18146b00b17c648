//! For tests: did this block leave a task running?

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::clock;
use crate::name::{escape, place};
use crate::registry::begin::current_scope;
use crate::registry::details::Scope;
use crate::registry::{registry, timeout};
use crate::service::ServiceInfo;
use crate::service::list::between_runs;
use crate::snapshot::TaskInfo;
use crate::snapshot::read::{self, Describer};
use crate::spawn::task;
use crate::text::{named, took};

/// How long tasks that are about to end have for it: real time, since other threads need it to run, or that
/// of a paused clock.
const SETTLE: Duration = Duration::from_millis(100);
/// In how many steps a paused clock is moved by that long.
const STEPS: u32 = 100;

/// Runs a block and panics if a task that it spawned, or a descendant of one, is still alive.
///
/// Only descendants of the block count, so tests may run in parallel.
/// A service or timer that the block began counts until it is over: with its run, or by itself between two.
/// Tasks that end within 100 ms after the block do not count, which covers an aborted task. Where tokio's
/// clock is paused, these are 100 ms of that clock. The panic names each task that is left, with its location
/// and age. Blocks may be nested: a task counts for each block around it.
///
/// # Panics
///
/// If a task is left alive.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let answer = headcount::testing::assert_no_leaks(async {
///     headcount::spawn(async { 42 }).await.unwrap()
/// }).await;
/// assert_eq!(answer, 42);
/// # }
/// ```
#[allow(clippy::manual_async_fn, reason = "the caller's location is wanted")]
#[track_caller]
pub fn assert_no_leaks<F: Future>(block: F) -> impl Future<Output = F::Output> {
    let scope = registry().scopes.fetch_add(1, Ordering::Relaxed);
    let opened = Arc::new(Scope { id: scope, outer: current_scope() });
    let tracked = task("assert_no_leaks").scope(opened).track(block);
    async move {
        let output = tracked.await;
        let begun = Instant::now();
        let mut steps = 0;
        let mut paused = None;
        loop {
            // Read before the search, so that each task found had all of that time.
            let is_over = if paused == Some(true) { STEPS < steps } else { SETTLE < begun.elapsed() };
            let left = Left::find(scope);
            if left.is_empty() {
                return output;
            }
            assert!(!is_over, "{left}");
            if *paused.get_or_insert_with(clock::is_tokio_paused) {
                // A paused clock moves only while every task waits, and only to the next timer: this one, at
                // the latest.
                tokio::time::sleep(SETTLE / STEPS).await;
                steps += 1;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Moves the clock of [timeouts](crate::TaskBuilder::timeout) forward, and returns once each task whose
/// timeout has passed was aborted. Aborted tasks end when their runtime runs next.
///
/// Timeouts have a clock of their own, since they work on runtimes without a time driver: tokio's paused
/// clock does not move them. The clock is the process's, so tests that run in parallel share it.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
///
/// let hour = Duration::from_secs(3600);
/// let import = headcount::task("import").timeout(hour).spawn(std::future::pending::<()>());
/// headcount::testing::advance(hour);
/// let error = import.await.unwrap_err();
/// assert_eq!(headcount::outcome_of(&error), headcount::Outcome::Timeout);
/// # }
/// ```
pub fn advance(by: Duration) {
    timeout::advance(by);
}

/// What is left of a block.
struct Left {
    tasks: Vec<TaskInfo>,
    services: Vec<ServiceInfo>,
}

impl Left {
    fn find(scope: u64) -> Self {
        let mut describer = Describer::new();
        let mut left = Vec::new();
        read::live().filter(|(_, task)| task.is_scoped()).for_each(|(_, task)| {
            let found = describer.details(&task).and_then(|details| details.scope);
            if found.is_some_and(|found| found.is_within(scope)) {
                left.push(task);
            }
        });
        let tasks: Vec<_> = left.iter().map(|task| describer.live(task)).collect();
        let found: Vec<_> = tasks.iter().map(|task| task.id).collect();
        let services = between_runs(scope, &found);
        Self { tasks, services }
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.services.is_empty()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, services } = self;
        match (tasks.len(), services.len()) {
            (count, 0) => write!(f, "{count} task(s) left alive:")?,
            (0, count) => write!(f, "{count} service(s) left alive:")?,
            (count, more) => write!(f, "{count} task(s) and {more} service(s) left alive:")?,
        }
        for task in tasks {
            let (task_named, age) = (named(&task.name, task.id), took(task.age));
            write!(f, "\n  {task_named} {age} old ({})", place(&task.location))?;
        }
        for service in services {
            let (name, state, age) = (escape(&service.name), service.state, took(service.age));
            write!(f, "\n  {name} {state}, {age} old ({})", place(&service.location))?;
        }
        Ok(())
    }
}
