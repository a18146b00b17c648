//! `GET /api/v1/events`: what the page shows, each second, as server-sent events.
//!
//! Frames are made once for all clients. A client that reads slowly gets the newest one when it reads again; what it
//! missed is counted. One that reads nothing loses its connection, as every client of the own server does.
//!
//! The own server tells to the end; a mounted router until draining begins.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

use super::problem::Problem;
use super::router::{Context, Mount};
use super::stop;
use super::summary::{hello, summary};
use super::wire::Summary;
use crate::install::Shared;

/// The most that one event holds.
const EVENT_SIZE: usize = 64 * 1024;
const EVERY: Duration = Duration::from_secs(1);

/// From the one that makes frames to all that read them.
#[derive(Debug)]
pub(super) struct Hub {
    frames: watch::Sender<Frame>,
    limit: usize,
    clients: AtomicUsize,
    dropped: AtomicU64,
    /// Something happened that clients should not wait a second for.
    changed: Notify,
    /// A client has gone.
    left: Notify,
}

#[derive(Clone, Debug, Default)]
struct Frame {
    number: u64,
    bytes: Bytes,
    until: Until,
}

/// Who gets no other frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Until {
    #[default]
    Nobody,
    /// Those of mounted routers: the application's server waits for its connections, and tasks perhaps for the server. Who looks
    /// on holds up neither.
    Draining,
    Everybody,
}

/// A client's place among those that are served.
#[derive(Debug)]
struct Place(Arc<Hub>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::AcqRel);
        self.0.left.notify_one();
    }
}

impl Hub {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            frames: watch::Sender::default(),
            limit,
            clients: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            changed: Notify::new(),
            left: Notify::new(),
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn enter(self: &Arc<Self>) -> Option<Place> {
        let free = |clients: usize| (clients < self.limit).then_some(clients + 1);
        let entered = self.clients.fetch_update(Ordering::AcqRel, Ordering::Acquire, free);
        entered.is_ok().then(|| Place(Arc::clone(self)))
    }

    fn send(&self, bytes: Bytes, until: Until) {
        self.frames.send_modify(|frame| {
            if frame.until != Until::Everybody {
                *frame = Frame { number: frame.number + 1, bytes, until };
            }
        });
    }
}

/// Has clients told of a new stage at once.
#[cfg(feature = "shutdown")]
pub(crate) fn stage_changed(shared: &Shared) {
    shared.admin.events.changed.notify_one();
}

/// Sends how it all ended and the report, in one last frame; resolves when all clients have it and are gone.
#[cfg(feature = "shutdown")]
pub(crate) async fn tell_report(shared: &Shared, report: &crate::Report) {
    let hub = &shared.admin.events;
    let mut last = summary_frame(summary(shared, &crate::snapshot())).to_vec();
    last.extend_from_slice(&report_frame(report));
    hub.send(last.into(), Until::Everybody);
    while 0 < hub.clients.load(Ordering::Acquire) {
        hub.left.notified().await;
    }
}

/// Makes frames while somebody reads them, and remembers figures in any case.
pub(super) async fn publish(shared: Arc<Shared>) {
    let hub = &shared.admin.events;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = hub.changed.notified() => {}
        }
        // Before the summary, which then tells of it.
        let until = if stop::is_draining() { Until::Draining } else { Until::Nobody };
        let snapshot = crate::snapshot();
        shared.admin.history.lock().record(Instant::now(), &snapshot);
        if 0 < hub.clients.load(Ordering::Acquire) {
            hub.send(summary_frame(summary(&shared, &snapshot)), until);
        }
    }
}

