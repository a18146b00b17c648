//! Those who ask and do not read the answer hold nothing for ever: neither a connection nor a place among
//! those who follow the events.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::http::{events, get};
use crate::support::samples::{samples, value};
use headcount::Headcount;

/// Much longer than the server waits.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn who_does_not_read_is_given_up() {
    own_process!();
    let hc =
        Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).sse_clients(2).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    many_groups();
    let pages = std::thread::spawn(move || pages_unread(admin));
    let silent = std::thread::spawn(move || answered_and_silent(admin));
    events_unread(admin);
    pages.join().unwrap();
    silent.join().unwrap();
    let samples = samples(get(admin, "/metrics").expect(200).text());
    assert!(10.0 < value(&samples, "headcount_sse_dropped_total", &[]));
}

/// So that each event is as large as it can be.
fn many_groups() {
    let labelled = |name: &'static str, number: usize| {
        (0..8).fold(headcount::task(name), |task, label| {
            task.label(format!("label{label}"), format!("{number}{}", "x".repeat(100)))
        })
    };
    for number in 0..50 {
        // Three places, since each leaves room for others.
        drop(labelled("many", number).track(async {}));
        drop(labelled("more", number).track(async {}));
        drop(labelled("most", number).track(async {}));
    }
    assert_eq!(headcount::snapshot().groups.len(), 150);
}

/// Asks on one connection until the server takes no more, and waits until it closes.
fn pages_unread(admin: SocketAddr) {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let asked = Instant::now();
    loop {
        let request = format!("GET /api/v1/summary HTTP/1.1\r\nHost: {admin}\r\n\r\n");
        match stream.write_all(request.as_bytes()) {
            Ok(()) => {}
            Err(problem) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&problem.kind()) => {
                assert!(asked.elapsed() < PATIENCE, "what nobody reads is held for ever");
            }
            Err(problem) => {
                assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&problem.kind()));
                return;
            }
        }
    }
}

/// Reads an answer, then says nothing more.
fn answered_and_silent(admin: SocketAddr) {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /livez HTTP/1.1\r\nHost: {admin}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server closes");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// One client of the events that does not read. There are two places: while it has one, only one other is let
/// in.
fn events_unread(admin: SocketAddr) {
    let unread = events(admin, "/api/v1/events").expect("a place is free");
    let began = Instant::now();
    loop {
        // Each newcomer has an event made for all, so that what is unread is soon more than any buffer takes.
        let Some(mut other) = events(admin, "/api/v1/events") else {
            // The one before has gone, which the server has not seen yet.
            assert!(began.elapsed() < PATIENCE, "who has gone has a place for ever");
            continue;
        };
        other.by_ref().find(|line| line == "event: summary").unwrap();
        if events(admin, "/api/v1/events").is_some() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "who does not read has a place for ever");
    }
    drop(unread);
}
