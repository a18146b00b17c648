//! The report of a shutdown: data, not an error.

use std::collections::BTreeMap;
use std::fmt;
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use super::words::text;
use crate::name::escape;
use crate::snapshot::{Kind, Progress, TaskInfo};
use crate::stacks::{self, HeldWords, LastWords};
use headcount_core::internal::service::critical;
use headcount_core::{OutcomeCounts, TaskId};

/// The exit code of a process whose critical service has ended for good.
pub(crate) const CRITICAL: u8 = 70;

/// Tasks listed in a report; all are counted.
pub(crate) const MAX_LISTED: usize = 1_000;

/// Tasks named in the text of a report.
const MAX_NAMED: usize = 5;

/// How a shutdown ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ShutdownOutcome {
    /// Each task that was waited for has ended, or was cut by its own grace.
    Drained,
    /// The deadline passed with tasks left, which were abandoned.
    Deadline,
    /// It was forced, by a second signal or through the API.
    Forced,
    /// There was none: this process was forked from the one that headcount was installed in.
    Forked,
}

/// What became of the tasks when the process stopped: as a value, as JSON, as text, as exit code.
///
/// Returned from `main` it is the process's exit code, the first of these that fits: 130 forced by SIGINT,
/// 143 by SIGTERM, 1 through the API; 70 a critical service has ended for good; 124 something was abandoned
/// at the deadline; 0. In a forked process it is 1. Cloning it costs as much as cloning a few `Arc`s.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
#[must_use = "return it from main, so that the exit code says how it went"]
pub struct Report {
    /// The service's name.
    pub service: Arc<str>,
    /// A random id of this process.
    pub instance: Arc<str>,
    /// The process's id.
    pub pid: u32,
    /// What began the shutdown: `SIGTERM`, `SIGINT`, `SIGHUP`, `API`, `drain()`, the text of a request limit
    /// or of a critical service, or the text given to [`shutdown`](crate::shutdown). `off` with
    /// `HEADCOUNT=off`.
    pub reason: Arc<str>,
    /// How it ended.
    pub result: ShutdownOutcome,
    /// What forced it: `SIGINT`, `SIGTERM` or `API`.
    pub forced_by: Option<&'static str>,
    /// 0, or 70, 124, 130, 143 or 1; see [`Report`].
    pub exit_code: u8,
    /// The [critical](crate::Service::critical) service that has ended for good.
    pub critical_service: Option<Arc<str>>,
    /// When the shutdown began.
    #[serde(serialize_with = "rfc3339")]
    pub started_at: SystemTime,
    /// How long the shutdown took.
    #[serde(rename = "duration_seconds", serialize_with = "seconds")]
    pub duration: Duration,
    /// How long it was likely to take when it began, where that was known.
    #[serde(rename = "forecast_at_start_seconds", serialize_with = "optional_seconds")]
    pub forecast_at_start: Option<Duration>,
    /// What was waited for, by how it ended. Abandoned tasks are not among them.
    pub ended: OutcomeCounts,
    /// Tasks with [`OnShutdown::Connection`](crate::OnShutdown::Connection) that are gone; they are not among
    /// `ended`.
    pub connections_closed: u64,
    /// Tasks spawned after draining began.
    pub late_spawns: u64,
    /// Of these, spawns that were refused: the task was dropped at once.
    pub refused_spawns: u64,
    /// Tasks that were abandoned.
    pub abandoned_total: u64,
    /// The oldest 1,000 of them.
    pub abandoned: Arc<[ReportTask]>,
    /// Tasks spawned with [`OnShutdown::Detach`](crate::OnShutdown::Detach) that lived on.
    pub detached_total: u64,
    /// The oldest 1,000 of them.
    pub detached: Arc<[ReportTask]>,
    /// About how many tasks of the application's runtimes were alive at the end that headcount does not
    /// track.
    pub untracked: u64,
}

