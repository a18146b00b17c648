//! Requests: tracked, cut, and limited.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

use nix::sys::signal::Signal::SIGTERM;

use crate::process::{Process, start};

/// What a client got: its status, and all it could read until the connection ended.
struct Answer {
    status: u16,
    text: String,
}

fn address(process: &mut Process) -> String {
    process.wait_for("serving ").split_once(' ').unwrap().1.to_owned()
}

fn get(address: &str, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut bytes = Vec::new();
    // A body that is cut may end in an error; what came before it counts.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, text })
}

fn get_meanwhile(address: &str, path: &'static str) -> JoinHandle<Option<Answer>> {
    let address = address.to_owned();
    thread::spawn(move || get(&address, path))
}

pub(crate) fn a_slow_request_is_named_and_waited_for() {
    let mut process = start(&[], &["--serve tracked", "wait send-email 900"]);
    let address = address(&mut process);
    let client = get_meanwhile(&address, "/slow/800");
    process.wait_for("asked /slow/800");
    process.signal(SIGTERM);
    let answer = client.join().unwrap().unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text.ends_with("slow"), "{}", answer.text);
    process.end().exited_with(0).logged(&[
        "Waiting for connections to close. (CTRL+C to force quit) pending=1 deadline=25s",
        "Waiting for background tasks to complete. (CTRL+C to force quit) pending=1 deadline=25s",
        "  /slow/{ms} #~ running",
        "  /slow/{ms} #~ completed after",
        "All background tasks completed in ~s (2 completed)",
    ]);
}

pub(crate) fn a_request_lasts_until_its_body_ends() {
    let mut process = start(&[], &["--serve tracked"]);
    let address = address(&mut process);
    let client = get_meanwhile(&address, "/stream/900");
    process.wait_for("streaming");
    process.signal(SIGTERM);
    assert!(client.join().unwrap().unwrap().text.contains("the end"));
    process.end().exited_with(0).logged(&["  /stream/{ms} #~ completed after ~"]);
}

pub(crate) fn a_slow_request_without_the_layer_is_not_cut_short() {
    let mut process = start(&[], &["--serve plain"]);
    let address = address(&mut process);
    let client = get_meanwhile(&address, "/slow/2500");
    process.wait_for("asked /slow/2500");
    process.signal(SIGTERM);
    assert!(client.join().unwrap().unwrap().text.ends_with("slow"));
    process
        .end()
        .exited_with(0)
        .logged(&["Waiting for the application", "All background tasks completed in"]);
}

pub(crate) fn at_the_deadline_requests_are_cut_so_that_the_server_returns() {
    let settings = [("DRAIN_TIMEOUT", "600ms"), ("EXIT_AFTER", "30s")];
    let mut process = start(&settings, &["--serve tracked"]);
    let address = address(&mut process);
    let stream = get_meanwhile(&address, "/stream/600000");
    let silent = get_meanwhile(&address, "/slow/600000");
    process.wait_for("streaming");
    process.wait_for("asked /slow/600000");
    process.signal(SIGTERM);
    let stream = stream.join().unwrap().unwrap();
    assert!(!stream.text.contains("the end") && !stream.text.ends_with("0\r\n\r\n"), "{}", stream.text);
    let silent = silent.join().unwrap().unwrap();
    assert_eq!(silent.status, 503);
    assert!(silent.text.contains("connection: close"), "{}", silent.text);
    let end = process.end();
    end.exited_with(124).never_logged("Exiting").logged(&["Deadline of 600ms reached: aborting 2 tasks"]);
    assert!(
        end.log().iter().any(|line| line.contains("a request is not ours to abort, its response is cut"))
    );
}

pub(crate) fn a_request_without_a_route_is_unmatched() {
    let mut process = start(&[], &["--serve tracked"]);
    let address = address(&mut process);
    let client = get_meanwhile(&address, "/nowhere");
    process.wait_for("asked /nowhere");
    process.signal(SIGTERM);
    assert_eq!(client.join().unwrap().unwrap().status, 404);
    process.end().exited_with(0).logged(&["  unmatched #~ running"]);
}

pub(crate) fn the_request_that_reaches_the_limit_is_served_and_ends_the_process() {
    let mut process = start(&[], &["--serve limited-to-3"]);
    let address = address(&mut process);
    for _ in 0..3 {
        assert_eq!(get(&address, "/slow/1").unwrap().status, 200);
    }
    let end = process.end();
    end.exited_with(0)
        .logged(&["Shutting down (request limit of 3 reached)", "All background tasks completed in"]);
}

pub(crate) fn the_limit_holds_whatever_the_concurrency() {
    let mut process = start(&[], &["--serve limited-to-3"]);
    let address = address(&mut process);
    let clients: Vec<_> = (0..40).map(|_| get_meanwhile(&address, "/slow/300")).collect();
    let answers: Vec<_> = clients.into_iter().filter_map(|client| client.join().unwrap()).collect();
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(served, 3);
    let refused = answers.iter().filter(|answer| answer.status == 503);
    for answer in refused {
        assert!(answer.text.contains("connection: close"), "{}", answer.text);
    }
    process.end().exited_with(0);
}

pub(crate) fn beyond_the_limit_requests_are_served_while_it_is_announced() {
    let mut process = start(&[("ANNOUNCE_DELAY", "1500ms")], &["--serve limited-to-3"]);
    let address = address(&mut process);
    for _ in 0..10 {
        assert_eq!(get(&address, "/slow/1").unwrap().status, 200);
    }
    process
        .end()
        .exited_with(0)
        .logged(&["Shutting down (request limit of 3 reached)", "Announcing for 1s 500ms"]);
}
