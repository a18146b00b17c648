//! The own listener: on headcount's thread, bounded in connections, headers and time, for reading as for
//! writing.

mod connections;
mod limits;
mod stream;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;
use tower::Service;
use tower_http::timeout::RequestBodyDeadlineLayer;
use tracing::{Level, debug, enabled, info, warn};

use self::connections::{Activity, Class, Connections, Serving};
use self::stream::ClientStream;
use super::context::{Admin, Mount};
use super::guard::{Peer, is_health};
use super::problem::Problem;
use super::routes::{health_router, router};
use super::{events, probe, workers};
use crate::error::Error;
use crate::observer::Lines;
use crate::settings::Settings;

/// Connections that wait to be accepted: beyond it a client's system tries again after a second, which is
/// long for a health check.
const BACKLOG: i32 = 4096;
/// For the whole head of a request, and between two requests of a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// For a client to read some of what waits for it; for those that follow the events as well.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// What the kernel keeps of what a client has not read.
const SEND_BUFFER: usize = 64 * 1024;
/// How often the default address is tried again.
const MOVE_IN_EVERY: Duration = Duration::from_secs(2);
/// Fewer than there are places of the reserve.
const ACCEPTED_AT_ONCE: usize = 4;
const HEADER_SIZE: usize = 16 * 1024;
const HEADERS: usize = 64;

/// The listeners of the settings, bound.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    /// Of all routes.
    own: Option<TcpListener>,
    /// Of health alone.
    health: Option<TcpListener>,
    /// The default address, where another process has it.
    wanted: Option<SocketAddr>,
}

impl Listeners {
    /// Where all routes are.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.own.as_ref()?.local_addr().ok()
    }
}

/// Binds the addresses of the settings; if the default is taken, any port.
pub(crate) fn bind(settings: &Settings) -> Result<Listeners, Error> {
    let mut listeners = Listeners::default();
    if let Some(address) = settings.health {
        let bound = listen(address).map_err(|problem| Error::address("health", address, problem))?;
        listeners.health = Some(bound);
    }
    let Some(address) = settings.admin else { return Ok(listeners) };
    if !address.ip().to_canonical().is_loopback() && settings.token.is_none() {
        return Err(Error::unprotected("admin", address));
    }
    let listener = match listen(address) {
        Err(problem) if problem.kind() == io::ErrorKind::AddrInUse && !settings.chosen.contains("admin") => {
            listeners.wanted = Some(address);
            listen((address.ip(), 0).into())
        }
        bound => bound,
    };
    listeners.own = Some(listener.map_err(|problem| Error::address("admin", address, problem))?);
    Ok(listeners)
}

/// Binds as the standard library does, with a longer queue.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Starts what runs in the background: the listeners, frames of events, the probe.
pub(crate) fn start(admin: &Arc<Admin>, listeners: Listeners) {
    let worker = &admin.worker;
    worker.spawn(events::publish(Arc::clone(admin)));
    let (places, reserve) = limits::places();
    let address = listeners.address();
    if let Some(listener) = listeners.health {
        let router = health_router(Arc::clone(admin));
        worker.spawn(serve(listener, router, Connections::new(reserve, reserve), admin.lines.clone()));
    }
    if let (Some(wanted), Some(address)) = (listeners.wanted, address) {
        warn!(
            target: "headcount",
            "{wanted} is taken by another process: the admin server listens on {address} until that is free. \
            Set `admin` (HEADCOUNT_ADMIN) to choose an address"
        );
        worker.spawn(move_in(Arc::clone(admin), wanted));
    }
    if let Some(listener) = listeners.own {
        worker.spawn(serve(
            listener,
            own_router(admin),
            Connections::new(places, reserve),
            admin.lines.clone(),
        ));
    }
    worker.spawn(workers::watch(Arc::clone(admin)));
    if let Some(limit) = admin.settings().unresponsive_after {
        worker.spawn(probe::run(Arc::clone(admin), limit));
    }
}

fn own_router(admin: &Arc<Admin>) -> Router {
    router(Arc::clone(admin), Mount::Own).layer(RequestBodyDeadlineLayer::new(BODY_TIMEOUT))
}

/// Listens on the default address as well, as soon as the process that had it is gone.
async fn move_in(admin: Arc<Admin>, wanted: SocketAddr) {
    let listener = loop {
        tokio::time::sleep(MOVE_IN_EVERY).await;
        if let Ok(listener) = listen(wanted) {
            break listener;
        }
    };
    admin.lines.write(move || {
        info!(target: "headcount", "{wanted} is free now: dashboard at http://{wanted}/ as well");
    });
    let (places, reserve) = limits::places();
    let connections = Connections::new(places / 2, reserve / 2);
    serve(listener, own_router(&admin), connections, admin.lines.clone()).await;
}

/// Accepts connections until the process ends.
async fn serve(listener: TcpListener, router: Router, mut connections: Connections, lines: Lines) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(problem) => {
            let write = move || warn!(target: "headcount", "The admin server cannot listen: {problem}");
            return lines.write(write);
        }
    };
    let mut accepted = 0_usize;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (class, activity) = (connections.make_room(), Activity::new());
                let router = router.clone();
                let serve = connection(stream, peer, class, router, Arc::clone(&activity), lines.clone());
                let task = tokio::spawn(serve);
                connections.add(peer.ip(), class, task.abort_handle(), activity);
                // It reads what has come already before others take its place.
                accepted += 1;
                if accepted % ACCEPTED_AT_ONCE == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Err(problem) => {
                if enabled!(target: "headcount", Level::DEBUG) {
                    lines.write(
                        move || debug!(target: "headcount", "A connection was not accepted: {problem}"),
                    );
                }
                // Most often for want of file descriptors, which others must give back first.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    class: Class,
    router: Router,
    activity: Arc<Activity>,
    lines: Lines,
) {
    bound(&stream);
    let io = TokioIo::new(ClientStream::new(stream, WRITE_TIMEOUT, Arc::clone(&activity)));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let serving = activity.serve();
        let mut router = router.clone();
        request.extensions_mut().insert(Peer(peer));
        async move {
            let response = if class == Class::Health && !is_health(request.uri().path()) {
                no_place()
            } else {
                router.call(request.map(Body::new)).await?
            };
            Ok::<_, Infallible>(response.map(|body| Body::new(Taken { body, _serving: serving })))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(HEADER_SIZE)
        .max_headers(HEADERS)
        .serve_connection(io, service)
        .await;
    if let Some(problem) = served.err().filter(|_| enabled!(target: "headcount", Level::DEBUG)) {
        lines.write(move || debug!(target: "headcount", %peer, "A connection ended: {problem}"));
    }
}

/// Bounds what the kernel keeps for a client that does not read, and for how long. Failures leave the
/// kernel's own bounds.
fn bound(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    // The kernel ends a connection of which nothing has left the socket for so long, whether or not it was
    // written to.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_user_timeout(Some(WRITE_TIMEOUT));
}

fn no_place() -> Response {
    let detail = "as many connections are open as may be, and none of them is idle: try again in a second";
    let busy = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_header(header::RETRY_AFTER, "1");
    let mut response = busy.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The body of a response, until the server has taken it.
struct Taken {
    body: Body,
    _serving: Serving,
}

impl hyper::body::Body for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
