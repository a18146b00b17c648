//! `/livez` and `/readyz`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::problem::Problem;
use super::router::Context;
use crate::install::Shared;
use crate::snapshot::{Snapshot, State as TaskState, TaskInfo, TaskQuery};

/// Whether the application's runtime still begins new tasks.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// Since when one waits to be begun.
    waiting_since: Mutex<Option<Instant>>,
}

impl Probe {
    fn waiting(&self) -> Duration {
        self.waiting_since.lock().map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Gives the runtime a task that does nothing, again and again, until it has gone.
pub(super) async fn probe(shared: Arc<Shared>, runtime: Handle, unresponsive_after: Duration) {
    let pause = (unresponsive_after / 4).clamp(Duration::from_millis(10), Duration::from_secs(1));
    let probe = &shared.admin.probe;
    loop {
        *probe.waiting_since.lock() = Some(Instant::now());
        let begun = runtime.spawn(async {}).await;
        *probe.waiting_since.lock() = None;
        if begun.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether the application's runtime still makes progress.
#[utoipa::path(get, path = "/livez", tag = "health", responses(
    (status = 200, description = "It does, or it is not watched", body = String),
    (status = 503, description = "It began no new task for `unresponsive_after`", body = Problem,
     content_type = "application/problem+json"),
))]
pub(super) async fn livez(State(context): State<Context>) -> Response {
    let shared = &context.shared;
    let waiting = shared.admin.probe.waiting();
    match shared.settings.unresponsive_after {
        Some(limit) if limit < waiting => {
            let detail = format!("no task was begun for {:.1}s; {}", waiting.as_secs_f64(), blocking_tasks());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
        }
        _ => "alive\n".into_response(),
    }
}

/// Whether requests should be sent here.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "They should", body = String),
    (status = 503, description = "Not ready yet, or stopping", body = Problem,
     content_type = "application/problem+json"),
))]
pub(super) async fn readyz(State(context): State<Context>) -> Response {
    let shared = &context.shared;
    let detail = match (super::stop::is_stopping(), shared.ready.load(Ordering::Acquire)) {
        (true, _) => "stopping",
        (false, false) => "not ready yet",
        (false, true) => return "ready\n".into_response(),
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
}

/// Who does not yield, for people who read the answer.
fn blocking_tasks() -> String {
    let blocked = TaskQuery { state: Some(TaskState::Blocked), limit: Some(10), ..TaskQuery::default() };
    let tasks = Snapshot::tasks(&blocked).map(|page| page.items).unwrap_or_default();
    if tasks.is_empty() {
        return "no tracked task holds a worker: look at what plain tokio::spawn runs".to_owned();
    }
    let named = |task: &TaskInfo| {
        let (name, id, location) = (&task.name, task.id, &task.location);
        format!("{name} #{id} has not yielded for {:.1}s ({location})", task.state_for.as_secs_f64())
    };
    tasks.iter().map(named).collect::<Vec<_>>().join("; ")
}
