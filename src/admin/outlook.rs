//! What comes and what went wrong: the forecast of a stop, what deserves attention, failures by message, and
//! earlier stops.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::context::{Admin, Context};
use super::extract::Query;
use super::history::Totals;
#[cfg(test)]
use super::openapi::schema;
use super::problem::Problem;
use super::wire::{Attention, AttentionList, FailureGroup, FailureList, Forecast, StopList, time};
use crate::attention::{self, Added, Item, Seen, Yardsticks};
use crate::forecast::{self, Load, Row, Rows};
use crate::settings::{Hide, Settings};
use crate::shutdown;
use crate::snapshot::{FinishedQuery, FinishedTask, GroupInfo, Outcome, Snapshot, TaskInfo};

/// Failures by message in one answer.
const FAILURES: usize = 100;
/// Reports of earlier stops in one answer.
const STOPS: usize = 20;
/// The most that a report takes: one lists at most 2,000 tasks.
const REPORT_SIZE: u64 = 4 << 20;
/// The most that all reports of an answer take.
const REPORTS_SIZE: u64 = 8 << 20;

/// What a stop would find.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub(super) struct ForecastParameters {
    /// The time that the stop has, such as `25s` or `1m30s`; what is left of the deadline if not given.
    #[cfg_attr(test, param(schema_with = schema::length))]
    within: Option<String>,
}

/// When the tasks that a stop waits for will have ended.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/forecast", tag = "read", params(ForecastParameters), responses(
    (status = 200, description = "If the stop began now; while one runs, from now on", body = Forecast),
)))]
pub(super) async fn forecast(
    State(context): State<Context>,
    Query(parameters): Query<ForecastParameters>,
) -> Result<Response, Problem> {
    let mut terms = shutdown::terms(context.settings());
    if let Some(text) = &parameters.within {
        terms.within = Some(length(text)?.as_secs_f64());
    }
    let read = move || {
        let forecast = forecast::Forecast::new(&Load::read(), &terms);
        Json(Forecast::from(&forecast)).into_response()
    };
    context.admin.readers.short(read).await
}

/// A length of time as settings write them, always with a unit: a bare 0 is more likely a mistake.
fn length(text: &str) -> Result<Duration, Problem> {
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    let parsed = humantime::parse_duration(text).ok().filter(|_| has_unit);
    parsed.ok_or_else(|| {
        Problem::bad_request(format!("within={text:?}: expected a length of time with its unit, such as 25s"))
    })
}

/// What a list says of these tasks.
pub(super) fn rows(settings: &Settings, tasks: &[TaskInfo]) -> Vec<Row> {
    let load = Load::of_groups(tasks.iter().map(|task| task.group.get()));
    let terms = shutdown::terms(settings);
    let others = terms.is_stopping.then(shutdown::others_pending);
    let rows = Rows::new(&load, terms, others, None);
    tasks.iter().map(|task| rows.row(task)).collect()
}

/// What needs attention first.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/attention", tag = "read", responses(
    (status = 200, description = "The gravest first", body = AttentionList),
)))]
pub(super) async fn attention(State(context): State<Context>) -> Result<Response, Problem> {
    let admin = Arc::clone(&context.admin);
    let read = move || {
        let items = items(&admin, &crate::snapshot());
        Json(AttentionList { items: items.iter().map(Attention::from).collect() }).into_response()
    };
    context.admin.readers.short(read).await
}

/// What deserves attention, by what the server remembers.
pub(super) fn items(admin: &Admin, snapshot: &Snapshot) -> Vec<Item> {
    attention::attention(snapshot, |group| seen(admin, group, Instant::now()))
}

/// A group beside what the server remembers of it.
pub(super) fn seen<'a>(admin: &Admin, group: &'a GroupInfo, at: Instant) -> Seen<'a> {
    let history = admin.history.lock();
    let added = history.added(Some(group.id.get()), at, Totals::of_group(group), Duration::new(60, 0));
    Seen {
        group,
        added: added.map(|(added, _)| Added {
            spawned: added.spawned,
            finished: added.finished,
            failed: added.failed,
            polls: added.polls,
            slow_polls: added.slow_polls,
            rejected: added.rejected,
        }),
        steps: history.live_by_steps(group.id.get()),
        yardsticks: Yardsticks {
            slow_poll: admin.settings().slow_poll,
            blocked_after: admin.settings().blocked_after,
        },
    }
}

/// What failed, by message: how often, first and last.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/failures", tag = "read", responses(
    (status = 200, description = "Of the failures that the history holds", body = FailureList),
)))]
pub(super) async fn failures(State(context): State<Context>) -> Result<Response, Problem> {
    let hides = context.admin.hidden().contains(&Hide::Messages);
    let read = move || Json(FailureList { items: grouped(failed(), hides) }).into_response();
    context.admin.readers.long(read).await
}

