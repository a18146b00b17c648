//! Tasks, alive and finished.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::{labels, rounded, seconds, time};
#[cfg(test)]
use crate::admin::openapi::schema;
use crate::forecast::{Bound, Row};
use crate::settings::Hide;
use crate::snapshot::{self, FinishedTask, Kind, OnShutdown, Outcome, State, TaskInfo};

/// A task that lives.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Task {
    /// Never reused in a process.
    pub(in crate::admin) id: u64,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::kinds))]
    pub(in crate::admin) kind: Kind,
    pub(in crate::admin) labels: BTreeMap<String, String>,
    pub(in crate::admin) fields: BTreeMap<String, String>,
    /// The trace that its spawn belongs to, where it carries one; hidden with the fields.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) trace_id: Option<Arc<str>>,
    #[cfg_attr(test, schema(schema_with = schema::states))]
    pub(in crate::admin) state: State,
    /// For how long it has been in that state.
    pub(in crate::admin) state_seconds: f64,
    /// Whether it can be cancelled at all.
    pub(in crate::admin) cancellable: bool,
    pub(in crate::admin) age_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) started_at: String,
    /// Time spent in polls.
    pub(in crate::admin) busy_seconds: f64,
    pub(in crate::admin) polls: u64,
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) status: Option<Arc<str>>,
    pub(in crate::admin) progress: Option<Progress>,
    /// `file:line` of the spawn.
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) location: Arc<str>,
    /// The task that spawned it.
    pub(in crate::admin) parent: Option<u64>,
    #[cfg_attr(test, schema(schema_with = schema::policies))]
    pub(in crate::admin) on_shutdown: OnShutdown,
    pub(in crate::admin) grace_seconds: Option<f64>,
    /// How long it may run; null if it has no timeout.
    pub(in crate::admin) timeout_seconds: Option<f64>,
    /// How long it has run, from when it was admitted; null if it has no timeout.
    pub(in crate::admin) timeout_elapsed_seconds: Option<f64>,
    /// Whether its timeout has passed and it is still there, since it cannot be aborted.
    pub(in crate::admin) overdue: bool,
    /// What a stop waits for with it, beyond its own end.
    pub(in crate::admin) waits_for: Option<String>,
    /// When it likely ends, or no longer holds up the stop that runs; null if not known.
    pub(in crate::admin) eta_seconds: Option<f64>,
    /// How `eta_seconds` is meant.
    #[cfg_attr(test, schema(schema_with = schema::bounds))]
    pub(in crate::admin) eta_bound: Option<&'static str>,
    pub(in crate::admin) usual: Option<Usual>,
    /// How many of its children live.
    pub(in crate::admin) children_total: usize,
}

/// How far a task says it is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Progress {
    pub(in crate::admin) done: u64,
    /// 0 where not known.
    pub(in crate::admin) total: u64,
}

/// How long tasks of a group usually take.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Usual {
    pub(in crate::admin) count: u64,
    pub(in crate::admin) p50_seconds: f64,
    pub(in crate::admin) p95_seconds: f64,
    pub(in crate::admin) p99_seconds: f64,
    /// Whether these are upper bounds: too few of the newest durations are known.
    pub(in crate::admin) at_most: bool,
}

/// A task that has ended.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON")]
pub(in crate::admin) struct Finished {
    #[serde(flatten)]
    pub(in crate::admin) task: Task,
    #[cfg_attr(test, schema(schema_with = schema::outcomes))]
    pub(in crate::admin) outcome: Outcome,
    pub(in crate::admin) duration_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) finished_at: String,
    /// The text of its panic or error.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) message: Option<Arc<str>>,
}

/// A page of tasks that live.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct TaskPage {
    /// How many there are in all.
    pub(in crate::admin) total: usize,
    pub(in crate::admin) items: Vec<Task>,
    /// The cursor of the next page.
    pub(in crate::admin) next: Option<String>,
}

/// A page of tasks that have ended, newest first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct FinishedPage {
    /// How many there are in all.
    pub(in crate::admin) total: usize,
    pub(in crate::admin) items: Vec<Finished>,
    /// The cursor of the next page.
    pub(in crate::admin) next: Option<String>,
    /// Those that were ok, by group, where `fold_ok` has them here: the most first, at most 100 groups.
    pub(in crate::admin) folded: Vec<OkGroup>,
}

