//! The process, its groups, its shutdown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::outlook::{Attention, Forecast};
use super::tasks::{Task, Usual};
#[cfg(test)]
use crate::admin::openapi::schema;
use crate::attention::{Code, Finding, Severity};
use crate::shutdown::Report;
use crate::snapshot::{self, Kind, Outcome};

/// How many tasks ended in which way.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct OutcomeCounts {
    ok: u64,
    error: u64,
    panic: u64,
    cancelled: u64,
    timeout: u64,
    rejected: u64,
    abandoned: u64,
}

/// One plain sentence under the row it speaks of.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Warning {
    pub(in crate::admin) code: WarningCode,
    #[cfg_attr(test, schema(schema_with = schema::severities))]
    pub(in crate::admin) severity: Severity,
    pub(in crate::admin) text: String,
}

impl From<Finding> for Warning {
    fn from(finding: Finding) -> Self {
        let code = match finding.code {
            Code::Blocked => WarningCode::Blocked,
            Code::Failing => WarningCode::Failing,
            Code::Stuck => WarningCode::Stuck,
            Code::Growing => WarningCode::Growing,
            Code::SlowPolls => WarningCode::SlowPolls,
            Code::Overflow => WarningCode::Overflow,
        };
        Self { code, severity: finding.severity, text: finding.text }
    }
}

/// How many live tasks are in each state.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct StateCounts {
    pub(in crate::admin) queued: u64,
    pub(in crate::admin) idle: u64,
    pub(in crate::admin) running: u64,
    pub(in crate::admin) blocked: u64,
    pub(in crate::admin) limited: u64,
}

impl From<snapshot::StateCounts> for StateCounts {
    fn from(states: snapshot::StateCounts) -> Self {
        let snapshot::StateCounts { queued, idle, running, blocked, limited, .. } = states;
        Self { queued, idle, running, blocked, limited }
    }
}

/// The timeout and limit of a group, and what became of tasks that waited.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Terms {
    /// How long its tasks may run.
    pub(in crate::admin) timeout_seconds: Option<f64>,
    /// Whether a rule by name says so: the setting `timeout` or its variable, and not the code of the task.
    pub(in crate::admin) timeout_by_operator: bool,
    /// How many of the tasks of its limit may run at once.
    pub(in crate::admin) limit: Option<u64>,
    /// How many may wait for that.
    pub(in crate::admin) queue: Option<u64>,
    /// How many of its tasks wait now.
    pub(in crate::admin) limited: u64,
    pub(in crate::admin) rejected: Rejected,
    /// How long its tasks may live, as a sentence.
    pub(in crate::admin) lifetime: String,
}

/// How many tasks were not admitted, by the reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Rejected {
    /// The limit was reached and its queue full.
    pub(in crate::admin) full: u64,
    /// Another task had the key.
    pub(in crate::admin) duplicate: u64,
}

/// How long the tasks of a name may live.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct GroupLifetime {
    pub(in crate::admin) id: u32,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    pub(in crate::admin) sentence: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::admin) enum WarningCode {
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
pub(in crate::admin) struct Failure {
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) at: String,
    pub(in crate::admin) task: u64,
    #[cfg_attr(test, schema(schema_with = schema::outcomes))]
    pub(in crate::admin) outcome: Outcome,
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) message: Option<Arc<str>>,
}

/// Tasks with the same name, labels, kind and location.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Group {
    /// Stable while the process lives.
    pub(in crate::admin) id: u32,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::kinds))]
    pub(in crate::admin) kind: Kind,
    pub(in crate::admin) labels: BTreeMap<String, String>,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) location: Arc<str>,
    pub(in crate::admin) live: u64,
    pub(in crate::admin) blocked: u64,
    pub(in crate::admin) spawned: u64,
    pub(in crate::admin) finished: OutcomeCounts,
    pub(in crate::admin) polls: u64,
    pub(in crate::admin) slow_polls: u64,
    pub(in crate::admin) busy_seconds: f64,
    pub(in crate::admin) usual: Option<Usual>,
    pub(in crate::admin) oldest_age_seconds: Option<f64>,
    pub(in crate::admin) oldest_task: Option<u64>,
    pub(in crate::admin) last_failure: Option<Failure>,
    /// Null where its tasks never had a timeout, a limit or a key.
    pub(in crate::admin) terms: Option<Terms>,
    #[serde(flatten)]
    pub(in crate::admin) rates: Rates,
    pub(in crate::admin) warnings: Vec<Warning>,
}

