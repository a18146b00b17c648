//! For tests: did this block leave a task running?

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::name::place;
use crate::registry::slot::Reading;
use crate::registry::{registry, timeout};
use crate::snapshot::TaskInfo;
use crate::snapshot::read::Describer;
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
    let tracked = task("assert_no_leaks").scope(scope).track(block);
    async move {
        let output = tracked.await;
        let begun = Instant::now();
        let mut steps = 0;
        let mut paused = None;
        loop {
            // Read before the search, so that each task found had all of that time.
            let is_over = if paused == Some(true) { STEPS < steps } else { SETTLE < begun.elapsed() };
            let left = left_alive(scope);
            if left.is_empty() {
                return output;
            }
            assert!(!is_over, "{}", complaint(&left));
            if *paused.get_or_insert_with(is_clock_paused) {
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

/// Whether tokio's clock stands still, as `#[tokio::test(start_paused = true)]` has it.
fn is_clock_paused() -> bool {
    let (real, tokio) = (Instant::now(), tokio::time::Instant::now());
    while real.elapsed() < Duration::from_micros(200) {
        std::hint::spin_loop();
    }
    tokio.elapsed().is_zero()
}

fn left_alive(scope: u64) -> Vec<TaskInfo> {
    let mut describer = Describer::new();
    let mut left = Vec::new();
    registry().slab.slots().for_each(|slot| {
        let scoped = slot.read().filter(Reading::is_scoped);
        let is_within = |task: &Reading| describer.details(task)?.scope.map(|found| found.is_within(scope));
        left.extend(scoped.filter(|task| is_within(task) == Some(true)));
    });
    left.iter().map(|task| describer.live(task)).collect()
}

fn complaint(tasks: &[TaskInfo]) -> String {
    let mut text = format!("{} task(s) left alive:", tasks.len());
    for task in tasks {
        let (task_named, age) = (named(&task.name, task.id), took(task.age));
        let _ = write!(text, "\n  {task_named} {age} old ({})", place(&task.location));
    }
    text
}
