//! The request limit: a process that stops gracefully after so many requests.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::shutdown::RequestLimit as Count;

/// Stops the process gracefully after a number of requests, as servers do against slow leaks.
///
/// The request that reaches the limit is served, and begins the shutdown, however many come at once. Later
/// ones are served while the shutdown is announced, else they get 503 with `Connection: close`. All clones
/// and services of a layer count together. Where [`Headcount`](crate::Headcount) is not installed nothing is
/// limited. The reason of the shutdown names the limit; the exit code is that of any stop, 0 if all tasks
/// ended.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
///
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(headcount::RequestLimitLayer::new(100_000).jitter(10_000));
/// ```
#[derive(Clone, Debug)]
pub struct RequestLimitLayer {
    count: Arc<Count>,
}

impl RequestLimitLayer {
    /// A limit, shared by all clones.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn new(limit: u64) -> Self {
        assert!(limit != 0, "a request limit of 0 would serve nothing: it must be at least 1");
        Self { count: Arc::new(Count::new(limit)) }
    }

    /// Raises the limit by a random number up to this one, so that processes started together do not stop
    /// together.
    ///
    /// Call it before cloning: it starts a new count.
    #[must_use]
    pub fn jitter(self, at_most: u64) -> Self {
        let more = match at_most.checked_add(1) {
            Some(choices) => random() % choices,
            None => random(),
        };
        Self::new(self.count.limit().saturating_add(more))
    }
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl<S> Layer<S> for RequestLimitLayer {
    type Service = RequestLimit<S>;

    fn layer(&self, inner: S) -> RequestLimit<S> {
        self.count.register();
        RequestLimit { inner, count: Arc::clone(&self.count) }
    }
}

/// A service whose requests are counted; made by [`RequestLimitLayer`].
#[derive(Clone, Debug)]
pub struct RequestLimit<S> {
    inner: S,
    count: Arc<Count>,
}

impl<S, B, R> Service<Request<B>> for RequestLimit<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = LimitedResponse<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let admitted = self.count.admits();
        LimitedResponse { future: admitted.then(|| self.inner.call(request)) }
    }
}

pin_project_lite::pin_project! {
    /// The response to come, or the refusal; made by [`RequestLimit`].
    #[derive(Debug)]
    pub struct LimitedResponse<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F, R, E> Future for LimitedResponse<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().future.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Ready(Ok(refusal())),
        }
    }
}

fn refusal<R: Default>() -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
