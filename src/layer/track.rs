//! Requests as tracked tasks, until their body ends.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf as _;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRAILER};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::futures::Notified;
use tower_layer::Layer;
use tower_service::Service;

use super::naming::{Lesson, Name, Naming, grpc_failure, is_grpc};
use crate::shutdown::gates;
use crate::snapshot::Kind;
use headcount_core::internal::current::note_failure;
use headcount_core::internal::spawn::task;
use headcount_core::internal::tracked::Entry;

/// Makes each request a tracked task of kind `request`, from its arrival to the end of its response's body.
///
/// It is named after the route that axum matched, or the method of a gRPC service; `unmatched` where there is
/// none. Method and path are fields. On shutdown, `Last` tasks are asked to stop only after all requests have
/// ended. When the deadline has passed, or by force, the response is cut, so that `axum::serve` returns: a
/// handler that has not answered gives 503, and a body that has not ended breaks off.
///
/// A request ends `ok` once its response is sent, also where a server does not poll the body to its end
/// (`HEAD`, a known length). It ends `error` if the status is 5xx, or one of gRPC that is the server's fault,
/// or if the body fails. It ends `cancelled` if the client leaves before.
///
/// Add it with [`Router::layer`](https://docs.rs/axum/latest/axum/struct.Router.html#method.layer), after the
/// routes. A request that became a WebSocket ends with the upgrade; spawn what follows with
/// [`headcount::spawn`](crate::spawn).
///
/// # Cost
///
/// That of a spawn and of a lock, for each request.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
///
/// let app: Router = Router::new()
///     .route("/reports/{id}", get(|| async { "a long report" }))
///     .layer(headcount::TrackLayer::new());
/// ```
#[derive(Clone)]
pub struct TrackLayer {
    name: Option<Name>,
    naming: Arc<Naming>,
    location: &'static Location<'static>,
}

impl TrackLayer {
    /// Names requests after the route that axum 0.8 matched (needs the feature `admin`), or after the gRPC
    /// method. Otherwise requests are named `unmatched`: use [`name_with`](Self::name_with).
    #[track_caller]
    #[allow(clippy::new_without_default)] // The place of the call is the location of the tasks.
    pub fn new() -> Self {
        Self { name: None, naming: Arc::default(), location: Location::caller() }
    }

    /// Names requests as the function says: for services that are not axum's, and for axum of another major
    /// version than 0.8, whose matched route is a type that this crate does not know. Names are for few
    /// values, so never the bare path: one layer has at most half of `max_groups`.
    ///
    /// With axum 0.7, where `axum` is that version:
    ///
    /// ```text
    /// TrackLayer::new().name_with(|parts| {
    ///     let route = parts.extensions.get::<axum::extract::MatchedPath>();
    ///     route.map_or("unmatched".to_owned(), |route| route.as_str().to_owned())
    /// })
    /// ```
    #[must_use]
    pub fn name_with<N: Into<Cow<'static, str>>>(
        mut self,
        name: impl Fn(&Parts) -> N + Send + Sync + 'static,
    ) -> Self {
        self.name = Some(Arc::new(move |parts| name(parts).into()));
        self
    }

    fn begin(&self, parts: &Parts) -> (Entry, Lesson) {
        let (name, lesson) = self.naming.name(self.name.as_ref(), parts);
        let task = task(name).field("method", &parts.method).field("path", parts.uri.path());
        (task.enter::<()>(Kind::Request, self.location), lesson)
    }
}

impl fmt::Debug for TrackLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackLayer").field("location", &self.location).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for TrackLayer {
    type Service = Track<S>;

    fn layer(&self, inner: S) -> Track<S> {
        Track { inner, layer: self.clone() }
    }
}

/// A service whose requests are tracked tasks; made by [`TrackLayer`].
#[derive(Clone, Debug)]
pub struct Track<S> {
    inner: S,
    layer: TrackLayer,
}

impl<S, B, R> Service<Request<B>> for Track<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<TrackedBody<R>>;
    type Error = S::Error;
    type Future = TrackedResponse<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let (mut entry, lesson) = self.layer.begin(&parts);
        let is_head = parts.method == Method::HEAD;
        let request = Request::from_parts(parts, body);
        // Inside the task, so that what a service spawns right here is its child.
        let future = entry.stay(|| self.inner.call(request));
        TrackedResponse { future, entry: Some(entry), lesson, is_head, cut: gates().cut.opening() }
    }
}

pin_project_lite::pin_project! {
    /// The response to come; made by [`Track`].
    pub struct TrackedResponse<F> {
        #[pin]
        future: F,
        // After the future, which is dropped in this order.
        entry: Option<Entry>,
        lesson: Lesson,
        is_head: bool,
        #[pin]
        cut: Notified<'static>,
    }
}

