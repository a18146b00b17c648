//! Tasks, alive and finished, and the one thing that can be done to them.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::context::{Admin, Context};
use super::extract::{Path, Query};
#[cfg(test)]
use super::openapi::schema;
use super::outlook;
use super::problem::Problem;
use super::wire::{Finished, FinishedPage, OkGroup, StatusEntry, Task, TaskDetail, TaskPage, TaskRef, time};
use crate::observer::reader::Slices;
use crate::registry::wait::Abort;
use crate::shutdown;
use crate::snapshot::{
    FinishedQuery, FinishedTask, Kind, Outcome, Page, SortBy, SortOrder, State as TaskState, TaskInfo,
    TaskLookup, TaskQuery,
};
use headcount_core::snapshot::{self, CursorError, Filter, FilterError, finished_folded, tasks_in_slices};

/// The most tasks that one answer holds.
const MOST: usize = 500;
/// How far up the tree of parents an answer goes.
const ANCESTORS: usize = 16;
const CHILDREN: usize = 100;
/// Groups of tasks that were ok, in one answer.
const FOLDED: usize = 100;

/// Which tasks, in which order.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub(super) struct TaskParameters {
    /// Only tasks of this name.
    name: Option<String>,
    /// Only tasks of this kind.
    #[serde(default, deserialize_with = "kind")]
    #[cfg_attr(test, param(schema_with = schema::kinds))]
    kind: Option<Kind>,
    /// Only tasks in this state.
    #[serde(default, deserialize_with = "state")]
    #[cfg_attr(test, param(schema_with = schema::states))]
    state: Option<TaskState>,
    /// Only tasks of this group.
    #[cfg_attr(test, param(schema_with = schema::ids))]
    group: Option<u32>,
    /// Only children of this task.
    #[cfg_attr(test, param(schema_with = schema::ids))]
    parent: Option<u64>,
    /// Only tasks without a live parent.
    #[serde(default)]
    roots: bool,
    /// A search: texts that a task shows, and terms such as `state:blocked`, `age:>5m` and
    /// `label.provider:ses`.
    q: Option<String>,
    /// By what they are sorted: by age if not said.
    #[serde(default)]
    #[cfg_attr(test, param(schema_with = schema::sorts))]
    sort: SortBy,
    /// In which direction; by default the largest first, names ascending.
    #[cfg_attr(test, param(schema_with = schema::orders))]
    order: Option<SortOrder>,
    /// How many; 100 if not said.
    #[cfg_attr(test, param(minimum = 1, maximum = 500))]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Which finished tasks, newest first.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub(super) struct FinishedParameters {
    /// Only tasks of this name.
    name: Option<String>,
    /// Only tasks of this kind.
    #[serde(default, deserialize_with = "kind")]
    #[cfg_attr(test, param(schema_with = schema::kinds))]
    kind: Option<Kind>,
    /// Only tasks of this group.
    #[cfg_attr(test, param(schema_with = schema::ids))]
    group: Option<u32>,
    /// Only tasks that ended so.
    #[serde(default, deserialize_with = "outcome")]
    #[cfg_attr(test, param(schema_with = schema::outcomes))]
    outcome: Option<Outcome>,
    /// A search: texts that a task shows, and terms such as `outcome:panic`, `age:>5m` and
    /// `label.provider:ses`.
    q: Option<String>,
    /// If more tasks that were ok fit than a page has: lists them in `folded`, by group, and not in `items`.
    #[serde(default)]
    fold_ok: bool,
    /// How many; 100 if not said.
    #[cfg_attr(test, param(minimum = 1, maximum = 500))]
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// The tasks that live, a page at a time.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/tasks", tag = "read", params(TaskParameters), responses(
    (status = 200, description = "A page of tasks", body = TaskPage),
)))]
pub(super) async fn tasks(
    State(context): State<Context>,
    Query(parameters): Query<TaskParameters>,
) -> Result<Response, Problem> {
    let mut query = TaskQuery::default().sort(parameters.sort).cursor(parameters.cursor);
    query.name = parameters.name;
    query.kind = parameters.kind;
    query.state = parameters.state;
    query.group = parameters.group.map(Into::into);
    query.parent = parameters.parent.map(Into::into);
    query.roots = parameters.roots;
    query.filter = filter(parameters.q.as_deref())?;
    query.order = parameters.order;
    query.limit = limit(parameters.limit)?;
    let admin = Arc::clone(&context.admin);
    let read = move || {
        let mut slices = Slices::new();
        let page =
            tasks_in_slices(&query, || slices.pause_if_due()).map_err(|problem| bad_cursor(&problem))?;
        let items = described(page.items, &admin);
        Ok(Json(TaskPage { total: page.total, items, next: page.next }).into_response())
    };
    context.admin.readers.long(read).await?
}

