//! The shapes of the JSON: what `dashboard/src/wire.ts` mirrors, and the description of the API shows.
//!
//! Every key is always present, null where empty. Times are RFC 3339, durations seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

#[cfg(test)]
use super::openapi::schema;
use crate::settings::Hide;
use crate::snapshot::{self, FinishedTask, Kind, Labels, OnShutdown, Outcome, State, TaskInfo};

/// A task that lives.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Task {
    /// Never reused in a process.
    pub(super) id: u64,
    #[cfg_attr(test, schema(value_type = String))]
    pub(super) name: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::kinds))]
    pub(super) kind: Kind,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, String>,
    #[cfg_attr(test, schema(schema_with = schema::states))]
    pub(super) state: State,
    /// For how long it has been in that state.
    pub(super) state_seconds: f64,
    /// Whether it can be cancelled at all.
    pub(super) cancellable: bool,
    pub(super) age_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(super) started_at: String,
    /// Time spent in polls.
    pub(super) busy_seconds: f64,
    pub(super) polls: u64,
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(super) status: Option<Arc<str>>,
    pub(super) progress: Option<Progress>,
    /// `file:line` of the spawn.
    #[cfg_attr(test, schema(value_type = String))]
    pub(super) location: Arc<str>,
    /// The task that spawned it.
    pub(super) parent: Option<u64>,
    #[cfg_attr(test, schema(schema_with = schema::policies))]
    pub(super) on_shutdown: OnShutdown,
    pub(super) grace_seconds: Option<f64>,
    pub(super) usual: Option<Usual>,
}

/// How far a task says it is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Progress {
    pub(super) done: u64,
    /// 0 where not known.
    pub(super) total: u64,
}

/// How long tasks of a group usually take.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Usual {
    pub(super) count: u64,
    pub(super) p50_seconds: f64,
    pub(super) p95_seconds: f64,
    pub(super) p99_seconds: f64,
}

/// A task that has ended.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON")]
pub(super) struct Finished {
    #[serde(flatten)]
    pub(super) task: Task,
    #[cfg_attr(test, schema(schema_with = schema::outcomes))]
    pub(super) outcome: Outcome,
    pub(super) duration_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(super) finished_at: String,
    /// The text of its panic or error.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(super) message: Option<Arc<str>>,
}

/// A page of tasks that live.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct TaskPage {
    /// How many there are in all.
    pub(super) total: usize,
    pub(super) items: Vec<Task>,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
}

/// A page of tasks that have ended, newest first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct FinishedPage {
    /// How many there are in all.
    pub(super) total: usize,
    pub(super) items: Vec<Finished>,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
}

/// A task named from another's page.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct TaskRef {
    pub(super) id: u64,
    /// Null where the history holds it no more.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(super) name: Option<Arc<str>>,
    #[cfg_attr(test, schema(schema_with = schema::optional_states))]
    pub(super) state: Option<State>,
    #[cfg_attr(test, schema(schema_with = schema::optional_outcomes))]
    pub(super) outcome: Option<Outcome>,
}

/// One task, alive or still in the history.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct TaskDetail {
    #[serde(flatten)]
    pub(super) task: Task,
    #[cfg_attr(test, schema(schema_with = schema::optional_outcomes))]
    pub(super) outcome: Option<Outcome>,
    pub(super) duration_seconds: Option<f64>,
    #[cfg_attr(test, schema(schema_with = schema::optional_date_time))]
    pub(super) finished_at: Option<String>,
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(super) message: Option<Arc<str>>,
    /// Nearest first.
    pub(super) ancestors: Vec<TaskRef>,
    /// Those that live, oldest first, at most 100.
    pub(super) children: Vec<Task>,
    pub(super) children_total: usize,
    /// Newest last, at most 16.
    pub(super) status_history: Vec<StatusEntry>,
}

/// What a task said of itself, and when.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct StatusEntry {
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(super) at: String,
    #[cfg_attr(test, schema(value_type = String))]
    pub(super) status: Arc<str>,
}

/// How many tasks ended in which way.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct OutcomeCounts {
    ok: u64,
    error: u64,
    panic: u64,
    cancelled: u64,
    aborted: u64,
}

/// One plain sentence under the row it speaks of.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Warning {
    pub(super) code: WarningCode,
    pub(super) text: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum WarningCode {
    Stuck,
    Blocked,
    SlowPolls,
    Failing,
    Growing,
    Overflow,
}