/// A task that a [`Report`] names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReportTask {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: Arc<str>,
    /// Which of the spawn functions began it.
    pub kind: Kind,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
    /// The trace that its spawn belongs to; left out with the fields.
    pub trace_id: Option<Arc<str>>,
    /// The task's age when it was listed.
    #[serde(rename = "age_seconds", serialize_with = "seconds")]
    pub age: Duration,
    /// Its last status.
    pub status: Option<Arc<str>>,
    /// Its last progress.
    pub progress: Option<Progress>,
    /// `file:line` of the spawn.
    pub location: Arc<str>,
    /// What abandoned it, and what still holds it.
    pub reason: Arc<str>,
    /// Where the task waited, or what held it, from its last capture. `None` unless the setting `stacks` or
    /// `sigquit` turned captures on.
    pub waits: Option<Arc<str>>,
    /// Whether it was aborted. It was not if it was inside a poll, a running closure or a `track` future to
    /// the end.
    pub aborted: bool,
}

impl ReportTask {
    pub(crate) fn new(task: &TaskInfo, aborted: bool, reason: &str, hide_fields: bool) -> Self {
        let fields = if hide_fields { &[] } else { &*task.fields };
        Self {
            id: task.id,
            name: Arc::clone(&task.name),
            kind: task.kind,
            labels: task.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            fields: fields.iter().map(|(key, value)| (key.to_string(), value.clone())).collect(),
            trace_id: task.trace_id.clone().filter(|_| !hide_fields),
            age: task.age,
            status: task.status.clone(),
            progress: task.progress,
            location: Arc::clone(&task.location),
            reason: reason.into(),
            waits: stacks::last_words(task.id.get()).map(|words| match words {
                LastWords::Waits(text) => text.into(),
                LastWords::Held(HeldWords { what, place: None }) => format!("blocked {what}").into(),
                LastWords::Held(HeldWords { what, place: Some(place) }) => {
                    format!("blocked {what} ({place})").into()
                }
            }),
            aborted,
        }
    }
}

impl Report {
    /// The exit code as `main` returns it.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }

    /// Whether the deadline cut no task and nothing forced the shutdown.
    ///
    /// Tasks cut by their own grace may still be in `abandoned`. Check `abandoned_total == 0` for that.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.result == ShutdownOutcome::Drained
    }

    /// The report of a process that was forked from the one that headcount was installed in. It has none of
    /// headcount's threads.
    pub(crate) fn forked(from: u32) -> Self {
        let reason = format!(
            "headcount was installed in process {from}, from which this one was forked: fork first, then install"
        );
        Self { result: ShutdownOutcome::Forked, reason: reason.into(), exit_code: 1, ..Self::empty() }
    }

    /// The report of a process in which headcount is turned off.
    pub(crate) fn empty() -> Self {
        let critical_service = critical::first().map(|end| end.name);
        Self {
            service: "".into(),
            instance: "".into(),
            pid: std::process::id(),
            reason: "off".into(),
            result: ShutdownOutcome::Drained,
            forced_by: None,
            exit_code: if critical_service.is_some() { CRITICAL } else { 0 },
            critical_service,
            started_at: SystemTime::now(),
            duration: Duration::ZERO,
            forecast_at_start: None,
            ended: OutcomeCounts::default(),
            connections_closed: 0,
            late_spawns: 0,
            refused_spawns: 0,
            abandoned_total: 0,
            abandoned: [].into(),
            detached_total: 0,
            detached: [].into(),
            untracked: 0,
        }
    }
}

impl Termination for Report {
    fn report(self) -> ExitCode {
        self.exit_code()
    }
}

/// `Drained in 4.3s (3 completed)`, and with tasks abandoned or detached their names.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.result, self.forced_by) {
            (ShutdownOutcome::Forked, _) => return write!(f, "Nothing was waited for: {}", self.reason),
            (ShutdownOutcome::Drained, _) => f.write_str("Drained in ")?,
            (ShutdownOutcome::Deadline, _) => f.write_str("Stopped at the deadline, in ")?,
            (ShutdownOutcome::Forced, by) => write!(f, "Forced by {}, in ", by.unwrap_or("API"))?,
        }
        write!(
            f,
            "{} ({})",
            text::took(self.duration),
            text::counts(&self.ended, self.connections_closed, self.abandoned_total)
        )?;
        f.write_str(&named("abandoned", &self.abandoned, self.abandoned_total))?;
        f.write_str(&named("detached", &self.detached, self.detached_total))?;
        f.write_str(&critical_text(self.critical_service.as_deref()))?;
        match self.untracked {
            0 => Ok(()),
            untracked => write!(f, "; about {} untracked", text::tasks(untracked)),
        }
    }
}