/// The newest tasks that have ended, a page at a time.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/finished", tag = "read", params(FinishedParameters), responses(
    (status = 200, description = "A page of finished tasks", body = FinishedPage),
)))]
pub(super) async fn finished(
    State(context): State<Context>,
    Query(parameters): Query<FinishedParameters>,
) -> Result<Response, Problem> {
    let mut query = FinishedQuery::default().cursor(parameters.cursor);
    query.name = parameters.name;
    query.kind = parameters.kind;
    query.group = parameters.group.map(Into::into);
    query.outcome = parameters.outcome;
    query.filter = filter(parameters.q.as_deref())?;
    query.limit = limit(parameters.limit)?;
    let folds = parameters.fold_ok;
    let admin = Arc::clone(&context.admin);
    let read = move || {
        let (page, folded) =
            if folds { finished_folded(&query) } else { crate::snapshot::finished(&query).map(unfolded) }
                .map_err(|problem| bad_cursor(&problem))?;
        let items = page.items.into_iter().map(|task| Finished::new(task, admin.hidden())).collect();
        let folded = folded.into_iter().take(FOLDED).map(OkGroup::from).collect();
        Ok(Json(FinishedPage { total: page.total, items, next: page.next, folded }).into_response())
    };
    context.admin.readers.long(read).await?
}

fn unfolded<T>(page: Page<T>) -> (Page<T>, Vec<snapshot::OkGroup>) {
    (page, Vec::new())
}

/// One task with its parents and children.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/tasks/{id}", tag = "read", params(("id" = u64, Path)), responses(
    (status = 200, description = "It lives, or the history holds it", body = TaskDetail),
    (status = 404, description = "There is none, or the history holds it no more", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn task(State(context): State<Context>, Path(id): Path<u64>) -> Result<Response, Problem> {
    let admin = Arc::clone(&context.admin);
    context.admin.readers.long(move || Ok(Json(detail(id, &admin)?).into_response())).await?
}

/// Live tasks with their outlook.
fn described(tasks: Vec<TaskInfo>, admin: &Admin) -> Vec<Task> {
    let rows = outlook::rows(admin.settings(), &tasks);
    tasks.into_iter().zip(rows).map(|(task, row)| Task::new(task, row, admin.hidden())).collect()
}

fn detail(id: u64, admin: &Admin) -> Result<TaskDetail, Problem> {
    let hidden = admin.hidden();
    let found = crate::snapshot::task(id).ok_or_else(|| unknown(id))?;
    let children = TaskQuery::default().parent(id.into()).limit(CHILDREN);
    let children = crate::snapshot::tasks(&children).map_err(|problem| bad_cursor(&problem))?;
    let (mut task, ended) = match found.task {
        TaskLookup::Live(task) => {
            let row = outlook::rows(admin.settings(), std::slice::from_ref(&task)).remove(0);
            (Task::new(task, row, hidden), None)
        }
        TaskLookup::Finished(finished) => {
            let Finished { task, outcome, duration_seconds, finished_at, message } =
                Finished::new(finished, hidden);
            (task, Some((outcome, duration_seconds, finished_at, message)))
        }
    };
    let (outcome, duration_seconds, finished_at, message) = match ended {
        Some((outcome, duration, at, message)) => (Some(outcome), Some(duration), Some(at), message),
        None => (None, None, None, None),
    };
    task.children_total = children.total;
    Ok(TaskDetail {
        ancestors: ancestors(task.parent),
        task,
        outcome,
        duration_seconds,
        finished_at,
        message,
        children: described(children.items, admin),
        status_history: found.statuses.into_iter().map(status_entry).collect(),
    })
}

/// Drops the task at its next await.
#[cfg_attr(test, utoipa::path(post, path = "/api/v1/tasks/{id}/cancel", tag = "act", params(
    ("id" = u64, Path),
), responses(
    (status = 202, description = "It will be dropped at its next await"),
    (status = 404, description = "There is none, or it has ended", body = Problem,
     content_type = "application/problem+json"),
    (status = 409, description = "It cannot be cancelled: a closure, a request or a future that is not a task's own",
     body = Problem, content_type = "application/problem+json"),
)))]
pub(super) async fn cancel(
    State(context): State<Context>,
    Path(id): Path<u64>,
) -> Result<StatusCode, Problem> {
    match context.admin.readers.short(move || shutdown::cancel(id)).await? {
        Some(Abort::Told) => Ok(StatusCode::ACCEPTED),
        Some(Abort::NotCancellable) => {
            Err(Problem::conflict(format!("task {id} cannot be cancelled: nothing can stop it from outside")))
        }
        None => Err(unknown(id)),
    }
}