/// The last task of a group that ended in error or panic.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Failure {
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(super) at: String,
    pub(super) task: u64,
    #[cfg_attr(test, schema(schema_with = schema::outcomes))]
    pub(super) outcome: Outcome,
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(super) message: Option<Arc<str>>,
}

/// Tasks with the same name, labels, kind and location.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Group {
    /// Stable while the process lives.
    pub(super) id: u32,
    #[cfg_attr(test, schema(value_type = String))]
    pub(super) name: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::kinds))]
    pub(super) kind: Kind,
    pub(super) labels: BTreeMap<String, String>,
    #[cfg_attr(test, schema(value_type = String))]
    pub(super) location: Arc<str>,
    pub(super) live: u64,
    pub(super) blocked: u64,
    pub(super) spawned: u64,
    pub(super) finished: OutcomeCounts,
    pub(super) polls: u64,
    pub(super) slow_polls: u64,
    pub(super) busy_seconds: f64,
    pub(super) usual: Option<Usual>,
    pub(super) oldest_age_seconds: Option<f64>,
    pub(super) oldest_task: Option<u64>,
    pub(super) last_failure: Option<Failure>,
    #[serde(flatten)]
    pub(super) rates: Rates,
    pub(super) warnings: Vec<Warning>,
}

/// What happened lately.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Rates {
    /// Over the last 10 seconds; null in the first second.
    pub(super) spawned_per_second: Option<f64>,
    /// Over the last 10 seconds; null in the first second.
    pub(super) finished_per_second: Option<f64>,
    /// What polls took of the time of all workers of the runtime that `install` ran in, 1 at most, over the last 10
    /// seconds; null in the first second, and of closures, which have threads of their own.
    pub(super) busy_share: Option<f64>,
    /// Share of what finished in the last minute that ended in error or panic; null if nothing finished.
    pub(super) failed_share: Option<f64>,
}

/// What can end this process, and when.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Lifetime {
    pub(super) signals: Vec<&'static str>,
    pub(super) drain_timeout_seconds: Option<f64>,
    pub(super) announce_delay_seconds: f64,
    pub(super) abort_grace_seconds: f64,
    pub(super) hook_timeout_seconds: f64,
    pub(super) exit_after_seconds: Option<f64>,
    pub(super) platform_grace_seconds: Option<f64>,
    /// `off` or `auto`.
    pub(super) linger: String,
    /// `adopt` or `refuse`.
    pub(super) late_spawns: String,
    pub(super) request_limit: Option<RequestLimit>,
    /// The same as sentences, in the order in which they are to be read.
    pub(super) sentences: Vec<String>,
}

/// After how many requests the process stops.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct RequestLimit {
    pub(super) limit: u64,
    pub(super) admitted: u64,
}

/// A shutdown, from its start on.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Shutdown {
    pub(super) reason: String,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(super) started_at: String,
    pub(super) elapsed_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::stages))]
    pub(super) stage: &'static str,
    #[cfg_attr(test, schema(schema_with = schema::optional_date_time))]
    pub(super) deadline_at: Option<String>,
    pub(super) remaining_seconds: Option<f64>,
    pub(super) budget_seconds: Option<f64>,
    #[cfg_attr(test, schema(schema_with = schema::optional_date_time))]
    pub(super) exit_at: Option<String>,
    pub(super) forced_by: Option<String>,
    /// How many were waited for so far, those that came late and those that were aborted too; it never shrinks.
    pub(super) total: u64,
    /// How many of them ended by themselves.
    pub(super) ended: u64,
    pub(super) pending: u64,
    pub(super) pending_requests: u64,
    /// Until all have likely ended; null where the histories allow no estimate.
    pub(super) estimate_seconds: Option<f64>,
    /// Seconds since the start, and how many were pending then; at most 120 points.
    pub(super) burn_down: Vec<(f64, u64)>,
    /// The 20 oldest that are waited for.
    pub(super) tasks: Vec<Task>,
    /// The rest, one entry a group.
    pub(super) rest: Vec<NameCount>,
    /// Newest first, at most 20.
    pub(super) recently_ended: Vec<Ended>,
    /// At the end.
    #[cfg_attr(test, schema(value_type = Option<Object>))]
    pub(super) report: Option<super::stop::Report>,
}

/// Tasks of one name.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct NameCount {
    #[cfg_attr(test, schema(value_type = String))]
    pub(super) name: Arc<str>,
    pub(super) count: u64,
}

