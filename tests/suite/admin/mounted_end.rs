//! A page that is open on a mounted router does not hold up the end of the server it is mounted in.

use std::io::BufRead;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use headcount::Headcount;
use tokio::net::TcpListener;

use crate::support::http::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_the_events_of_a_mounted_router_does_not_hold_up_the_stop() {
    own_process!();
    let hc = Headcount::builder()
        .admin(None)
        .trust_outer_auth(true)
        .drain_timeout(Duration::from_secs(20))
        .install()
        .unwrap();
    let app = Router::new().nest_service("/ops", hc.router());
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(hc.draining()).into_future());
    // Ends with the server, as a task does that reads what requests send.
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<()>(1);
    headcount::task("reader").spawn(async move { receiver.recv().await });
    let (sign, first_word) = tokio::sync::oneshot::channel();
    let client = std::thread::spawn(move || follow(address, sign));
    first_word.await.unwrap();
    let start = Instant::now();
    headcount::shutdown("test");
    server.await.unwrap().unwrap();
    drop(sender);
    let report = hc.drain().await;
    assert_eq!(report.exit_code, 0);
    assert!(start.elapsed() < Duration::from_secs(10), "after {:?}", start.elapsed());
    let told = client.join().unwrap();
    assert!(told.contains("event: hello") && told.contains(r#""reason":"test""#), "{told}");
}

/// Says when the first line came, and gives all that came.
fn follow(address: SocketAddr, sign: tokio::sync::oneshot::Sender<()>) -> String {
    // Kept open by both sides, if it is up to HTTP.
    let mut told = open(address, "GET", "/ops/api/v1/events", &[], "").unwrap().lines().map(Result::unwrap);
    let first = told.next().unwrap();
    sign.send(()).unwrap();
    told.fold(first, |told, line| told + "\n" + &line)
}
