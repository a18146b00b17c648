//! What tests of the admin server share: a client that sends what it is told, and a reader of Prometheus' text.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, clippy::format_push_string)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|problem| panic!("{problem}: {}", self.body))
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

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, &[], "")
}

/// Sends a request on a connection of its own and reads the answer to the end.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(head(address, method, path, headers, body.len()).as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    parse(&String::from_utf8(answer).unwrap())
}

fn head(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

pub(crate) fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    };
    let headers: BTreeMap<String, String> = lines.map(header).collect();
    let chunked = headers.get("transfer-encoding").is_some_and(|encoding| encoding == "chunked");
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    Answer { status, headers, body }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole += &rest[..size];
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// Samples of a text, by name and labels.
pub(crate) type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Reads Prometheus' text strictly: a line it does not understand, a sample without a type and one that is there
/// twice fail the test.
pub(crate) fn samples(text: &str) -> Samples {
    let mut samples = Samples::new();
    let mut types = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            if let Some((name, kind)) = comment.strip_prefix("TYPE ").and_then(|rest| rest.split_once(' ')) {
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is there twice");
            }
            continue;
        }
        let (name, labels, value) = sample(line).unwrap_or_else(|| panic!("not a sample: {line}"));
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert!(types.contains_key(&name) || family.is_some_and(|it| types.contains_key(it)), "{line}");
        assert!(samples.insert((name, labels), value).is_none(), "twice: {line}");
    }
    samples
}

fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ')?;
        return Some((name.to_owned(), BTreeMap::new(), value.parse().ok()?));
    };
    let mut labels = BTreeMap::new();
    let mut characters = rest.chars();
    loop {
        let key: String = characters.by_ref().take_while(|c| *c != '=').collect();
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{key:?} in {line}");
        assert_eq!(characters.next()?, '"');
        assert!(labels.insert(key, quoted(&mut characters)?).is_none(), "a label twice: {line}");
        match characters.next()? {
            ',' => {}
            '}' => break,
            _ => return None,
        }
    }
    Some((name.to_owned(), labels, characters.as_str().trim().parse().ok()?))
}

fn quoted(characters: &mut std::str::Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => match characters.next()? {
                'n' => text.push('\n'),
                escaped @ ('"' | '\\') => text.push(escaped),
                _ => return None,
            },
            plain => text.push(plain),
        }
    }
}

/// The value of the sample with this name and at least these labels; there must be one.
#[track_caller]
pub(crate) fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let mut found = matching(samples, name, labels);
    let value = found.next().unwrap_or_else(|| panic!("no {name} {labels:?}"));
    assert_eq!(found.count(), 0, "more than one {name} {labels:?}");
    value
}

/// The sum of all samples with this name and at least these labels.
pub(crate) fn sum(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    matching(samples, name, labels).sum()
}

fn matching<'a>(
    samples: &'a Samples,
    name: &'a str,
    labels: &'a [(&str, &str)],
) -> impl Iterator<Item = f64> + 'a {
    let fits = move |own: &BTreeMap<String, String>| {
        labels.iter().all(|(key, value)| own.get(*key).is_some_and(|own| own == value))
    };
    samples.iter().filter(move |((other, own), _)| other == name && fits(own)).map(|(_, value)| *value)
}
