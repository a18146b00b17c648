//! For tests: what did this block leave running?

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::name::{escape, place};
use crate::registry::registry;
use crate::registry::slot::Reading;
use crate::snapshot::TaskInfo;
use crate::snapshot::read::Describer;
use crate::spawn::task;

/// How long tasks that are about to end are given to do so: of real time, in which other threads run.
const SETTLE: Duration = Duration::from_millis(100);

/// Runs a block and panics if a task that it spawned, or a task of such a task, is still alive.
///
/// Only descendants of the block count, so tests may run in parallel. Tasks that end on their own within 100 ms do not count either, which an aborted
/// one does; that is real time, also where tokio's is paused. What a block within this one spawns counts for both. The panic names each task with its place and age.
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
    static SCOPES: AtomicU64 = AtomicU64::new(1);
    let scope = SCOPES.fetch_add(1, Ordering::Relaxed);
    let tracked = task("assert_no_leaks").scope(scope).track(block);
    async move {
        let output = tracked.await;
        let begun = Instant::now();
        loop {
            // Before the look, so that what is found had all that time.
            let is_over = SETTLE < begun.elapsed();
            let left = left_alive(scope);
            if left.is_empty() {
                return output;
            }
            assert!(!is_over, "{}", complaint(&left));
            tokio::task::yield_now().await;
        }
    }
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
        let age = task.age.as_secs_f64();
        let _ =
            write!(text, "\n  {} #{} {age:.1}s old ({})", escape(&task.name), task.id, place(&task.location));
    }
    text
}
