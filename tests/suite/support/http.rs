//! A client of HTTP/1.1 that sends what it is told, also what no real client would, and shows an answer that
//! breaks off.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::wait::until;

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(120);

/// An answer, read until the server closed the connection.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its head or its last chunk says.
    pub(crate) is_whole: bool,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:#?}\n{text}\n", self.status, self.headers)?;
        f.write_str(if self.is_whole { "" } else { "(and breaks off)" })
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|problem| panic!("{problem}: {self:#?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// A refusal: a problem with this status that speaks of this.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, about: &str) {
        let answer = self.expect(status);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert!(answer.headers["content-security-policy"].contains("default-src 'none'"));
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(about), "{detail} does not speak of {about}");
    }
}

#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, &[], "")
}

/// Waits until the application answers: a busy machine may keep it silent for a while.
#[track_caller]
pub(crate) fn until_it_answers(admin: SocketAddr) {
    until(|| {
        let answer = get(admin, "/livez");
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    });
}

/// Sends a request on a connection of its own and reads the answer to the end.
#[track_caller]
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    try_send(address, method, path, headers, body).unwrap()
}

/// An action of the admin server, with the instance that it must name.
#[track_caller]
pub(crate) fn act(admin: SocketAddr, path: &str, body: &str) -> Answer {
    let instance = get(admin, "/livez").headers["headcount-instance"].clone();
    send(admin, "POST", path, &[("If-Match", &instance), ("Content-Type", "application/json")], body)
}

/// As [`send`]; an error if there is no answer at all.
pub(crate) fn try_send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let mut stream = open(address, method, path, &[headers, &[("Connection", "close")]].concat(), body)?;
    let mut answer = Vec::new();
    // A body that is cut may end in an error; what came before it counts.
    match stream.read_to_end(&mut answer) {
        Err(problem) if answer.is_empty() => return Err(problem),
        _ => {}
    }
    parse(&answer)
        .ok_or_else(|| io::Error::other(format!("no answer: {:?}", String::from_utf8_lossy(&answer))))
}

/// Sends a request and gives the connection, from which the answer can be read as it comes.
pub(crate) fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<BufReader<TcpStream>> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    request(address, &format!("{head}\r\n{body}"))
}

/// The lines of the events, behind the head of the answer; `None` if that is a refusal.
pub(crate) fn events(address: SocketAddr, path: &str) -> Option<impl Iterator<Item = String>> {
    // HTTP/1.0 has no chunks between the lines.
    let stream = request(address, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")).unwrap();
    let mut lines = stream.lines().map(Result::unwrap);
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    head[0].contains(" 200 ").then(|| {
        assert!(head.contains(&"x-accel-buffering: no".to_owned()), "{head:?}");
        lines
    })
}

fn request(address: SocketAddr, text: &str) -> io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(text.as_bytes())?;
    // A small buffer: what is not asked for stays with the server.
    Ok(BufReader::with_capacity(64, stream))
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let rest = &answer[end + 4..];
    let (body, is_whole) = if headers.get("transfer-encoding").is_some_and(|encoding| encoding == "chunked") {
        unchunked(rest)
    } else {
        let length = headers.get("content-length").and_then(|length| length.parse().ok());
        (rest.to_vec(), length.is_none_or(|length: usize| length == rest.len()))
    };
    Some(Answer { status, headers, body, is_whole })
}

/// A body put together of its chunks, and whether the last one came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let chunk = &rest[end + 2..];
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