/// What happened lately.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Rates {
    /// Over the last 10 seconds; null in the first second.
    pub(in crate::admin) spawned_per_second: Option<f64>,
    /// Over the last 10 seconds; null in the first second.
    pub(in crate::admin) finished_per_second: Option<f64>,
    /// What polls took of the time of all workers of all runtimes, 1 at most, over the
    /// last 10 seconds; null in the first second, and of closures, which have threads of their own.
    pub(in crate::admin) busy_share: Option<f64>,
    /// Share of what finished in the last minute that ended in error or panic; null if nothing finished.
    pub(in crate::admin) failed_share: Option<f64>,
}

/// What can end this process, and when.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Lifetime {
    pub(in crate::admin) signals: Vec<&'static str>,
    pub(in crate::admin) drain_timeout_seconds: Option<f64>,
    pub(in crate::admin) announce_delay_seconds: f64,
    pub(in crate::admin) abort_grace_seconds: f64,
    pub(in crate::admin) hook_timeout_seconds: f64,
    pub(in crate::admin) exit_after_seconds: Option<f64>,
    pub(in crate::admin) platform_grace_seconds: Option<f64>,
    /// `off` or `auto`.
    pub(in crate::admin) linger: String,
    /// `adopt` or `refuse`.
    pub(in crate::admin) late_spawns: String,
    pub(in crate::admin) request_limit: Option<RequestLimit>,
    /// The same as sentences, in the order in which they are to be read.
    pub(in crate::admin) sentences: Vec<String>,
    /// Groups whose tasks have a timeout, or may wait.
    pub(in crate::admin) groups: Vec<GroupLifetime>,
}

/// After how many requests the process stops.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct RequestLimit {
    pub(in crate::admin) limit: u64,
    pub(in crate::admin) admitted: u64,
}

/// A shutdown, from its start on.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Shutdown {
    pub(in crate::admin) reason: String,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) started_at: String,
    pub(in crate::admin) elapsed_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::stages))]
    pub(in crate::admin) stage: &'static str,
    #[cfg_attr(test, schema(schema_with = schema::optional_date_time))]
    pub(in crate::admin) deadline_at: Option<String>,
    pub(in crate::admin) remaining_seconds: Option<f64>,
    pub(in crate::admin) budget_seconds: Option<f64>,
    #[cfg_attr(test, schema(schema_with = schema::optional_date_time))]
    pub(in crate::admin) exit_at: Option<String>,
    pub(in crate::admin) forced_by: Option<String>,
    /// How many were waited for so far, those that came late and those that were aborted too; it never
    /// shrinks.
    pub(in crate::admin) total: u64,
    /// How many of them ended by themselves.
    pub(in crate::admin) ended: u64,
    pub(in crate::admin) pending: u64,
    pub(in crate::admin) pending_requests: u64,
    /// Until all that have a forecast have likely ended; null if none has.
    pub(in crate::admin) estimate_seconds: Option<f64>,
    /// Until tasks are asked to stop, while the shutdown is announced.
    pub(in crate::admin) told_in_seconds: Option<f64>,
    /// How long it was likely to take when it began.
    pub(in crate::admin) forecast_at_start_seconds: Option<f64>,
    /// How long it took, once it is over.
    pub(in crate::admin) took_seconds: Option<f64>,
    /// Seconds since the start, and how many were pending then; at most 120 points.
    pub(in crate::admin) burn_down: Vec<(f64, u64)>,
    /// The 20 that hold it up longest.
    pub(in crate::admin) tasks: Vec<Task>,
    /// The rest, one entry a group.
    pub(in crate::admin) rest: Vec<NameCount>,
    /// Newest first, at most 20.
    pub(in crate::admin) recently_ended: Vec<Ended>,
    /// At the end.
    #[cfg_attr(test, schema(value_type = Option<Object>))]
    pub(in crate::admin) report: Option<Report>,
}

/// Tasks of one name.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct NameCount {
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    pub(in crate::admin) count: u64,
}

