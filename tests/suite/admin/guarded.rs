//! With a token and actions allowed: who may act, and what then happens.

use std::net::SocketAddr;

use crate::support::http::{get, send};
use headcount::Headcount;

const TOKEN: (&str, &str) = ("Authorization", "Bearer swordfish");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_must_pass_every_guard() {
    own_process!();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("token");
    std::fs::write(&file, "  swordfish\n").unwrap();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .allow_actions(true)
        .token_file(file)
        .allowed_hosts(["admin.shop.example"])
        .public_metrics(true)
        .ready(false)
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    reading(admin);
    send(admin, "GET", "/readyz", &[("Host", "anything")], "").expect_problem(503, "not ready");
    hc.set_ready();
    get(admin, "/readyz").expect(200);

    let instance = get(admin, "/livez").headers["headcount-instance"].clone();
    let task = headcount::task("victim").spawn(std::future::pending::<()>());
    let stubborn = headcount::task("stubborn").track(std::future::pending::<()>());
    let stubborn = tokio::spawn(stubborn);
    refused(admin, &instance);
    cancelled(admin, &instance, task).await;
    not_cancellable(admin, &instance);
    stubborn.abort();
}

fn reading(admin: SocketAddr) {
    get(admin, "/api/v1/summary").expect_problem(401, "X-Headcount-Token");
    let wrong = [("Authorization", "Bearer swordfisH")];
    send(admin, "GET", "/api/v1/summary", &wrong, "").expect_problem(401, "Bearer");
    send(admin, "GET", "/api/v1/events", &[("X-Headcount-Token", "sword")], "").expect_problem(401, "Bearer");
    send(admin, "GET", "/api/v1/summary", &[("Authorization", "Basic x")], "").expect_problem(401, "Bearer");
    send(admin, "GET", "/api/v1/summary", &[TOKEN], "").expect(200);
    send(admin, "GET", "/api/v1/summary", &[("X-Headcount-Token", "swordfish")], "").expect(200);
    send(admin, "GET", "/api/v1/summary", &[TOKEN, ("Host", "admin.shop.example:80")], "").expect(200);
    send(admin, "GET", "/api/v1/summary", &[TOKEN, ("Host", "shop.example")], "").expect_problem(421, "Host");
    get(admin, "/metrics").expect(200);
    get(admin, "/").expect(200);
    get(admin, "/livez").expect(200);
}

/// Each guard alone, in the order in which they are checked: what is wrong later must not show earlier.
fn refused(admin: SocketAddr, instance: &str) {
    let post = |headers: &[(&str, &str)]| send(admin, "POST", "/api/v1/tasks/1/cancel", headers, "");
    let evil = [("Origin", "http://evil.example"), ("If-Match", "stale")];
    post(&[&evil[..], &[("Host", "evil.example")]].concat()).expect_problem(421, "Host");
    post(&evil).expect_problem(401, "Bearer");
    post(&[&evil[..], &[TOKEN]].concat()).expect_problem(403, "own page");
    post(&[TOKEN, ("Origin", "null"), ("If-Match", instance)]).expect_problem(403, "own page");
    let cross =
        [TOKEN, ("Sec-Fetch-Site", "cross-site"), ("Origin", "http://localhost"), ("If-Match", instance)];
    post(&cross).expect_problem(403, "own page");
    post(&[TOKEN, ("Sec-Fetch-Site", "same-site"), ("If-Match", instance)]).expect_problem(403, "own page");
    post(&[TOKEN, ("Sec-Fetch-Site", "same-origin")]).expect_problem(412, "If-Match");
    post(&[TOKEN, ("If-Match", "\"0123456789abcdef\"")]).expect_problem(412, "another process");
    post(&[TOKEN, ("If-Match", "*")]).expect_problem(412, "If-Match");
}

async fn cancelled(admin: SocketAddr, instance: &str, task: tokio::task::JoinHandle<()>) {
    let page = send(admin, "GET", "/api/v1/tasks?name=victim", &[TOKEN], "").expect(200).json();
    let path = format!("/api/v1/tasks/{}/cancel", page["items"][0]["id"]);
    let headers = [TOKEN, ("Origin", "http://127.0.0.1:1"), ("If-Match", instance)];
    send(admin, "POST", &path, &headers, "").expect(202);
    assert!(task.await.unwrap_err().is_cancelled());
    send(admin, "POST", &path, &headers, "").expect_problem(404, "no task");
}

fn not_cancellable(admin: SocketAddr, instance: &str) {
    let page = send(admin, "GET", "/api/v1/tasks?name=stubborn", &[TOKEN], "").expect(200).json();
    assert_eq!(page["items"][0]["cancellable"], false);
    let path = format!("/api/v1/tasks/{}/cancel", page["items"][0]["id"]);
    send(admin, "POST", &path, &[TOKEN, ("If-Match", instance)], "")
        .expect_problem(409, "cannot be cancelled");
}
