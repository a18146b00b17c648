//! A page that is open on a mounted router does not hold up the end of the server it is mounted in.

#![cfg(all(feature = "admin", feature = "shutdown"))]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use axum::Router;
use headcount::Headcount;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_the_events_of_a_mounted_router_holds_up_nobody() {
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

/// Says when the first word came, and gives all that came.
fn follow(address: SocketAddr, sign: tokio::sync::oneshot::Sender<()>) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /ops/api/v1/events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut told = vec![0];
    stream.read_exact(&mut told).unwrap();
    sign.send(()).unwrap();
    stream.read_to_end(&mut told).unwrap();
    String::from_utf8(told).unwrap()
}
