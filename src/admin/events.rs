//! `GET /api/v1/events`: what the page shows, each second, as server-sent events.
//!
//! Frames are made once for all clients. A client that reads slowly gets the newest one when it reads again;
//! what it missed is counted. A client that reads nothing loses its connection, as on every route of
//! headcount's own server.
//!
//! headcount's own server sends events until the end, a mounted router until draining begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use super::context::{Admin, Context};
use super::delta::Chain;
use super::extract::Query;
use super::guard::Peer;
use super::hub::{Until, follow};
use super::problem::Problem;
use super::summary::{hello, summary};
use super::wire::Summary;
use crate::forecast;
use crate::shutdown::{self, Report, ReportTask, Stage};

/// The most that one event holds.
const EVENT_SIZE: usize = 64 * 1024;
const EVERY: Duration = Duration::from_secs(1);

/// Sends the last summary and the report in one last frame. Resolves when all clients have it and have left.
pub(super) async fn send_report(admin: &Arc<Admin>, report: &Report) {
    let (reading, told) = (Arc::clone(admin), report.clone());
    let frame = move || last_frame(&reading, &told);
    // Made here if the reader cannot.
    let last = admin.readers.short(frame).await.unwrap_or_else(|_| last_frame(admin, report));
    admin.hub.send(last, None, Until::Everybody);
    admin.hub.emptied().await;
}

/// Makes frames while a client reads them, and records figures in any case.
pub(super) async fn publish(admin: Arc<Admin>) {
    let hub = &admin.hub;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = hub.woken() => {}
        }
        let reading = Arc::clone(&admin);
        // A round that the reader has no time for is left out.
        let _ = admin.readers.short(move || round(&reading)).await;
    }
}

fn round(admin: &Admin) {
    // Before the summary, which then has it.
    let until = if Stage::Draining <= shutdown::stage() { Until::Draining } else { Until::Nobody };
    let (snapshot, load) = forecast::snapshot();
    admin.history.lock().record(Instant::now(), &snapshot);
    if admin.hub.has_clients() {
        let summary = summary(admin, &snapshot, &load);
        let delta = delta(&mut admin.chain.lock(), &summary, admin.hub.has_merging_clients());
        admin.hub.send(summary_frame(summary), delta, until);
    }
}

/// What changed since the frame before, where a client wants that.
fn delta(chain: &mut Option<Chain>, summary: &Summary, is_wanted: bool) -> Option<Bytes> {
    match chain {
        Some(chain) if is_wanted => Some(chain.next(summary)),
        _ => {
            *chain = is_wanted.then(|| Chain::new(summary));
            None
        }
    }
}

fn last_frame(admin: &Admin, report: &Report) -> Bytes {
    let (snapshot, load) = forecast::snapshot();
    let mut last = summary_frame(summary(admin, &snapshot, &load)).to_vec();
    last.extend_from_slice(&report_frame(report));
    last.into()
}

/// How the events are sent.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub(super) struct EventParameters {
    /// After a whole summary only what changed: top-level keys, and of groups their `id` with the keys that
    /// changed. Such an event has `delta: true`. `oldest_age_seconds` goes on by itself while `oldest_task`
    /// stays.
    #[serde(default)]
    delta: bool,
}

/// What changes as it happens: `hello`, then `summary` each second, at the end `report`. From a mounted
/// router until draining begins.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/events", tag = "read", params(EventParameters), responses(
    (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
    (status = 503, description = "Others follow already, as many as `sse_clients` allows", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn events(
    State(context): State<Context>,
    peer: Option<Extension<Peer>>,
    Query(parameters): Query<EventParameters>,
) -> Response {
    let peer = peer.map(|Extension(peer)| peer.0.ip().to_canonical());
    let Some(place) = context.admin.hub.enter_soon(peer).await else {
        let detail = "as many clients as `sse_clients` allows follow the events already";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let hello = frame("hello", &hello(&context.admin.process.identity));
    (headers, Body::from_stream(follow(place, hello, context.mount, parameters.delta))).into_response()
}

fn frame(event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\ndata: {data}\n\n").into()
}

/// As many of its tasks as fit, those that were abandoned before the others; all are counted.
fn report_frame(report: &Report) -> Bytes {
    let mut told = report.clone();
    (told.abandoned, told.detached) = ([].into(), [].into());
    let mut room = EVENT_SIZE.saturating_sub(frame("report", &told).len());
    told.abandoned = fitting(&report.abandoned, &mut room).into();
    told.detached = fitting(&report.detached, &mut room).into();
    frame("report", &told)
}

/// The first of the tasks, as many as there is room for.
fn fitting<'a>(tasks: &'a [ReportTask], room: &mut usize) -> &'a [ReportTask] {
    let mut fits = |task: &ReportTask| {
        // And a comma.
        let size = 1 + serde_json::to_string(task).map_or(0, |text| text.len());
        let left = room.checked_sub(size);
        *room = left.unwrap_or(0);
        left.is_some()
    };
    let count = tasks.iter().take_while(|task| fits(task)).count();
    &tasks[..count]
}

/// The summary as one event. If it does not fit, the report is left out, since an event of its own carries
/// it. If that is not enough, as many groups as fit remain; then the tasks become shorter, then fewer.
fn summary_frame(mut summary: Summary) -> Bytes {
    loop {
        let bytes = frame("summary", &summary);
        if bytes.len() <= EVENT_SIZE || !shorten(&mut summary, bytes.len()) {
            return bytes;
        }
    }
}

/// Takes something away; false if there is nothing left to take.
fn shorten(summary: &mut Summary, size: usize) -> bool {
    if summary.shutdown.as_mut().is_some_and(|shutdown| shutdown.report.take().is_some()) {
        return true;
    }
    let groups = summary.groups.len();
    if 0 < groups {
        let fitting = groups * EVENT_SIZE / size;
        summary.groups.truncate(fitting.min(groups - 1));
        return true;
    }
    let Some(shutdown) = &mut summary.shutdown else { return false };
    let with_fields = shutdown.tasks.iter_mut().filter(|task| !task.fields.is_empty());
    if 0 < with_fields.map(|task| task.fields.clear()).count() {
        return true;
    }
    shutdown.rest.pop().is_some() || shutdown.tasks.pop().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixtures;

    #[test]
    fn an_event_is_bounded_whatever_there_is_to_tell() {
        let mut summary = fixtures::summary("draining", Some(fixtures::shutdown("draining")));
        summary.groups = (0..2000).map(|_| fixtures::group()).collect();
        if let Some(shutdown) = &mut summary.shutdown {
            let long = |_| {
                let mut task = fixtures::full_task();
                task.fields = (0..16).map(|field| (field.to_string(), "\n".repeat(256))).collect();
                task
            };
            shutdown.tasks = (0..20).map(long).collect();
        }
        let frame = summary_frame(summary);
        assert!(EVENT_SIZE / 8 < frame.len() && frame.len() <= EVENT_SIZE, "{}", frame.len());
    }
}
