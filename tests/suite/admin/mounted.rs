//! The routes under a prefix of the application's own server: they keep their guards.

use std::net::SocketAddr;

use crate::support::http::{get, send};
use axum::Router;
use headcount::Headcount;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_only_health_is_open() {
    own_process!();
    let hc = Headcount::builder().admin(None).install().unwrap();
    let app = Router::new().nest_service("/ops/headcount", hc.router());
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    get(address, "/ops/headcount/livez").expect(200);
    get(address, "/ops/headcount/readyz").expect(200);
    for path in ["", "/", "/metrics", "/api/v1/summary", "/api/v1/events"] {
        get(address, &format!("/ops/headcount{path}")).expect_problem(403, "trust_outer_auth");
    }
    let stranger = [("Host", "evil.example")];
    send(address, "GET", "/ops/headcount/metrics", &stranger, "").expect_problem(421, "Host");
    get(address, "/livez").expect(404);
}
