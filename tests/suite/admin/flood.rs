//! Those who open connections and say nothing, or one byte a second, lock nobody out.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::http::get;
use crate::support::samples::{samples, value};
use crate::support::wait::until;
use headcount::Headcount;

const IDLE: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_and_slow_clients_are_dropped_and_the_application_does_not_notice() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let app = headcount::task("application").spawn(work());

    let began = Instant::now();
    let slow = std::thread::spawn(move || slow_client(admin));
    let connections: Vec<_> = (0..idle_connections()).map(|_| TcpStream::connect(admin).unwrap()).collect();
    println!("{} connections after {:?}", connections.len(), began.elapsed());
    let samples = samples(get(admin, "/metrics").expect(200).text());
    assert_eq!(value(&samples, "headcount_tasks_live", &[("task", "application")]), 1.0);
    until(|| {
        let open = connections.iter().filter(|connection| is_open(connection)).count();
        if open <= 256 { Ok(()) } else { Err(format!("{open} idle connections are still open")) }
    });
    // In the flood it has to make room; alone it has its time.
    drop(connections);
    for held in [slow.join().unwrap(), slow_client(admin)] {
        assert!(held < Duration::from_secs(60), "a byte after the other went on for ever");
    }

    app.abort();
    large_requests(admin);
    get(admin, "/livez").expect(200);
}

/// As many as this process may have, which is all of them on most machines.
fn idle_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = files.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    IDLE.min(soft.unwrap_or(1024) - 600)
}

async fn work() {
    loop {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn is_open(connection: &TcpStream) -> bool {
    connection.set_nonblocking(true).unwrap();
    let mut connection = connection;
    matches!(connection.read(&mut [0]), Err(problem) if problem.kind() == ErrorKind::WouldBlock)
}

/// Sends a head byte by byte; returns how long the server bore it.
fn slow_client(admin: SocketAddr) -> Duration {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let began = Instant::now();
    // 80 s at the least.
    let head = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(130));
    for byte in head.bytes() {
        let closed = stream.write_all(&[byte]).is_err();
        if closed || stream.read(&mut [0; 64]).is_ok() {
            return began.elapsed();
        }
    }
    began.elapsed()
}

fn large_requests(admin: SocketAddr) {
    let huge = "x".repeat(64 * 1024);
    let refused = |request: String| {
        let mut stream = TcpStream::connect(admin).unwrap();
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        // The server closes while this client may still send: then the connection is reset, which is a
        // refusal too.
        match stream.read_to_string(&mut answer) {
            Ok(_) => assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}"),
            Err(problem) => assert_eq!(problem.kind(), ErrorKind::ConnectionReset),
        }
    };
    refused(format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {huge}\r\n\r\n"));
    refused(format!("GET /{huge} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let many = "X: x\r\n".repeat(100);
    refused(format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"));
    refused("not HTTP at all\r\n\r\n".to_owned());
}
