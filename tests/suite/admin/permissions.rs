//! Which actions are permitted, and how the server refuses the rest.

use std::net::SocketAddr;

use headcount::Headcount;
use headcount::settings::Action;

use crate::support::http::{get, send};
use crate::support::lines::Lines;

#[tokio::test]
async fn only_the_actions_on_the_list_are_permitted() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .allow_actions(Action::Cancel)
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    let instance = get(admin, "/readyz").header("headcount-instance").unwrap().to_owned();
    let summary = get(admin, "/api/v1/summary").json();
    assert_eq!(summary["permissions"], serde_json::json!(["cancel"]));
    assert_eq!(summary["actions"], false);

    let victim = headcount::task("victim").spawn(std::future::pending::<()>());
    let page = get(admin, "/api/v1/tasks?name=victim").json();
    let path = format!("/api/v1/tasks/{}/cancel", page["items"][0]["id"]);
    let quoted = format!("\"{instance}\"");
    let if_match = |tag: &str| send(admin, "POST", &path, &[("If-Match", tag)], "");
    if_match(&format!("W/{quoted}")).expect_problem(412, "If-Match");
    if_match("*").expect_problem(412, "If-Match");
    if_match(&format!("\"0123\", {quoted}")).expect(202);
    assert!(victim.await.unwrap_err().is_cancelled());

    for path in ["/api/v1/shutdown", "/api/v1/shutdown/force", "/api/v1/shutdown/extend"] {
        let refused = send(admin, "POST", path, &[("If-Match", &instance)], "");
        refused.expect_problem(405, "HEADCOUNT_ALLOW_ACTIONS=shutdown");
    }
    // No action at all: neither a precondition nor a line of the log.
    lines.take();
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
        for path in ["/api/v1/summary", "/api/v1/tasks", "/api/v1/tasks/1", "/metrics", "/", "/livez"] {
            let refused = send(admin, method, path, &[], "");
            assert_eq!(refused.status, 405, "{method} {path}");
            assert!(refused.header("allow").is_some_and(|allowed| allowed.contains("GET")), "{path}");
        }
    }
    assert_eq!(send(admin, "DELETE", "/api/v1/shutdown", &[], "").status, 405);
    assert_eq!(send(admin, "POST", "/api/v1/nothing", &[], "").status, 404);
    let said = lines.take();
    // That of the action above may come late.
    let requested = said.iter().filter(|line| line.contains("Action requested") && !line.contains("/cancel"));
    assert_eq!(requested.count(), 0, "{said:?}");
}

#[test]
fn a_refusal_names_the_setting_that_permits() {
    own_process!();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .allow_actions(true)
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    let proxied = || send(admin, "GET", "/api/v1/summary", &[("Host", "shop.example")], "");
    proxied().expect_problem(421, "HEADCOUNT_ALLOWED_HOSTS");
    assert!(proxied().text().contains("shop.example"), "{}", proxied().text());
    let page = send(admin, "POST", "/api/v1/shutdown", &[("Origin", "http://shop.example")], "");
    page.expect_problem(403, "HEADCOUNT_ALLOWED_HOSTS");
}