/// A task that ended during the shutdown.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Ended {
    pub(super) id: u64,
    #[cfg_attr(test, schema(value_type = String))]
    pub(super) name: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::outcomes))]
    pub(super) outcome: Outcome,
    pub(super) duration_seconds: f64,
}

/// The process and all groups.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Summary {
    #[serde(flatten)]
    pub(super) process: Hello,
    pub(super) uptime_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::stages))]
    pub(super) stage: &'static str,
    pub(super) live: u64,
    pub(super) blocked: u64,
    pub(super) spawned: u64,
    pub(super) finished: OutcomeCounts,
    /// Tasks of the runtime that headcount does not know; null outside a runtime.
    pub(super) untracked: Option<u64>,
    #[serde(flatten)]
    pub(super) rates: Rates,
    /// The most interesting first. An event carries only as many as fit into 64 kB.
    pub(super) groups: Vec<Group>,
    pub(super) groups_total: usize,
    pub(super) lifetime: Lifetime,
    /// Null until a shutdown begins.
    pub(super) shutdown: Option<Shutdown>,
    /// Whether POSTs are allowed.
    pub(super) actions: bool,
}

/// Which process answers; the first event of the stream.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Hello {
    pub(super) service: String,
    /// Of headcount.
    pub(super) version: &'static str,
    /// What an action must give back in `If-Match`.
    pub(super) instance: String,
    pub(super) pid: u32,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(super) started_at: String,
}

/// The server's own memory of its figures, oldest first; ten minutes.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Trends {
    pub(super) interval_seconds: f64,
    /// The time of the newest point.
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(super) until: String,
    pub(super) live: Vec<u64>,
    pub(super) finished_per_second: Vec<f64>,
    pub(super) failed_per_second: Vec<f64>,
    pub(super) busy_share: Vec<f64>,
    pub(super) groups: Vec<GroupTrend>,
}

/// The same for one group.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct GroupTrend {
    pub(super) id: u32,
    pub(super) live: Vec<u64>,
}

impl Task {
    pub(super) fn new(task: TaskInfo, hide: &BTreeSet<Hide>) -> Self {
        let fields = task.fields.into_iter().filter(|_| !hide.contains(&Hide::Fields));
        Self {
            id: task.id,
            name: task.name,
            kind: task.kind,
            labels: labels(&task.labels),
            fields: fields.map(|(key, value)| (key.into_owned(), value)).collect(),
            state: task.state,
            state_seconds: seconds(task.state_for),
            cancellable: task.cancellable,
            age_seconds: seconds(task.age),
            started_at: time(task.started_at),
            busy_seconds: seconds(task.busy),
            polls: task.polls,
            status: task.status,
            progress: task.progress.map(|p| Progress { done: p.done, total: p.total }),
            location: task.location,
            parent: task.parent,
            on_shutdown: task.on_shutdown,
            grace_seconds: task.grace.map(seconds),
            usual: task.usual.map(Usual::from),
        }
    }
}

impl Finished {
    pub(super) fn new(finished: FinishedTask, hide: &BTreeSet<Hide>) -> Self {
        Self {
            task: Task::new(finished.task, hide),
            outcome: finished.outcome,
            duration_seconds: seconds(finished.duration),
            finished_at: time(finished.finished_at),
            message: finished.message.filter(|_| !hide.contains(&Hide::Messages)),
        }
    }
}

impl From<snapshot::OutcomeCounts> for OutcomeCounts {
    fn from(counts: snapshot::OutcomeCounts) -> Self {
        let snapshot::OutcomeCounts { ok, error, panic, cancelled, aborted, .. } = counts;
        Self { ok, error, panic, cancelled, aborted }
    }
}

impl From<snapshot::Usual> for Usual {
    fn from(usual: snapshot::Usual) -> Self {
        Self {
            count: usual.count,
            p50_seconds: seconds(usual.p50),
            p95_seconds: seconds(usual.p95),
            p99_seconds: seconds(usual.p99),
        }
    }
}

pub(super) fn labels(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// To the millisecond, below a second to the microsecond: enough for anything shown, and the text stays short.
pub(super) fn seconds(duration: Duration) -> f64 {
    if duration < Duration::from_secs(1) {
        duration.as_micros() as f64 / 1e6
    } else {
        duration.as_millis() as f64 / 1e3
    }
}

pub(super) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