/// A task that ended during the shutdown.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Ended {
    pub(in crate::admin) id: u64,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::outcomes))]
    pub(in crate::admin) outcome: Outcome,
    pub(in crate::admin) duration_seconds: f64,
}

/// The process and all groups.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Summary {
    #[serde(flatten)]
    pub(in crate::admin) process: Hello,
    pub(in crate::admin) uptime_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::stages))]
    pub(in crate::admin) stage: &'static str,
    pub(in crate::admin) live: u64,
    pub(in crate::admin) blocked: u64,
    pub(in crate::admin) states: StateCounts,
    pub(in crate::admin) spawned: u64,
    pub(in crate::admin) finished: OutcomeCounts,
    /// Tasks of all runtimes that headcount does not know; null before the first runtime was met.
    pub(in crate::admin) untracked: Option<u64>,
    /// The runtimes that `install` or a tracked task ran in, those that answer latest first; at most 16.
    pub(in crate::admin) runtimes: Vec<Runtime>,
    pub(in crate::admin) runtimes_total: usize,
    #[serde(flatten)]
    pub(in crate::admin) rates: Rates,
    /// The most interesting first. An event carries only as many as fit into 64 kB.
    pub(in crate::admin) groups: Vec<Group>,
    pub(in crate::admin) groups_total: usize,
    pub(in crate::admin) lifetime: Lifetime,
    /// What needs attention, the gravest first; at most 5.
    pub(in crate::admin) attention: Vec<Attention>,
    /// If the process were stopped now; while it stops, from now on. Null once it is over.
    pub(in crate::admin) forecast: Option<Forecast>,
    /// Null until a shutdown begins.
    pub(in crate::admin) shutdown: Option<Shutdown>,
    /// Where a task's trace is seen: `{trace_id}` in it stands for the id. Null where there is no such place.
    pub(in crate::admin) trace_url: Option<String>,
    /// Whether `cancel` and `shutdown` are permitted.
    pub(in crate::admin) actions: bool,
    /// How many services and timers are listed.
    pub(in crate::admin) services: usize,
    /// The actions that are permitted, of `cancel`, `shutdown`, `run`, `close` and `stacks`.
    pub(in crate::admin) permissions: Vec<&'static str>,
}

/// One of the process' runtimes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Runtime {
    /// 1 for the first that was met.
    pub(in crate::admin) number: u64,
    /// The thread that met it.
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    pub(in crate::admin) workers: usize,
    /// Tasks, tracked or not.
    pub(in crate::admin) alive: usize,
    /// Tasks, tracked or not, that have held a worker in one poll for longer than `blocked_after`.
    pub(in crate::admin) blocked: usize,
    /// Tasks that wait in the queue which all workers share.
    pub(in crate::admin) queue_depth: usize,
    /// How long it has begun no new task, if that is longer than `unresponsive_after`; null otherwise.
    pub(in crate::admin) silent_seconds: Option<f64>,
}

/// Which process answers; the first event of the stream.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Hello {
    pub(in crate::admin) service: String,
    /// Of headcount.
    pub(in crate::admin) version: &'static str,
    /// What an action must give back in `If-Match`.
    pub(in crate::admin) instance: String,
    pub(in crate::admin) pid: u32,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) started_at: String,
}

/// The server's own memory of its figures, oldest first; ten minutes.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Trends {
    pub(in crate::admin) interval_seconds: f64,
    /// The time of the newest point.
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) until: String,
    pub(in crate::admin) live: Vec<u64>,
    pub(in crate::admin) finished_per_second: Vec<f64>,
    pub(in crate::admin) failed_per_second: Vec<f64>,
    pub(in crate::admin) busy_share: Vec<f64>,
    pub(in crate::admin) groups: Vec<GroupTrend>,
}

/// The same for one group.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct GroupTrend {
    pub(in crate::admin) id: u32,
    pub(in crate::admin) live: Vec<u64>,
    pub(in crate::admin) finished_per_second: Vec<f64>,
}

impl From<snapshot::OutcomeCounts> for OutcomeCounts {
    fn from(counts: snapshot::OutcomeCounts) -> Self {
        let snapshot::OutcomeCounts { ok, error, panic, cancelled, timeout, rejected, abandoned, .. } =
            counts;
        Self { ok, error, panic, cancelled, timeout, rejected, abandoned }
    }
}
