//! The shutdown over HTTP: its progress, and the actions that steer it.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;

use super::extract::Json;
use super::problem::Problem;
use super::wire::{Ended, NameCount, RequestLimit, Shutdown, Task, rounded, seconds, time};
use crate::forecast::{Forecast, Load, Rows};
use crate::settings::Settings;
use crate::shutdown::{self, Cause, Command, ExtendError, Stage, Status, control};
use crate::snapshot::OnShutdown;

/// By how much the deadline moves.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Extension {
    /// More than 0, at most a day.
    #[cfg_attr(test, schema(exclusive_minimum = 0, maximum = 86400))]
    seconds: f64,
}

/// Begins the shutdown.
#[cfg_attr(test, utoipa::path(post, path = "/api/v1/shutdown", tag = "act", responses(
    (status = 202, description = "It begins"),
    (status = 409, description = "It has begun already", body = Problem, content_type = "application/problem+json"),
)))]
pub(super) async fn begin() -> Result<StatusCode, Problem> {
    let began = control().begin(Cause::Api);
    began.then_some(StatusCode::ACCEPTED).ok_or_else(|| Problem::conflict("a shutdown has begun already"))
}

/// Moves the deadline, and the exit by as much.
#[cfg_attr(test, utoipa::path(post, path = "/api/v1/shutdown/extend", tag = "act", request_body = Extension, responses(
    (status = 202, description = "It has moved"),
    (status = 409, description = "No deadline is ahead", body = Problem, content_type = "application/problem+json"),
)))]
pub(super) async fn extend(Json(Extension { seconds }): Json<Extension>) -> Result<StatusCode, Problem> {
    let by = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let (sender, reply) = tokio::sync::oneshot::channel();
    control().tell(Command::Extend(by, sender));
    match reply.await {
        Ok(Ok(())) => Ok(StatusCode::ACCEPTED),
        Ok(Err(ExtendError::BadLength)) => {
            Err(Problem::bad_request("`seconds` must be more than 0 and at most 86400"))
        }
        Ok(Err(ExtendError::NotStopping)) | Err(_) => Err(Problem::conflict("no shutdown has begun")),
        Ok(Err(ExtendError::NoDeadline)) => Err(Problem::conflict("this shutdown has no deadline")),
        Ok(Err(ExtendError::TooLate)) => {
            Err(Problem::conflict("tasks are being aborted, or the shutdown is over"))
        }
    }
}

/// Ends the shutdown now: what is left is aborted.
#[cfg_attr(test, utoipa::path(post, path = "/api/v1/shutdown/force", tag = "act", responses(
    (status = 202, description = "It is forced"),
    (status = 409, description = "None runs", body = Problem, content_type = "application/problem+json"),
)))]
pub(super) async fn force() -> Result<StatusCode, Problem> {
    match control().stage() {
        Stage::Running if !crate::shutdown::is_stopping() => Err(Problem::conflict("no shutdown has begun")),
        Stage::Done => Err(Problem::conflict("the shutdown is over")),
        _ => {
            control().tell(Command::Force);
            Ok(StatusCode::ACCEPTED)
        }
    }
}

pub(super) fn request_limit() -> Option<RequestLimit> {
    let (limit, admitted) = shutdown::request_limit()?;
    Some(RequestLimit { limit, admitted })
}

/// How the shutdown goes. `load` is what is waited for now.
pub(super) fn status(settings: &Settings, load: &Load) -> Option<Shutdown> {
    let (mut status, mut pending) = {
        let mut status = control().status.lock();
        let pending = shutdown::pending_now();
        status.as_mut()?.see(pending);
        (status.clone()?, pending)
    };
    let (stage, elapsed) = (control().stage(), status.started.elapsed());
    let is_announcing = stage < Stage::Draining;
    if is_announcing {
        status.listing = shutdown::announced(settings);
        pending = status.listing.total;
        status.total = pending;
    }
    let terms = shutdown::terms(settings);
    let forecast = Forecast::new(load, &terms);
    let report = control().report().cloned();
    Some(Shutdown {
        started_at: time(status.started_at()),
        elapsed_seconds: seconds(elapsed),
        stage: stage.as_str(),
        deadline_at: status.time(status.deadline).map(time),
        remaining_seconds: status.deadline.map(|after| seconds(after.saturating_sub(elapsed))),
        budget_seconds: status.deadline.map(seconds),
        exit_at: status.time(status.exit_at).map(time),
        forced_by: status.forced_by.map(str::to_owned),
        total: status.total,
        ended: status.ended,
        pending,
        pending_requests: status.listing.requests.min(pending),
        estimate_seconds: forecast.done_in.filter(|_| 0 < pending && report.is_none()).map(rounded),
        told_in_seconds: is_announcing.then(|| rounded(terms.announce)),
        forecast_at_start_seconds: status.forecast_at_start.map(rounded),
        took_seconds: report.as_ref().map(|report| seconds(report.duration)),
        burn_down: burn_down(&status, elapsed, pending),
        tasks: tasks(&status, settings, load, &forecast),
        rest: status
            .listing
            .rest
            .into_iter()
            .map(|(name, count)| NameCount { name: name.into(), count })
            .collect(),
        recently_ended: status
            .recently_ended
            .iter()
            .map(|task| Ended {
                id: task.id,
                name: Arc::clone(&task.name),
                outcome: task.outcome,
                duration_seconds: seconds(task.duration),
            })
            .collect(),
        report,
        reason: status.reason.to_string(),
    })
}

/// The tasks that are listed, those that hold up the stop longest first.
fn tasks(status: &Status, settings: &Settings, load: &Load, forecast: &Forecast) -> Vec<Task> {
    let others = load.count(|waited| matches!(waited.policy, OnShutdown::Wait | OnShutdown::Connection));
    let rows = Rows::new(load, shutdown::terms(settings), Some(others), forecast.done_in);
    // The list is up to a second old.
    let has_ended = |id: u64| status.recently_ended.iter().any(|ended| ended.id == id);
    let left = status.listing.named.iter().filter(|(current, _)| !has_ended(current.id));
    let described = left.map(|(_, task)| {
        let row = rows.row(task);
        Task::new(task.clone(), row, &settings.hide)
    });
    described.collect()
}

fn burn_down(status: &Status, elapsed: Duration, pending: u64) -> Vec<(f64, u64)> {
    let points = status.burn_down.iter().map(|(at, pending)| (seconds(*at), *pending));
    // What is abandoned remains, whenever it is dropped.
    let now = (control().stage() < Stage::Aborting).then(|| (seconds(elapsed), pending));
    points.chain(now).collect()
}
