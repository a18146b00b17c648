//! With a token and no other setting: what it opens, on the own server and on a mounted router.

use std::net::SocketAddr;

use crate::support::http::{get, send};
use axum::Router;
use headcount::Headcount;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_need_the_token_as_everything_does_that_tells_something() {
    own_process!();
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let hc = Headcount::builder().admin(local).token("swordfish").install().unwrap();
    let listener = TcpListener::bind(local).await.unwrap();
    let mounted = listener.local_addr().unwrap();
    let app = Router::new().nest_service("/ops", hc.router());
    tokio::spawn(async move { axum::serve(listener, app).await });

    for (server, prefix) in [(hc.admin_addr().unwrap(), ""), (mounted, "/ops")] {
        for told in ["/metrics", "/api/v1/summary", "/api/v1/tasks", "/api/v1/openapi.json"] {
            let path = format!("{prefix}{told}");
            get(server, &path).expect_problem(401, "X-Headcount-Token");
            send(server, "HEAD", &path, &[], "").expect(401);
            for shown in [("Authorization", "Bearer swordfish"), ("X-Headcount-Token", "swordfish")] {
                send(server, "GET", &path, &[shown], "").expect(200);
            }
            send(server, "GET", &path, &[("X-Headcount-Token", "")], "").expect_problem(401, "Bearer");
        }
        for open in ["/", "/livez", "/readyz"] {
            get(server, &format!("{prefix}{open}")).expect(200);
        }
    }
}
