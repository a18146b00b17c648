//! What the registry held at a moment, as plain data: what metrics, HTTP, log and console read.
//!
//! # What a concurrent reading may miss
//!
//! A reading stops nobody, so tasks start and end while it is taken.
//!
//! - **Totals are exact.** In one [`Snapshot`], for each group, `spawned` is `finished.total() + live`, and the buckets of
//!   its durations add up to `finished.total()`. From one snapshot to the next no total goes backwards. A task that starts or ends
//!   during the reading is counted before or after, as a whole.
//! - **Figures of live tasks are those of the moment at which the reading passed them**: `blocked`, the oldest, and what live tasks add
//!   to `polls` and `busy`. A task that starts or ends during the reading may be missing from them; none is seen twice.
//! - **A page of tasks** has no task twice. One that starts or ends during the reading may be missing.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::registry::{page, read};

pub use crate::outcome::{Outcome, OutcomeCounts};

/// What runs: which of the spawn functions began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Kind {
    /// [`spawn`](crate::spawn) and [`spawn_on`](crate::spawn_on).
    Task,
    /// [`spawn_local`](crate::spawn_local).
    Local,
    /// [`spawn_blocking`](crate::spawn_blocking).
    Blocking,
    /// [`track`](crate::track).
    Future,
    /// A request under the tower layer.
    Request,
}

impl Kind {
    /// All kinds, in the order in which they are listed everywhere.
    pub const ALL: [Self; 5] = [Self::Task, Self::Local, Self::Blocking, Self::Future, Self::Request];

    /// The name used in metrics, JSON and log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Local => "local",
            Self::Blocking => "blocking",
            Self::Future => "future",
            Self::Request => "request",
        }
    }
}

/// What a live task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// Not polled yet.
    Queued,
    /// Waiting to be woken.
    Idle,
    /// In a poll, or in its closure.
    Running,
    /// In one poll for longer than `blocked_after`. Closures of [`spawn_blocking`](crate::spawn_blocking) never are.
    Blocked,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Idle, Self::Running, Self::Blocked];

    /// The name used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Blocked => "blocked",
        }
    }
}

/// What becomes of a task when the process stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OnShutdown {
    /// It is waited for.
    #[default]
    Wait,
    /// It is aborted as soon as draining begins.
    Cancel,
    /// It is left alone until nothing else is waited for but what awaits [`idle()`](crate::idle) itself, then told through
    /// `draining()` and given its grace: for caches, batchers and background loops that other tasks feed.
    Last,
    /// It is reported and not waited for.
    Detach,
}

impl OnShutdown {
    /// The name used in settings, JSON and log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Cancel => "cancel",
            Self::Last => "last",
            Self::Detach => "detach",
        }
    }
}

/// How far a task has come, as it said itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 where not known.
    pub total: u64,
}

/// The labels of a group: keys and values, in the order in which they were given.
pub type Labels = Arc<[(Cow<'static, str>, Cow<'static, str>)]>;

/// How long the tasks of a group that ended ok took: estimates from the buckets, true to the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usual {
    /// How many tasks it says this of; at least 5.
    pub count: u64,
    /// Half took no longer.
    pub p50: Duration,
    /// 95 of 100 took no longer.
    pub p95: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
}

/// A live task, as read at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Never reused in a process; below 2^53.
    pub id: u64,
    /// As given, or after its code.
    pub name: Arc<str>,
    /// Which of the spawn functions began it.
    pub kind: Kind,
    /// Labels, also those of its metrics.
    pub labels: Labels,
    /// Values of its own, in no metric.
    pub fields: Vec<(Cow<'static, str>, String)>,
    /// What it is doing.
    pub state: State,
    /// For how long it has been doing that.
    pub state_for: Duration,
    /// Whether it can be aborted. `track` futures, requests and running closures cannot.
    pub cancellable: bool,
    /// When it was spawned.
    pub started_at: SystemTime,
    /// How long ago that is.
    pub age: Duration,
    /// Time spent in polls, the current one included.
    pub busy: Duration,
    /// Polls begun.
    pub polls: u64,
    /// What it last said of itself.
    pub status: Option<Arc<str>>,
    /// How far it said it was.
    pub progress: Option<Progress>,
    /// `file:line` of the spawn.
    pub location: Arc<str>,
    /// The task that spawned it.
    pub parent: Option<u64>,
    /// What becomes of it when the process stops.
    pub on_shutdown: OnShutdown,
    /// The grace of its own, where it has one.
    pub grace: Option<Duration>,
    /// The group it belongs to: [`GroupInfo::id`].
    pub group: u32,
    /// How long tasks of its group usually take, where enough have finished to say.
    pub usual: Option<Usual>,
}

