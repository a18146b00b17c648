//! What these services share: `axum::serve` with an executor, so that connections and HTTP/2 streams are
//! tasks with names.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

/// How long a client may take to send the head of a request: a stop waits for that long at most.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves a router until the process begins to drain. Returns while connections still answer what they were
/// asked: the shutdown waits for them.
pub async fn serve(listener: TcpListener, app: Router) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = headcount::draining() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                let connection = connection(socket, app.clone());
                headcount::task("connection").field("peer", peer).spawn(connection);
            }
            // Out of file descriptors, or the client has gone already.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(socket: TcpStream, app: Router) {
    let mut server = Builder::new(headcount::executor("http2-stream"));
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let service = TowerToHyperService::new(app);
    let mut connection = pin!(server.serve_connection_with_upgrades(TokioIo::new(socket), service));
    // A connection that breaks off is its client's affair.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = headcount::draining() => {
            // An idle one ends at once, another after the response that it is sending.
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Prints where the service is, for people and for the tests.
pub fn announce(listener: &TcpListener) -> std::io::Result<()> {
    println!("http://{}", listener.local_addr()?);
    Ok(())
}