/// What changes as it happens: `hello`, then `summary` each second, at the end `report`. From a mounted router until draining begins.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/events", tag = "read", responses(
    (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
    (status = 503, description = "Others follow already, as many as `sse_clients` allows", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn events(State(context): State<Context>) -> Response {
    let Some(place) = context.shared.admin.events.enter() else {
        let detail = "as many clients as `sse_clients` allows follow the events already";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let hello = frame("hello", &hello(&context.shared.identity));
    (headers, Body::from_stream(follow(place, hello, context.mount))).into_response()
}

fn follow(place: Place, hello: Bytes, mount: Mount) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    let frames = place.0.frames.subscribe();
    let seen = frames.borrow().number;
    place.0.changed.notify_one();
    stream::unfold(Follower { place, frames, seen, hello: Some(hello), mount, over: false }, Follower::next)
}

struct Follower {
    place: Place,
    frames: watch::Receiver<Frame>,
    seen: u64,
    hello: Option<Bytes>,
    mount: Mount,
    over: bool,
}

/// What came after its last frame it missed: it went without reading that.
impl Drop for Follower {
    fn drop(&mut self) {
        let newest = self.frames.borrow().number;
        self.missed(newest.saturating_sub(self.seen));
    }
}

impl Follower {
    fn missed(&self, frames: u64) {
        self.place.0.dropped.fetch_add(frames, Ordering::Relaxed);
    }

    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(hello) = self.hello.take() {
            return Some((Ok(hello), self));
        }
        if self.over {
            return None;
        }
        let seen = self.seen;
        let frame = self
            .frames
            .wait_for(|frame| seen < frame.number || frame.until == Until::Everybody)
            .await
            .ok()?
            .clone();
        self.missed(frame.number.saturating_sub(seen + 1));
        self.seen = frame.number;
        self.over = match frame.until {
            Until::Nobody => false,
            Until::Draining => self.mount == Mount::Application,
            Until::Everybody => true,
        };
        Some((Ok(frame.bytes), self))
    }
}

fn frame(event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\ndata: {data}\n\n").into()
}

/// As many of its tasks as fit, those that were abandoned before the others; all are counted.
#[cfg(feature = "shutdown")]
fn report_frame(report: &crate::Report) -> Bytes {
    let mut told = report.clone();
    (told.abandoned, told.detached) = ([].into(), [].into());
    let mut room = EVENT_SIZE.saturating_sub(frame("report", &told).len());
    told.abandoned = fitting(&report.abandoned, &mut room).into();
    told.detached = fitting(&report.detached, &mut room).into();
    frame("report", &told)
}

/// The first of the tasks, as many as there is room for.
#[cfg(feature = "shutdown")]
fn fitting<'a>(tasks: &'a [crate::ReportTask], room: &mut usize) -> &'a [crate::ReportTask] {
    let mut fits = |task: &crate::ReportTask| {
        // And a comma.
        let size = 1 + serde_json::to_string(task).map_or(0, |text| text.len());
        let left = room.checked_sub(size);
        *room = left.unwrap_or(0);
        left.is_some()
    };
    let count = tasks.iter().take_while(|task| fits(task)).count();
    &tasks[..count]
}

/// Without a report that has no room: an event of its own tells it. Then as many groups as fit; then shorter tasks, then fewer.
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
    use std::pin::pin;

    use futures_util::StreamExt;

    use super::*;
    use crate::admin::fixtures;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[tokio::test]
    async fn a_slow_client_gets_the_newest_frame_and_the_missed_ones_are_counted() {
        let hub = Arc::new(Hub::new(1));
        let mut client = pin!(follow(hub.enter().unwrap(), bytes("hello"), Mount::Own));
        assert_eq!(client.next().await, Some(Ok(bytes("hello"))));
        for frame in ["one", "two", "three"] {
            hub.send(bytes(frame), Until::Nobody);
        }
        assert_eq!(client.next().await, Some(Ok(bytes("three"))));
        assert_eq!(hub.dropped(), 2);
        hub.send(bytes("report"), Until::Everybody);
        hub.send(bytes("late"), Until::Nobody);
        assert_eq!(client.next().await, Some(Ok(bytes("report"))));
        assert_eq!(client.next().await, None);
        assert_eq!(hub.dropped(), 2);
    }

    #[test]
    fn a_place_is_free_again_when_its_client_has_gone() {
        let hub = Arc::new(Hub::new(1));
        let place = hub.enter().unwrap();
        assert!(hub.enter().is_none());
        drop(place);
        assert!(hub.enter().is_some());
    }

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