/// A finished task, as the history keeps it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FinishedTask {
    /// What it was. `state` is the last it had, `age` its duration.
    pub task: TaskInfo,
    /// How it ended.
    pub outcome: Outcome,
    /// From spawn to end.
    pub duration: Duration,
    /// When it ended.
    pub finished_at: SystemTime,
    /// The text of its panic or error.
    pub message: Option<Arc<str>>,
}

/// A task by its id: alive, or still in the history.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TaskLookup {
    /// It lives.
    Live(TaskInfo),
    /// It has ended, and the history still holds it.
    Finished(FinishedTask),
}

/// A task by its id, and what it said of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskDetails {
    /// The task.
    pub task: TaskLookup,
    /// The last 16 statuses it set and when, newest last.
    pub statuses: Vec<(SystemTime, Arc<str>)>,
}

/// One bucket of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Bucket {
    /// Inclusive upper bound in seconds; infinite for the last.
    pub upper_bound: f64,
    /// Tasks in this bucket alone.
    pub count: u64,
    /// The sum of their durations.
    pub sum: Duration,
}

/// How long finished tasks took, from spawn to end.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Durations {
    /// Ascending; the last has no upper bound.
    pub buckets: Vec<Bucket>,
}

/// The last task of a group that ended in error or panic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// When it ended.
    pub at: SystemTime,
    /// Its id.
    pub task: u64,
    /// `Error` or `Panic`.
    pub outcome: Outcome,
    /// The text of its panic or error.
    pub message: Option<Arc<str>>,
}

/// The oldest live task of a group.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Oldest {
    /// Its id.
    pub id: u64,
    /// When it was spawned.
    pub started_at: SystemTime,
    /// How long ago that is.
    pub age: Duration,
}

/// Tasks with the same name, labels, kind and location, and their totals.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupInfo {
    /// Small, and stable while the process lives.
    pub id: u32,
    /// The name its tasks share; `__other__` for the groups that hold the overflow.
    pub name: Arc<str>,
    /// The kind its tasks share.
    pub kind: Kind,
    /// The labels its tasks share.
    pub labels: Labels,
    /// `file:line` of the spawn.
    pub location: Arc<str>,
    /// Tasks alive.
    pub live: u64,
    /// Of these, in one poll for longer than `blocked_after`.
    pub blocked: u64,
    /// Tasks spawned since the process started.
    pub spawned: u64,
    /// Tasks finished since the process started.
    pub finished: OutcomeCounts,
    /// Polls begun, those of live tasks included.
    pub polls: u64,
    /// Polls that took longer than `slow_poll`.
    pub slow_polls: u64,
    /// Time spent in polls, that of live tasks included.
    pub busy: Duration,
    /// How long its finished tasks took.
    pub durations: Durations,
    /// How long its tasks usually take, where enough have finished to say.
    pub usual: Option<Usual>,
    /// Its oldest live task.
    pub oldest: Option<Oldest>,
    /// Its last failure.
    pub last_failure: Option<Failure>,
}

