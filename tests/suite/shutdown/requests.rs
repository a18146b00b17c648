//! Requests: tracked, cut, and limited.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use nix::sys::signal::Signal::{SIGINT, SIGTERM};

use crate::support::http::{Answer, get, try_send};
use crate::support::process::start;

/// A request on a thread of its own; `None` if there was no answer.
fn get_meanwhile(address: SocketAddr, path: &'static str) -> JoinHandle<Option<Answer>> {
    thread::spawn(move || try_send(address, "GET", path, &[], "").ok())
}

#[test]
fn a_slow_request_is_named_and_waited_for() {
    own_process!();
    let mut process = start(&[], &["--serve tracked", "wait send-email 900"]);
    let address = process.address("serving ");
    let client = get_meanwhile(address, "/slow/800");
    process.wait_for("asked /slow/800");
    process.signal(SIGTERM);
    let answer = client.join().unwrap().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), "slow");
    process.end().exited_with(0).logged(&[
        "Waiting for connections to close. (a second signal forces) pending=1 deadline=25s",
        "Waiting for background tasks to complete. (a second signal forces) pending=1 deadline=25s",
        "  /slow/{ms} #~ running",
        "  /slow/{ms} #~ completed after",
        "All background tasks completed in ~s (2 completed)",
    ]);
}

#[test]
fn a_request_lasts_until_its_body_ends() {
    own_process!();
    let mut process = start(&[], &["--serve tracked"]);
    let address = process.address("serving ");
    let client = get_meanwhile(address, "/stream/900");
    process.wait_for("streaming");
    process.signal(SIGTERM);
    assert!(client.join().unwrap().unwrap().text().contains("the end"));
    process.end().exited_with(0).logged(&["  /stream/{ms} #~ completed after ~"]);
}

#[test]
fn a_slow_request_without_the_layer_is_not_cut_short() {
    own_process!();
    let mut process = start(&[], &["--serve plain"]);
    let address = process.address("serving ");
    let client = get_meanwhile(address, "/slow/2500");
    process.wait_for("asked /slow/2500");
    process.signal(SIGTERM);
    assert_eq!(client.join().unwrap().unwrap().text(), "slow");
    process
        .end()
        .exited_with(0)
        .logged(&["Waiting for the application", "All background tasks completed in"]);
}

/// Its client reads as fast as it can, so the server never waits for one of the two.
#[test]
fn a_body_that_is_always_ready_is_cut_too() {
    own_process!();
    let settings = [("DRAIN_TIMEOUT", "600ms"), ("EXIT_AFTER", "30s")];
    let mut process = start(&settings, &["--serve tracked"]);
    let address = process.address("serving ");
    let client = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
        io::copy(&mut stream, &mut io::sink())
    });
    process.wait_for("streaming");
    process.signal(SIGTERM);
    process.end().exited_with(124).never_logged("Exiting").logged(&[
        "  /endless #~ abandoned after ~",
        "Stopped at the deadline, in ~s (0 completed, 1 abandoned)",
    ]);
    let _ = client.join().unwrap();
}

#[test]
fn at_the_deadline_requests_are_cut_so_that_the_server_returns() {
    own_process!();
    let settings = [("DRAIN_TIMEOUT", "600ms"), ("EXIT_AFTER", "30s")];
    let mut process = start(&settings, &["--serve tracked"]);
    let address = process.address("serving ");
    let stream = get_meanwhile(address, "/stream/600000");
    let silent = get_meanwhile(address, "/slow/600000");
    process.wait_for("streaming");
    process.wait_for("asked /slow/600000");
    process.signal(SIGTERM);
    let stream = stream.join().unwrap().unwrap();
    assert!(!stream.text().contains("the end") && !stream.is_whole, "{stream:#?}");
    let silent = silent.join().unwrap().unwrap();
    assert_eq!(silent.status, 503);
    assert_eq!(silent.header("connection"), Some("close"));
    let end = process.end();
    end.exited_with(124).never_logged("Exiting").logged(&["Deadline of 600ms reached: aborting 2 tasks"]);
    assert!(
        end.log().iter().any(|line| line.contains("a request is not ours to abort, its response is cut"))
    );
}

#[test]
fn a_request_without_a_route_is_unmatched() {
    own_process!();
    let mut process = start(&[], &["--serve tracked"]);
    let address = process.address("serving ");
    let client = get_meanwhile(address, "/nowhere");
    process.wait_for("asked /nowhere");
    process.signal(SIGTERM);
    assert_eq!(client.join().unwrap().unwrap().status, 404);
    process.end().exited_with(0).logged(&["  unmatched #~ running"]);
}

#[test]
fn the_request_that_reaches_the_limit_is_served_and_ends_the_process() {
    own_process!();
    let mut process = start(&[], &["--serve limited-to-3"]);
    let address = process.address("serving ");
    for _ in 0..3 {
        get(address, "/quick").expect(200);
    }
    let end = process.end();
    end.exited_with(0)
        .logged(&["Shutting down (request limit of 3 reached)", "All background tasks completed in"]);
}

#[test]
fn the_limit_holds_whatever_the_concurrency() {
    own_process!();
    let mut process = start(&[], &["--serve limited-to-3"]);
    let address = process.address("serving ");
    let clients: Vec<_> = (0..40).map(|_| get_meanwhile(address, "/slow/300")).collect();
    let answers: Vec<_> = clients.into_iter().filter_map(|client| client.join().unwrap()).collect();
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(served, 3);
    let refused = answers.iter().filter(|answer| answer.status == 503);
    for answer in refused {
        assert_eq!(answer.header("connection"), Some("close"));
    }
    process.end().exited_with(0);
}

#[test]
fn beyond_the_limit_requests_are_served_while_it_is_announced() {
    own_process!();
    let mut process = start(&[("ANNOUNCE_DELAY", "30s")], &["--serve limited-to-3"]);
    let address = process.address("serving ");
    for _ in 0..10 {
        get(address, "/quick").expect(200);
    }
    process.wait_for("Announcing for 30s");
    // It has shown what it does.
    process.signal(SIGINT);
    process
        .end()
        .exited_with(130)
        .logged(&["Shutting down (request limit of 3 reached)", "Announcing for 30s"]);
}
