//! The routes under a prefix, where the application checks who may use them.

use std::net::SocketAddr;

use crate::support::http::get;
use axum::Router;
use headcount::Headcount;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relative_links_work_under_any_prefix() {
    own_process!();
    let hc = Headcount::builder().admin(None).trust_outer_auth(true).install().unwrap();
    let app =
        Router::new().nest("/nested/headcount", hc.router()).nest_service("/ops/headcount", hc.router());
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    for prefix in ["/nested/headcount", "/ops/headcount"] {
        let moved = get(address, &format!("{prefix}?view=tasks")).expect(308);
        assert_eq!(moved.headers["location"], "headcount/index.html?view=tasks");
        page(address, &format!("{prefix}/index.html"));
        get(address, &format!("{prefix}/metrics")).expect(200);
        get(address, &format!("{prefix}/api/v1/summary")).expect(200);
        get(address, &format!("{prefix}/nothing")).expect_problem(404, "nothing");
    }
    page(address, "/ops/headcount/");
    // A nested router has no such route, as the guide says.
    get(address, "/nested/headcount/").expect(404);
}

/// A page that names nothing from the root.
fn page(address: SocketAddr, path: &str) {
    let page = get(address, path).expect(200);
    assert!(page.headers["content-type"].starts_with("text/html"));
    for absolute in ["href=\"/", "href=/", "src=\"/", "src=/"] {
        assert!(!page.text().contains(absolute), "{absolute} at {path}");
    }
}
