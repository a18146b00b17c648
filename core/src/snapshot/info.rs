//! The plain data of a snapshot.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::id::{GroupId, TaskId};
use crate::named::named;
use crate::outcome::{Outcome, OutcomeCounts};
use crate::registry::kind::{Kind, Labels, OnShutdown, Progress};
use crate::terms::{Reason, SetBy};

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
    /// In one poll for longer than `blocked_after`. Closures of [`spawn_blocking`](crate::spawn_blocking)
    /// never are.
    Blocked,
    /// Waiting for its limit or its key; its timeout has not begun.
    Limited,
}

named!(State {
    Queued => "queued",
    Idle => "idle",
    Running => "running",
    Blocked => "blocked",
    Limited => "limited",
});

/// How long the tasks of a group that ended ok took: quantiles of the newest 8,192, true to 1 %.
///
/// Where too few of the newest are known, they are upper bounds instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Usual {
    /// How many have ended ok; at least 5.
    pub count: u64,
    /// Half took no longer.
    pub p50: Duration,
    /// 95 of 100 took no longer.
    pub p95: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// Whether the durations above are upper bounds: too few of the newest are known to say more.
    pub at_most: bool,
}

/// How many live tasks are in each [`State`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StateCounts {
    /// Tasks that are [`State::Queued`].
    pub queued: u64,
    /// Tasks that are [`State::Idle`].
    pub idle: u64,
    /// Tasks that are [`State::Running`].
    pub running: u64,
    /// Tasks that are [`State::Blocked`].
    pub blocked: u64,
    /// Tasks that are [`State::Limited`].
    pub limited: u64,
}

impl StateCounts {
    /// The number for one state.
    pub const fn get(&self, state: State) -> u64 {
        match state {
            State::Queued => self.queued,
            State::Idle => self.idle,
            State::Running => self.running,
            State::Blocked => self.blocked,
            State::Limited => self.limited,
        }
    }

    pub(crate) const fn merge(&mut self, other: &Self) {
        self.queued += other.queued;
        self.idle += other.idle;
        self.running += other.running;
        self.blocked += other.blocked;
        self.limited += other.limited;
    }

    pub(crate) const fn add(&mut self, state: State) {
        let count = match state {
            State::Queued => &mut self.queued,
            State::Idle => &mut self.idle,
            State::Running => &mut self.running,
            State::Blocked => &mut self.blocked,
            State::Limited => &mut self.limited,
        };
        *count += 1;
    }
}

/// How fast a task makes progress.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Pace {
    /// Units done per second, from the first that it reported to the last.
    pub per_second: f64,
    /// How long ago it last reported progress.
    pub reported_ago: Duration,
}

/// How long a task may run, and how long it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TimeoutInfo {
    /// How long it may run, extensions included.
    pub allowed: Duration,
    /// How long it has run, from when it was admitted.
    pub elapsed: Duration,
    /// Whether that has passed and the task is still there, since it cannot be aborted.
    pub overdue: bool,
}

/// The terms of a group: its timeout and limit, and what became of tasks that waited.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TermsInfo {
    /// How long its tasks may run, where all have a timeout or its newest with one was given this.
    pub timeout: Option<Duration>,
    /// Where that comes from.
    pub timeout_set_by: Option<SetBy>,
    /// How many of the tasks of its limit may run at once.
    pub limit: Option<u64>,
    /// How many may wait for that.
    pub queue: Option<u64>,
    /// Where the limit comes from.
    pub limit_set_by: Option<SetBy>,
    /// How many wait for that, of all groups that share the limit.
    pub queued: u64,
    /// How many of its tasks wait now, for the limit or for a task with the same key.
    pub limited: u64,
    /// The one that has waited longest.
    pub first_in_line: Option<Oldest>,
    /// How many were rejected, by the reason.
    pub rejected: Vec<(Reason, u64)>,
    /// How long its tasks waited, those left out that did not wait; the last bucket has no upper bound.
    pub waited: Vec<Bucket>,
    /// What becomes of its newest task when the process stops.
    pub on_shutdown: OnShutdown,
    /// The grace that the code gave that task.
    pub grace: Option<Duration>,
}

