//! The dashboard as the admin server gives it: one page and its files, embedded.

use std::net::SocketAddr;

use headcount::Headcount;

use crate::support::http::{Answer, get, send};

/// A request with one more header.
fn get_with(address: SocketAddr, path: &str, name: &str, value: &str) -> Answer {
    send(address, "GET", path, &[(name, value)], "")
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
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let address = hc.admin_addr().unwrap();

    let page = get(address, "/?view=tasks");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert_eq!(page.header("content-encoding"), None);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert!(!html.contains("src=\"/") && !html.contains("href=\"/"), "only relative addresses: {html}");

    let known = page.header("etag").unwrap();
    assert_eq!(get_with(address, "/", "If-None-Match", &format!("\"x\", W/{known}")).status, 304);
    assert_eq!(get_with(address, "/", "If-None-Match", "\"x\"").status, 200);

    let mut files = references(&html);
    assert_eq!(files.len(), 3, "an icon, a script and a style: {html}");
    let script = files.iter().find(|file| is_script(file)).unwrap();
    let script = String::from_utf8(get(address, &format!("/assets/{script}")).body).unwrap();
    files.extend(parts(&script));
    assert_eq!(files.len(), 4, "and the charts, once there is something to draw");
    let mut compressed_in_all = 0;
    for file in files {
        let path = format!("/assets/{file}");
        let plain = get_with(address, &path, "Accept-Encoding", "br, gzip;q=0");
        let compressed = get_with(address, &path, "Accept-Encoding", "deflate, gzip, br");
        assert_eq!((plain.status, compressed.status), (200, 200));
        assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(compressed.header("content-encoding"), Some("gzip"));
        assert!(compressed.body.starts_with(&[0x1f, 0x8b]) && compressed.body.len() < plain.body.len());
        assert_ne!(plain.header("etag"), compressed.header("etag"));
        compressed_in_all += compressed.body.len();
    }
    assert!(compressed_in_all <= 90 * 1024, "{compressed_in_all} bytes");

    for path in ["/assets/nothing.js", "/assets/..%2fCargo.toml", "/assets/index.js.gz", "/index.html.gz"] {
        assert_eq!(get(address, path).status, 404, "{path}");
    }
}
