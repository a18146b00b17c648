//! hyper without a framework: a service function, both versions of HTTP, and every task with a name.
//!
//!     cargo run --bin plain-hyper

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use headcount::{Headcount, Report, TrackLayer, executor, task};
use headcount_frameworks::{HEAD_TIMEOUT, announce};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;
    // There are no routes to name requests after, and a path may be anything: one name for each method.
    let requests = TrackLayer::new().name_with(|parts| parts.method.to_string());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(&listener)?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = hc.draining() => break,
        };
        let Ok((socket, _)) = accepted else {
            // Out of file descriptors, or the client has gone already.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let service = TowerToHyperService::new(requests.layer(service_fn(answer)));
        task("connection").spawn(async move {
            let mut server = Builder::new(executor("http2-stream"));
            server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            let mut connection = pin!(server.serve_connection(TokioIo::new(socket), service));
            tokio::select! {
                _ = connection.as_mut() => {}
                () = headcount::draining() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
    }
    Ok(hc.drain().await)
}

async fn answer(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(format!("{} {}\n", request.method(), request.uri().path())))
}