/// A live task, as read at one moment.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TaskInfo {
    /// Never reused in a process; below 2^53.
    pub id: TaskId,
    /// As given, or after its code.
    pub name: Arc<str>,
    /// Which of the spawn functions began it.
    pub kind: Kind,
    /// Labels, also those of its metrics.
    pub labels: Labels,
    /// Values of its own, in no metric.
    pub fields: Vec<(Cow<'static, str>, String)>,
    /// The trace that its spawn belongs to, where a [carrier](crate::carry) has one.
    pub trace_id: Option<Arc<str>>,
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
    /// Its last status.
    pub status: Option<Arc<str>>,
    /// Its last progress.
    pub progress: Option<Progress>,
    /// How fast it makes progress, in units a second, and how long ago it last reported that; `None` before
    /// its first unit.
    pub pace: Option<Pace>,
    /// `file:line` of the spawn.
    pub location: Arc<str>,
    /// The task that spawned it.
    pub parent: Option<TaskId>,
    /// How many of its children live, where that was counted: on a page of live tasks.
    pub children: usize,
    /// What becomes of it when the process stops.
    pub on_shutdown: OnShutdown,
    /// Whether it has asked if the process stops: through `draining()` or `shutdown_requested()`.
    pub listens: bool,
    /// The grace of its own, where it has one.
    pub grace: Option<Duration>,
    /// Its timeout, where it has one.
    pub timeout: Option<TimeoutInfo>,
    /// The group it belongs to: [`GroupInfo::id`].
    pub group: GroupId,
    /// How long tasks of its group usually take, where enough have finished to say.
    pub usual: Option<Usual>,
}

/// A finished task, as the history keeps it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FinishedTask {
    /// The task as it was. `state` is its last state, `age` its duration.
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
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum TaskLookup {
    /// It lives.
    Live(TaskInfo),
    /// It has ended, and the history still holds it.
    Finished(FinishedTask),
}

/// A task by its id, and what it said of itself.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TaskDetails {
    /// The task.
    pub task: TaskLookup,
    /// The last 16 statuses it set and when, newest last.
    pub statuses: Vec<(SystemTime, Arc<str>)>,
}

/// One bucket of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Durations {
    /// Ascending; the last has no upper bound.
    pub buckets: Vec<Bucket>,
    /// The same for each outcome that occurred. They add up to all.
    pub by_outcome: Vec<(Outcome, Vec<Bucket>)>,
}

/// The last task of a group that ended in error or panic.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Failure {
    /// When it ended.
    pub at: SystemTime,
    /// Its id.
    pub task: TaskId,
    /// `Error` or `Panic`.
    pub outcome: Outcome,
    /// The text of its panic or error.
    pub message: Option<Arc<str>>,
}

/// The oldest live task of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Oldest {
    /// Its id.
    pub id: TaskId,
    /// When it was spawned.
    pub started_at: SystemTime,
    /// How long ago that is.
    pub age: Duration,
}

/// Tasks with the same name, labels, kind and location, and their totals.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct GroupInfo {
    /// Small, and stable while the process lives.
    pub id: GroupId,
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
    /// Its terms, where its tasks have or had some.
    pub terms: Option<TermsInfo>,
}

/// Totals and groups at one moment.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: SystemTime,
    /// Tasks alive.
    pub live: u64,
    /// Of these, in one poll for longer than `blocked_after`.
    pub blocked: u64,
    /// How many are in each state.
    pub states: StateCounts,
    /// Tasks spawned since the process started.
    pub spawned: u64,
    /// Tasks finished since the process started.
    pub finished: OutcomeCounts,
    /// All groups, in the order of their ids.
    pub groups: Vec<GroupInfo>,
    /// Spawns that were counted under `__other__` for want of room.
    pub groups_overflowed: u64,
    /// Finished tasks that the history of any outcome holds no more. Those that were not ok may be in the
    /// other half of it.
    pub history_dropped: u64,
    /// Tasks spawned after draining began.
    pub late_spawns: u64,
    /// Log lines of panics and errors held back in a storm.
    pub log_lines_suppressed: u64,
    /// How often something that a task [carried](crate::carry) was dropped because its carrier panicked.
    pub carriers_dropped: u64,
}
