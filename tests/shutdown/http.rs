//! The admin server of a process under test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::process::Process;

pub(crate) const LINGERING: [(&str, &str); 2] = [("ADMIN", "127.0.0.1:0"), ("LINGER", "auto")];

pub(crate) fn admin(process: &mut Process) -> String {
    process.wait_for("admin ").split_once(' ').unwrap().1.to_owned()
}

fn request(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) fn get(address: &str, path: &str) -> String {
    request(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

/// Gives status and body.
pub(crate) fn post(address: &str, path: &str, body: &str) -> (u16, String) {
    let answer = get(address, "/readyz");
    let instance = answer.lines().find_map(|line| line.strip_prefix("headcount-instance: ")).unwrap();
    let length = body.len();
    let answer = request(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nIf-Match: {instance}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ),
    );
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