/// Tasks of one group that were ok.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct OkGroup {
    pub(in crate::admin) group: u32,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::kinds))]
    pub(in crate::admin) kind: Kind,
    pub(in crate::admin) labels: BTreeMap<String, String>,
    /// Of those that the history holds.
    pub(in crate::admin) count: usize,
    /// How long half of them took at most.
    pub(in crate::admin) median_seconds: f64,
    pub(in crate::admin) longest_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) first: String,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) last: String,
    pub(in crate::admin) last_task: u64,
}

/// A task named from another's page.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct TaskRef {
    pub(in crate::admin) id: u64,
    /// Null where the history holds it no more.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) name: Option<Arc<str>>,
    #[cfg_attr(test, schema(schema_with = schema::optional_states))]
    pub(in crate::admin) state: Option<State>,
    #[cfg_attr(test, schema(schema_with = schema::optional_outcomes))]
    pub(in crate::admin) outcome: Option<Outcome>,
}

/// One task, alive or still in the history.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct TaskDetail {
    #[serde(flatten)]
    pub(in crate::admin) task: Task,
    #[cfg_attr(test, schema(schema_with = schema::optional_outcomes))]
    pub(in crate::admin) outcome: Option<Outcome>,
    pub(in crate::admin) duration_seconds: Option<f64>,
    #[cfg_attr(test, schema(schema_with = schema::optional_date_time))]
    pub(in crate::admin) finished_at: Option<String>,
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) message: Option<Arc<str>>,
    /// Nearest first.
    pub(in crate::admin) ancestors: Vec<TaskRef>,
    /// Those that live, oldest first, at most 100.
    pub(in crate::admin) children: Vec<Task>,
    /// Newest last, at most 16.
    pub(in crate::admin) status_history: Vec<StatusEntry>,
}

/// What a task said of itself, and when.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct StatusEntry {
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) at: String,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) status: Arc<str>,
}

impl Task {
    pub(in crate::admin) fn new(task: TaskInfo, row: Row, hide: &BTreeSet<Hide>) -> Self {
        let hides_fields = hide.contains(&Hide::Fields);
        let fields = task.fields.into_iter().filter(|_| !hides_fields);
        Self {
            id: task.id.get(),
            name: task.name,
            kind: task.kind,
            labels: labels(&task.labels),
            fields: fields.map(|(key, value)| (key.into_owned(), value)).collect(),
            trace_id: task.trace_id.filter(|_| !hides_fields),
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
            parent: task.parent.map(headcount_core::TaskId::get),
            on_shutdown: task.on_shutdown,
            grace_seconds: task.grace.map(seconds),
            timeout_seconds: task.timeout.map(|timeout| seconds(timeout.allowed)),
            timeout_elapsed_seconds: task.timeout.map(|timeout| seconds(timeout.elapsed)),
            overdue: task.timeout.is_some_and(|timeout| timeout.overdue),
            waits_for: row.waits_for,
            eta_seconds: row.eta.map(rounded),
            eta_bound: row.bound.map(Bound::as_str),
            usual: task.usual.map(Usual::from),
            children_total: task.children,
        }
    }
}

impl Finished {
    pub(in crate::admin) fn new(finished: FinishedTask, hide: &BTreeSet<Hide>) -> Self {
        Self {
            task: Task::new(finished.task, Row::default(), hide),
            outcome: finished.outcome,
            duration_seconds: seconds(finished.duration),
            finished_at: time(finished.finished_at),
            message: finished.message.filter(|_| !hide.contains(&Hide::Messages)),
        }
    }
}

impl From<snapshot::OkGroup> for OkGroup {
    fn from(group: snapshot::OkGroup) -> Self {
        Self {
            group: group.group.get(),
            name: group.name,
            kind: group.kind,
            labels: labels(&group.labels),
            count: group.count,
            median_seconds: seconds(group.median),
            longest_seconds: seconds(group.longest),
            first: time(group.first),
            last: time(group.last),
            last_task: group.last_task.get(),
        }
    }
}

impl From<snapshot::Usual> for Usual {
    fn from(usual: snapshot::Usual) -> Self {
        Self {
            count: usual.count,
            p50_seconds: seconds(usual.p50),
            p95_seconds: seconds(usual.p95),
            p99_seconds: seconds(usual.p99),
            at_most: usual.at_most,
        }
    }
}