/// `; critical service consumer has ended for good`, or nothing.
pub(crate) fn critical_text(name: Option<&str>) -> String {
    name.map(|name| format!("; critical service {} has ended for good", escape(name))).unwrap_or_default()
}

/// `; abandoned: index #9, loop #12 and 3 more`, or nothing.
pub(crate) fn named(what: &str, tasks: &[ReportTask], total: u64) -> String {
    if total == 0 {
        return String::new();
    }
    let shown = tasks.len().min(MAX_NAMED);
    let names: Vec<_> = tasks[..shown].iter().map(|task| text::named(&task.name, task.id)).collect();
    let names = names.join(", ");
    match total - shown as u64 {
        0 => format!("; {what}: {names}"),
        more => format!("; {what}: {names} and {more} more"),
    }
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

#[allow(clippy::ref_option, reason = "serde calls it")]
fn optional_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::testing::example;

    fn forced() -> Report {
        Report {
            result: ShutdownOutcome::Forced,
            forced_by: Some("SIGINT"),
            exit_code: 130,
            duration: Duration::from_millis(2_100),
            started_at: SystemTime::UNIX_EPOCH,
            ended: changed!(OutcomeCounts::default(), ok: 3),
            abandoned_total: 1_234,
            abandoned: vec![ReportTask::new(&example(), true, "cut by the deadline", false); MAX_LISTED]
                .into(),
            ..Report::empty()
        }
    }

    #[test]
    fn it_reads_as_one_line() {
        assert_eq!(
            forced().to_string(),
            "Forced by SIGINT, in 2.1s (3 completed, 1234 abandoned); abandoned: send-email #17, send-email #17, \
             send-email #17, send-email #17, send-email #17 and 1229 more"
        );
        assert_eq!(Report::empty().to_string(), "Drained in 0.0s (0 completed)");
    }

    #[test]
    fn its_json_has_every_key_of_the_wire() {
        let json = serde_json::to_value(forced()).unwrap();
        let wire = include_str!("../../dashboard/src/wire.ts");
        assert_keys(&json, &interface(wire, "Report"));
        assert_keys(&json["abandoned"][0], &interface(wire, "ReportTask"));
        assert_eq!(json["started_at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(json["duration_seconds"], 2.1);
        assert_eq!(json["result"], "forced");
    }

    /// The keys of an interface of the wire.
    fn interface<'a>(wire: &'a str, name: &str) -> Vec<&'a str> {
        let body = wire.split(&format!("export interface {name} {{")).nth(1).unwrap();
        let body = body.split("\n}").next().unwrap();
        let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("/*"));
        let keys = lines.filter_map(|line| line.split_once(':')).map(|(key, _)| key);
        keys.collect()
    }

    /// A key with `?` may be absent, since reports of earlier versions lack it.
    #[track_caller]
    fn assert_keys(json: &serde_json::Value, wire: &[&str]) {
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let known: Vec<_> = wire.iter().map(|key| key.trim_end_matches('?')).collect();
        assert!(keys.iter().all(|key| known.contains(key)), "{keys:?} against {wire:?}");
        let required = wire.iter().filter(|key| !key.ends_with('?'));
        assert!(required.clone().all(|key| keys.contains(key)), "{keys:?} against {wire:?}");
    }

    #[test]
    fn hidden_fields_are_left_out() {
        let task = changed!(example(), fields: vec![("order".into(), "42".to_owned())]);
        assert_eq!(ReportTask::new(&task, true, "", false).fields["order"], "42");
        assert!(ReportTask::new(&task, true, "", true).fields.is_empty());
    }
}