/// Totals and groups at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: SystemTime,
    /// Tasks alive.
    pub live: u64,
    /// Of these, in one poll for longer than `blocked_after`.
    pub blocked: u64,
    /// Tasks spawned since the process started.
    pub spawned: u64,
    /// Tasks finished since the process started.
    pub finished: OutcomeCounts,
    /// All groups, in the order of their ids.
    pub groups: Vec<GroupInfo>,
    /// Spawns that were counted under `__other__` for want of room.
    pub groups_overflowed: u64,
    /// Finished tasks that the history of any outcome holds no more. Those that were not ok may be in the other half of it.
    pub history_dropped: u64,
    /// Tasks spawned after draining began.
    pub late_spawns: u64,
    /// Log lines of panics and errors held back in a storm.
    pub log_lines_suppressed: u64,
}

/// By what a page of tasks is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SortBy {
    /// Time since the spawn.
    #[default]
    Age,
    /// Time spent in polls.
    Busy,
    /// Polls begun.
    Polls,
    /// Name, then id.
    Name,
}

/// In which direction a page of tasks is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SortOrder {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// Which live tasks a page shows, and how it is sorted.
#[derive(Clone, Debug, Default)]
pub struct TaskQuery {
    /// Only tasks of this name.
    pub name: Option<String>,
    /// Only tasks of this kind.
    pub kind: Option<Kind>,
    /// Only tasks in this state.
    pub state: Option<State>,
    /// Only tasks of this group.
    pub group: Option<u32>,
    /// Only children of this task.
    pub parent: Option<u64>,
    /// Only tasks with this text in name, label, field, status, location or state, in any case.
    pub search: Option<String>,
    /// By what they are sorted.
    pub sort: SortBy,
    /// In which direction; by default the largest first, names ascending.
    pub order: Option<SortOrder>,
    /// Tasks on the page: 100 by default, at most 500.
    pub limit: Option<usize>,
    /// Where the page begins: [`Page::next`] of the one before.
    pub cursor: Option<String>,
}

/// Which finished tasks a page shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct FinishedQuery {
    /// Only tasks of this name.
    pub name: Option<String>,
    /// Only tasks of this kind.
    pub kind: Option<Kind>,
    /// Only tasks of this group.
    pub group: Option<u32>,
    /// Only tasks that ended so.
    pub outcome: Option<Outcome>,
    /// Only tasks with this text in name, label, field, status, location, outcome or message, in any case.
    pub search: Option<String>,
    /// Tasks on the page: 100 by default, at most 500.
    pub limit: Option<usize>,
    /// Where the page begins: [`Page::next`] of the one before.
    pub cursor: Option<String>,
}

/// A page of tasks.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Page<T> {
    /// How many there are in all.
    pub total: usize,
    /// Those of this page.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last.
    pub next: Option<String>,
}

/// Reads totals and groups as they are now, also before `install` and without it.
///
/// # Cost
///
/// A pass over the live tasks, some milliseconds for a million, on the calling thread. The tasks do not notice.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handle = headcount::task("report").spawn(async {});
/// assert_eq!(headcount::snapshot().live, 1);
/// handle.await.unwrap();
/// assert_eq!(headcount::snapshot().finished.ok, 1);
/// # }
/// ```
pub fn snapshot() -> Snapshot {
    read::snapshot()
}

impl Snapshot {
    /// Reads one page of live tasks, as they are now. Of a million tasks no more is kept than two pages.
    ///
    /// Costs about 7 ns for each live task, whatever the order and the filter; a search that has to look into fields and
    /// statuses about 300 ns for each task that has some.
    ///
    /// # Errors
    ///
    /// If the cursor is [none](Error::is_cursor).
    pub fn tasks(query: &TaskQuery) -> Result<Page<TaskInfo>, Error> {
        page::live_page(query)
    }

    /// Reads one page of finished tasks: of the newest `history` of any outcome and the newest `history` that are not ok.
    ///
    /// # Errors
    ///
    /// If the cursor is [none](Error::is_cursor).
    pub fn finished(query: &FinishedQuery) -> Result<Page<FinishedTask>, Error> {
        page::finished_page(query)
    }

    /// Reads one task, live or in the history.
    pub fn task(id: u64) -> Option<TaskDetails> {
        read::lookup(id)
    }
}