/// A search as its terms.
fn filter(text: Option<&str>) -> Result<Filter, Problem> {
    let filter = text.unwrap_or_default().parse();
    filter.map_err(|problem: FilterError| Problem::bad_request(format!("q={problem}")))
}

fn bad_cursor(problem: &CursorError) -> Problem {
    Problem::bad_request(problem.to_string())
}

fn unknown(id: u64) -> Problem {
    Problem::not_found(format!("no task {id}, or it has ended and the history holds it no more"))
}

fn limit(limit: Option<usize>) -> Result<Option<usize>, Problem> {
    match limit {
        Some(limit) if limit == 0 || MOST < limit => {
            Err(Problem::bad_request(format!("limit={limit}: expected 1 to {MOST}")))
        }
        _ => Ok(limit),
    }
}

fn ancestors(parent: Option<u64>) -> Vec<TaskRef> {
    let mut ancestors = Vec::new();
    let mut next = parent;
    while let Some(id) = next.filter(|_| ancestors.len() < ANCESTORS) {
        let (found, parent) = reference(id);
        ancestors.push(found);
        next = parent;
    }
    ancestors
}

fn reference(id: u64) -> (TaskRef, Option<u64>) {
    match crate::snapshot::task(id).map(|found| found.task) {
        Some(TaskLookup::Live(task)) => {
            let (parent, state) = (task.parent, Some(task.state));
            (
                TaskRef { id, name: Some(task.name), state, outcome: None },
                parent.map(headcount_core::TaskId::get),
            )
        }
        Some(TaskLookup::Finished(FinishedTask { task, outcome, .. })) => {
            let outcome = Some(outcome);
            (
                TaskRef { id, name: Some(task.name), state: None, outcome },
                task.parent.map(headcount_core::TaskId::get),
            )
        }
        None => (TaskRef { id, name: None, state: None, outcome: None }, None),
    }
}

fn status_entry((at, status): (SystemTime, Arc<str>)) -> StatusEntry {
    StatusEntry { at: time(at), status }
}

/// One of the names that a type goes by.
fn named<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let found = all.iter().copied().find(|value| name(*value) == text);
    let names = || all.iter().map(|value| name(*value)).collect::<Vec<_>>().join(", ");
    found.map(Some).ok_or_else(|| D::Error::custom(format!("{text:?}: expected one of {}", names())))
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Kind>, D::Error> {
    named(deserializer, Kind::ALL, Kind::as_str)
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TaskState>, D::Error> {
    named(deserializer, TaskState::ALL, TaskState::as_str)
}

fn outcome<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Outcome>, D::Error> {
    named(deserializer, Outcome::ALL, Outcome::as_str)
}