/// All failures that the history holds, newest first.
fn failed() -> Vec<FinishedTask> {
    let mut tasks = Vec::new();
    let mut query = FinishedQuery::default().limit(500);
    // The history is bounded, and so is this.
    for _ in 0..20 {
        let Ok(page) = crate::snapshot::finished(&query) else { break };
        let is_failure =
            |task: &FinishedTask| matches!(task.outcome, Outcome::Error | Outcome::Panic | Outcome::Timeout);
        tasks.extend(page.items.into_iter().filter(is_failure));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    tasks
}

fn grouped(failed: Vec<FinishedTask>, hides_messages: bool) -> Vec<FailureGroup> {
    type Key = (Arc<str>, Outcome, Option<Arc<str>>);
    let mut groups: HashMap<Key, (u64, SystemTime, SystemTime, u64)> = HashMap::new();
    for task in failed {
        let message = task.message.filter(|_| !hides_messages);
        let (at, id) = (task.finished_at, task.task.id.get());
        let entry = groups.entry((task.task.name, task.outcome, message)).or_insert((0, at, at, id));
        entry.0 += 1;
        // Newest first: each is the first so far.
        entry.1 = entry.1.min(at);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (count, _, last, _))| std::cmp::Reverse((*count, *last)));
    groups.truncate(FAILURES);
    let group = |((name, outcome, message), (count, first, last, last_task))| FailureGroup {
        name,
        message,
        outcome,
        count,
        first: time(first),
        last: time(last),
        last_task,
    };
    groups.into_iter().map(group).collect()
}

/// Reports of earlier stops, from the directory that the setting `report_dir` names.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/stops", tag = "read", responses(
    (status = 200, description = "Newest first; none without `report_dir`", body = StopList),
)))]
pub(super) async fn stops(State(context): State<Context>) -> Result<Response, Problem> {
    let directory = context.settings().report_dir.clone();
    let hidden = context.admin.hidden().clone();
    let read = move || {
        let mut items = directory.as_deref().map(reports).unwrap_or_default();
        items.iter_mut().for_each(|report| leave_out(report, &hidden));
        Json(StopList { items }).into_response()
    };
    context.admin.readers.long(read).await
}

/// The newest reports in a directory. What is no report, or cannot be read, is passed over.
fn reports(directory: &Path) -> Vec<Value> {
    let mut files: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten().take(10_000) {
        let path = entry.path();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        // Links are not followed, so that no other file that the process can read is served.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if is_json && metadata.is_file() && metadata.len() <= REPORT_SIZE {
            files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), path, metadata.len()));
        }
    }
    files.sort_by(|(one, name, _), (other, other_name, _)| (other, other_name).cmp(&(one, name)));
    let mut room = REPORTS_SIZE;
    let mut reports = Vec::new();
    for (_, path, size) in files {
        if reports.len() == STOPS || room < size {
            break;
        }
        if let Some(report) = report(&path) {
            room -= size;
            reports.push(report);
        }
    }
    reports
}

fn report(path: &Path) -> Option<Value> {
    let mut text = String::new();
    File::open(path).ok()?.take(REPORT_SIZE).read_to_string(&mut text).ok()?;
    let report: Value = serde_json::from_str(&text).ok()?;
    let has = |key: &str| report.get(key).is_some();
    ["instance", "result", "exit_code", "started_at", "duration_seconds"]
        .into_iter()
        .all(has)
        .then_some(report)
}

/// The file was written by a process that may have hidden less.
fn leave_out(report: &mut Value, hidden: &BTreeSet<Hide>) {
    let is_hidden = |what| hidden.contains(&what);
    let replace = |of: &mut Value, key: &str, with: Value| {
        of.get_mut(key).into_iter().for_each(|value| *value = with.clone());
    };
    // The reason of such a stop holds what the service's error said.
    if let Some(service) = report["critical_service"].as_str().filter(|_| is_hidden(Hide::Messages)) {
        let reason = format!("critical service {service} has ended");
        replace(report, "reason", reason.into());
    }
    for list in ["abandoned", "detached"] {
        let tasks = report.get_mut(list).and_then(Value::as_array_mut);
        for task in tasks.into_iter().flatten() {
            if is_hidden(Hide::Fields) {
                replace(task, "fields", Value::Object(serde_json::Map::new()));
                replace(task, "trace_id", Value::Null);
            }
            if is_hidden(Hide::Stacks) {
                replace(task, "waits", Value::Null);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reports_are_read_and_the_newest_come_first() {
        let directory = std::env::temp_dir().join(format!("headcount-stops-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: &str, second: u64| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            File::options().append(true).open(&path).unwrap().set_modified(at).unwrap();
        };
        let report = |instance: &str| {
            format!(
                r#"{{"instance":"{instance}","result":"drained","exit_code":0,"started_at":"","duration_seconds":1,
                "critical_service":"consumer","reason":"critical service consumer has ended: error: card 4111",
                "abandoned":[{{"fields":{{"card":"4111"}},"trace_id":"4bf9","waits":"in pay"}}],"detached":[]}}"#
            )
        };
        write("old.json", &report("old"), 10);
        write("new.json", &report("new"), 20);
        write("broken.json", "{", 30);
        write("other.json", "[1]", 30);
        write("note.txt", &report("text"), 30);
        fs::create_dir_all(directory.join("folder.json")).unwrap();
        let mut found = reports(&directory);
        let instances: Vec<_> = found.iter().map(|report| report["instance"].as_str().unwrap()).collect();
        assert_eq!(instances, ["new", "old"]);
        let whole = found[0].clone();
        leave_out(&mut found[0], &BTreeSet::new());
        assert_eq!(found[0], whole);
        leave_out(&mut found[0], &[Hide::Fields, Hide::Messages, Hide::Stacks].into());
        let task = serde_json::json!({ "fields": {}, "trace_id": null, "waits": null });
        assert_eq!(found[0]["abandoned"][0], task);
        assert_eq!(found[0]["reason"], "critical service consumer has ended");
        fs::remove_dir_all(&directory).unwrap();
        assert!(reports(&directory).is_empty());
    }
}
