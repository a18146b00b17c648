//! The dashboard as the admin server gives it: one page and its files, embedded.

#![cfg(feature = "admin")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use headcount::Headcount;

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n")
        .expect("it takes requests");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).expect("a head of text");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

/// The files that the page asks for.
fn references(page: &str) -> Vec<&str> {
    page.split('"').filter_map(|part| part.strip_prefix("./assets/")).collect()
}

/// The files that a script asks for when it needs them.
fn parts(script: &str) -> Vec<&str> {
    let quoted = script.split(['"', '\'', '`']).filter_map(|part| part.strip_prefix("./"));
    quoted.filter(|part| is_script(part)).collect()
}

fn is_script(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, kind)| kind == "js")
}

#[test]
fn the_page_and_its_files_are_served_tagged_compressed_and_kept() {
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let address = hc.admin_addr().unwrap();

    let page = get(address, "/?view=tasks", "");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert_eq!(page.header("content-encoding"), None);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert!(!html.contains("src=\"/") && !html.contains("href=\"/"), "only relative addresses: {html}");

    let known = page.header("etag").unwrap();
    assert_eq!(get(address, "/", &format!("If-None-Match: \"x\", W/{known}\r\n")).status, 304);
    assert_eq!(get(address, "/", "If-None-Match: \"x\"\r\n").status, 200);

    let mut files = references(&html);
    assert_eq!(files.len(), 3, "an icon, a script and a style: {html}");
    let script = files.iter().find(|file| is_script(file)).unwrap();
    let script = String::from_utf8(get(address, &format!("/assets/{script}"), "").body).unwrap();
    files.extend(parts(&script));
    assert_eq!(files.len(), 4, "and the charts, once there is something to draw");
    let mut compressed_in_all = 0;
    for file in files {
        let path = format!("/assets/{file}");
        let plain = get(address, &path, "Accept-Encoding: br, gzip;q=0\r\n");
        let compressed = get(address, &path, "Accept-Encoding: deflate, gzip, br\r\n");
        assert_eq!((plain.status, compressed.status), (200, 200));
        assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(compressed.header("content-encoding"), Some("gzip"));
        assert!(compressed.body.starts_with(&[0x1f, 0x8b]) && compressed.body.len() < plain.body.len());
        assert_ne!(plain.header("etag"), compressed.header("etag"));
        compressed_in_all += compressed.body.len();
    }
    assert!(compressed_in_all <= 80 * 1024, "{compressed_in_all} bytes");

    for path in ["/assets/nothing.js", "/assets/..%2fCargo.toml", "/assets/index.js.gz", "/index.html.gz"] {
        assert_eq!(get(address, path, "").status, 404, "{path}");
    }
}
