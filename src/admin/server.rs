//! The own listener: on headcount's thread, bounded in connections, headers and time, for reading as for writing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tower::Service;
use tower_http::timeout::RequestBodyDeadlineLayer;
use tracing::{Level, debug, enabled, warn};

use super::connections::{Asked, Connections};
use super::context::{Admin, Mount};
use super::guard::Peer;
use super::routes::router;
use super::write_limit::WriteLimit;
use super::{events, probe};
use crate::error::Error;
use crate::observer::Lines;
use crate::settings::Settings;

/// Connections that wait to be accepted: beyond it a client's system tries again after a second, which is long for a health check.
const BACKLOG: i32 = 4096;
/// Clients of the events, scrapes, health checks and people together.
const CONNECTIONS: usize = 256;
/// For the whole head of a request, and between two requests of a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// For a client to read some of what waits for it; for those that follow the events as well.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_SIZE: usize = 16 * 1024;
const HEADERS: usize = 64;

/// Binds the address of the settings; if that is the default and taken, any port.
pub(crate) fn bind(settings: &Settings) -> Result<Option<TcpListener>, Error> {
    let Some(address) = settings.admin else { return Ok(None) };
    if !address.ip().to_canonical().is_loopback() && settings.token.is_none() {
        return Err(Error::unprotected("admin", address));
    }
    let listener = match listen(address) {
        Err(problem) if problem.kind() == io::ErrorKind::AddrInUse && !settings.chosen.contains("admin") => {
            warn!(target: "headcount", "{address} is taken: the admin server listens on another port");
            listen((Ipv4Addr::LOCALHOST, 0).into())
        }
        bound => bound,
    };
    listener.map(Some).map_err(|problem| Error::address("admin", address, problem))
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

/// Starts what runs in the background: the listener where there is one, frames of events, the probe.
pub(crate) fn start(admin: &Arc<Admin>, listener: Option<TcpListener>) {
    let worker = &admin.worker;
    worker.spawn(events::publish(Arc::clone(admin)));
    if let Some(listener) = listener {
        worker.spawn(serve(Arc::clone(admin), listener));
    }
    if let (Some(limit), Some(runtime)) = (admin.settings().unresponsive_after, &admin.process.application) {
        worker.spawn(probe::run(Arc::clone(admin), runtime.clone(), limit));
    }
}

/// Accepts connections until the process ends.
async fn serve(admin: Arc<Admin>, listener: TcpListener) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(problem) => {
            let write = move || warn!(target: "headcount", "The admin server cannot listen: {problem}");
            return admin.lines.write(write);
        }
    };
    let lines = admin.lines.clone();
    let router = router(admin, Mount::Own).layer(RequestBodyDeadlineLayer::new(BODY_TIMEOUT));
    let mut connections = Connections::new(CONNECTIONS);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if connections.make_room() => {
                let asked = Asked::default();
                let task =
                    tokio::spawn(connection(stream, peer, router.clone(), asked.clone(), lines.clone()));
                connections.add(task.abort_handle(), asked);
            }
            Ok(_) => {}
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

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, asked: Asked, lines: Lines) {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        asked.set();
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request.map(Body::new))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(HEADER_SIZE)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(WriteLimit::new(stream, WRITE_TIMEOUT)), service)
        .await;
    if let Some(problem) = served.err().filter(|_| enabled!(target: "headcount", Level::DEBUG)) {
        lines.write(move || debug!(target: "headcount", %peer, "A connection ended: {problem}"));
    }
}
