//! Services and timers, and a run of one of them now.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use headcount_core::internal::service;
use headcount_core::{ServiceInfo, ServiceState};

use super::context::Context;
use super::extract::Path;
use super::problem::Problem;
use super::wire::{LastRun, Service, ServiceList, seconds, time};
use crate::settings::Hide;

/// The services and timers that go on, and the newest 100 that are over.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/services", tag = "read", responses(
    (status = 200, description = "The oldest first", body = ServiceList),
)))]
pub(super) async fn services(State(context): State<Context>) -> Result<Response, Problem> {
    let hides = context.admin.hidden().contains(&Hide::Messages);
    let read = move || {
        let now = SystemTime::now();
        let items = headcount_core::services().into_iter().map(|info| shown(info, now, hides)).collect();
        Json(ServiceList { items }).into_response()
    };
    context.admin.readers.short(read).await
}

/// Begins a run now: a timer does not wait for its tick, nor a service for the end of its back-off.
#[cfg_attr(test, utoipa::path(post, path = "/api/v1/services/{id}/run", tag = "act", params(
    ("id" = u64, Path),
), responses(
    (status = 202, description = "A run begins"),
    (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "A run is alive; it has ended, was stopped or is lost; or the process drains", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn run(State(context): State<Context>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    let asked = move || service::find(id.into()).map(|record| record.run_now());
    match context.admin.readers.short(asked).await? {
        Some(Ok(())) => Ok(StatusCode::ACCEPTED),
        Some(Err(ServiceState::Running)) => {
            Err(Problem::conflict(format!("a run of service {id} is alive already")))
        }
        Some(Err(_)) => Err(Problem::conflict(format!("service {id} is over, or the process is stopping"))),
        None => Err(Problem::not_found(format!("no service or timer {id}"))),
    }
}

fn shown(info: ServiceInfo, now: SystemTime, hides_messages: bool) -> Service {
    let ago = |ago| now.checked_sub(ago).map(time);
    Service {
        id: info.id.get(),
        name: info.name,
        kind: info.kind,
        location: info.location,
        state: info.state,
        state_seconds: seconds(info.state_for),
        critical: info.critical,
        on_shutdown: info.on_shutdown,
        restart: info.restart.map(headcount_core::Restart::as_str),
        period_seconds: info.period.map(seconds),
        timeout_seconds: info.timeout.map(seconds),
        task: info.task.map(headcount_core::TaskId::get),
        running_seconds: info.running_for.map(seconds),
        last: info.last.map(|last| LastRun {
            task: last.task.map(headcount_core::TaskId::get),
            outcome: last.outcome,
            message: last.message.filter(|_| !hides_messages),
            duration_seconds: seconds(last.took),
            ended_at: ago(last.ended_ago).unwrap_or_default(),
        }),
        last_success_at: info.last_success.and_then(ago),
        next_in_seconds: info.next_in.map(seconds),
        runs: info.runs,
        failures: info.failures,
        failures_in_a_row: info.failures_in_a_row,
        restarts: info.restarts,
        skipped: info.skipped,
        overruns: info.overruns,
    }
}
