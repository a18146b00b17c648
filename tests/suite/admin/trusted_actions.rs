//! Where the application checks who may use the routes, and lets them act: all other guards stay.

use std::net::SocketAddr;

use crate::support::http::{get, send};
use axum::Router;
use headcount::Headcount;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_on_a_mounted_router_passes_every_other_guard() {
    own_process!();
    let hc = Headcount::builder()
        .admin(None)
        .trust_outer_auth(true)
        .allow_actions(true)
        .allowed_hosts(["shop.example"])
        .install()
        .unwrap();
    let app = Router::new().nest("/nested", hc.router()).nest_service("/ops", hc.router());
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    for prefix in ["/nested", "/ops"] {
        let victim = headcount::task("victim").spawn(std::future::pending::<()>());
        let page = get(address, &format!("{prefix}/api/v1/tasks?name=victim")).expect(200).json();
        let path = format!("{prefix}/api/v1/tasks/{}/cancel", page["items"][0]["id"]);
        refused(address, prefix, &path);
        assert!(!victim.is_finished());
        cancelled(address, prefix, &path, victim).await;
    }
}

/// Each guard alone: whatever else is wrong is right here.
fn refused(address: SocketAddr, prefix: &str, path: &str) {
    let instance = instance(address, prefix);
    let post = |headers: &[(&str, &str)]| send(address, "POST", path, headers, "");
    let right = ("If-Match", &*instance);
    post(&[right, ("Host", "evil.example")]).expect_problem(421, "Host");
    post(&[right, ("Origin", "http://evil.example")]).expect_problem(403, "own page");
    post(&[right, ("Origin", "null")]).expect_problem(403, "own page");
    for site in ["cross-site", "same-site"] {
        let headers = [right, ("Sec-Fetch-Site", site), ("Origin", "http://shop.example")];
        post(&headers).expect_problem(403, "own page");
    }
    post(&[]).expect_problem(412, "If-Match");
    post(&[("If-Match", "\"0123456789abcdef\"")]).expect_problem(412, "another process");
    send(address, "GET", path, &[right], "").expect_problem(405, "GET");
}

async fn cancelled(address: SocketAddr, prefix: &str, path: &str, victim: tokio::task::JoinHandle<()>) {
    let instance = instance(address, prefix);
    let headers = [
        ("If-Match", &*instance),
        ("Host", "shop.example"),
        ("Origin", "https://shop.example"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    send(address, "POST", path, &headers, "").expect(202);
    assert!(victim.await.unwrap_err().is_cancelled());
    send(address, "POST", path, &headers, "").expect_problem(404, "no task");
}

fn instance(address: SocketAddr, prefix: &str) -> String {
    get(address, &format!("{prefix}/livez")).headers["headcount-instance"].clone()
}