impl<F> fmt::Debug for TrackedResponse<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedResponse").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for TrackedResponse<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<TrackedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(entry) = this.entry else { panic!("polled after it was ready") };
        let future = this.future;
        let answer = match entry.stay_polled(context, |context| future.poll(context)) {
            Poll::Ready(answer) => answer.map(|response| {
                if response.status().is_server_error() {
                    entry.stay(|| note_failure(&response.status()));
                } else if let Some(failure) = grpc_failure(response.headers()) {
                    entry.stay(|| note_failure(&failure));
                }
                std::mem::replace(this.lesson, Lesson::Nothing).learn(&response);
                response.map(Some)
            }),
            Poll::Pending if is_cut(this.cut, context) => Ok(unavailable()),
            Poll::Pending => return Poll::Pending,
        };
        let mut entry = this.entry.take();
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                entry.iter_mut().for_each(Entry::finish);
                return Poll::Ready(Err(error));
            }
        };
        let length = if *this.is_head { Some(0) } else { sent_length(&response) };
        Poll::Ready(Ok(response.map(|body| TrackedBody::new(body, entry, length))))
    }
}

/// Whether responses are cut. Registers for that, if not.
fn is_cut(cut: Pin<&mut Notified<'static>>, context: &mut Context<'_>) -> bool {
    // Polled first, so that an opening in between is not missed.
    cut.poll(context).is_ready() || gates().cut.is_open()
}

/// How many bytes of the body a server sends, where that is known. It need not poll the body further than
/// that.
fn sent_length<R: Body>(response: &Response<Option<R>>) -> Option<u64> {
    let status = response.status();
    if status.is_informational() || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status) {
        return Some(0);
    }
    // Trailers come behind the last byte, and may say that the call has failed.
    if response.headers().contains_key(TRAILER) || is_grpc(response.headers()) {
        return None;
    }
    let header = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    header.or_else(|| response.body().as_ref()?.size_hint().exact())
}

fn unavailable<R>() -> Response<Option<R>> {
    let mut response = Response::new(None);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

pin_project_lite::pin_project! {
    /// A body whose end is the end of a tracked task; made by [`Track`].
    pub struct TrackedBody<R> {
        #[pin]
        body: Option<R>,
        // After the body, which is dropped in this order.
        entry: Option<Entry>,
        // Bytes still to be sent, where that is known.
        left: Option<u64>,
        #[pin]
        cut: Notified<'static>,
    }
}

impl<R: Body> TrackedBody<R> {
    fn new(body: Option<R>, entry: Option<Entry>, length: Option<u64>) -> Self {
        let mut tracked = Self { body, entry, left: length, cut: gates().cut.opening() };
        // A server does not poll a body that it sends nothing of.
        if length == Some(0) || tracked.body.as_ref().is_some_and(Body::is_end_stream) {
            tracked.entry.take().iter_mut().for_each(Entry::finish);
        }
        tracked
    }
}

impl<R> fmt::Debug for TrackedBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedBody").finish_non_exhaustive()
    }
}

fn trailers_of<D, E>(frame: Option<&Result<Frame<D>, E>>) -> Option<&HeaderMap> {
    frame?.as_ref().ok()?.trailers_ref()
}

/// Why a body broke off.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response was cut: the process is stopping")
    }
}

impl Error for Cut {}

impl<R> Body for TrackedBody<R>
where
    R: Body,
    R::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = R::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(mut body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let Some(entry) = this.entry else {
            return body.poll_frame(context).map_err(Into::into);
        };
        // Asked first, since a body may have its next part ready each time.
        let polled = if gates().cut.is_open() {
            Poll::Pending
        } else {
            entry.stay_polled(context, |context| body.as_mut().poll_frame(context))
        };
        let frame = match polled {
            Poll::Ready(frame) => frame.map(|frame| frame.map_err(Into::into)),
            Poll::Pending if is_cut(this.cut, context) => {
                // The entry is dropped as what the coordinator made of it: aborted.
                *this.entry = None;
                return Poll::Ready(Some(Err(Cut.into())));
            }
            Poll::Pending => return Poll::Pending,
        };
        if let Some(Err(error)) = &frame {
            entry.stay(|| note_failure(error));
        }
        if let Some(failure) = trailers_of(frame.as_ref()).and_then(grpc_failure) {
            entry.stay(|| note_failure(&failure));
        }
        if let (Some(left), Some(Ok(frame))) = (&mut *this.left, &frame) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.remaining() as u64));
        }
        let is_last = matches!(frame, None | Some(Err(_))) || body.is_end_stream() || *this.left == Some(0);
        if is_last {
            this.entry.take().iter_mut().for_each(Entry::finish);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
