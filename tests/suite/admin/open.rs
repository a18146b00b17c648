//! The admin server as it is without any setting: open to this machine, and read-only.

use std::net::SocketAddr;

use crate::support::http::{self, get, send};
use crate::support::wait::until_yielding;
use headcount::Headcount;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_local_client_may_read_and_none_may_act() {
    own_process!();
    let hc = Headcount::builder()
        .service("shop")
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .sse_clients(2)
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    let parent = headcount::task("parent").label("region", "eu").field("order", 42).spawn(async {
        headcount::task("child").spawn(std::future::pending::<()>());
        headcount::current().unwrap().set_status("waiting");
        headcount::current().unwrap().set_progress(3, 10);
        std::future::pending::<()>().await;
    });
    headcount::task("failing")
        .spawn_fallible(async { Err::<(), _>("out of paper") })
        .await
        .unwrap()
        .unwrap_err();
    // Both have been polled, and the third has ended.
    until_yielding(|| {
        let snapshot = headcount::snapshot();
        let failed: u64 = snapshot.groups.iter().map(|group| group.finished.error).sum();
        let counts = (snapshot.spawned, snapshot.states.idle, failed);
        if counts == (3, 2, 1) { Ok(()) } else { Err(counts) }
    })
    .await;

    summary(admin);
    tasks(admin);
    pages(admin);
    detail(admin);
    finished(admin);
    refusals(admin);
    head_and_index(admin);
    events(admin);
    openapi(admin);
    parent.abort();
}

fn summary(admin: SocketAddr) {
    let answer = get(admin, "/api/v1/summary").expect(200);
    assert!(answer.headers["content-security-policy"].contains("default-src 'none'"));
    let summary = answer.json();
    assert_eq!(summary["service"], "shop");
    assert_eq!(summary["instance"], answer.headers["headcount-instance"]);
    assert_eq!((&summary["stage"], &summary["shutdown"]), (&Value::from("running"), &Value::Null));
    assert_eq!((&summary["live"], &summary["spawned"]), (&Value::from(2), &Value::from(3)));
    assert_eq!(summary["finished"]["error"], 1);
    assert!(summary["untracked"].is_u64());
    assert_eq!(summary["actions"], false);
    assert_eq!(summary["groups"].as_array().unwrap().len(), 3);
    assert!(!summary["lifetime"]["sentences"].as_array().unwrap().is_empty());
}

fn tasks(admin: SocketAddr) {
    let page = get(admin, "/api/v1/tasks?name=parent").expect(200).json();
    assert_eq!((&page["total"], &page["next"]), (&Value::from(1), &Value::Null));
    let task = &page["items"][0];
    assert_eq!((&task["kind"], &task["state"]), (&Value::from("task"), &Value::from("idle")));
    assert_eq!(task["labels"]["region"], "eu");
    assert_eq!(task["fields"]["order"], "42");
    assert_eq!(task["status"], "waiting");
    assert_eq!(task["progress"], serde_json::json!({ "done": 3, "total": 10 }));
    assert_eq!(task["cancellable"], true);
    assert!(task["location"].as_str().unwrap().starts_with("tests/suite/admin/open.rs:"));
    let found =
        |query: &str| get(admin, &format!("/api/v1/tasks?{query}")).expect(200).json()["total"].clone();
    assert_eq!(found("q=WAITING"), 1);
    assert_eq!(found("kind=blocking"), 0);
    assert_eq!(found("state=idle&sort=name&order=desc"), 2);
}

/// Each task once, over pages of one.
fn pages(admin: SocketAddr) {
    let mut names = Vec::new();
    let mut path = "/api/v1/tasks?limit=1&sort=name".to_owned();
    loop {
        let page = get(admin, &path).expect(200).json();
        assert_eq!(page["total"], 2);
        names.push(page["items"][0]["name"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/tasks?limit=1&sort=name&cursor={next}");
    }
    assert_eq!(names, ["child", "parent"]);
}

fn detail(admin: SocketAddr) {
    let id_of = |name: &str| {
        let page = get(admin, &format!("/api/v1/tasks?name={name}")).json();
        page["items"][0]["id"].as_u64().unwrap()
    };
    let (parent, child) = (id_of("parent"), id_of("child"));
    let task = get(admin, &format!("/api/v1/tasks/{parent}")).expect(200).json();
    assert_eq!((&task["outcome"], &task["children_total"]), (&Value::Null, &Value::from(1)));
    assert_eq!(task["children"][0]["id"], child);
    assert_eq!(task["status_history"][0]["status"], "waiting");
    let task = get(admin, &format!("/api/v1/tasks/{child}")).expect(200).json();
    assert_eq!(
        (&task["parent"], &task["ancestors"][0]["name"]),
        (&Value::from(parent), &Value::from("parent"))
    );
}

fn finished(admin: SocketAddr) {
    let page = get(admin, "/api/v1/finished?outcome=error").expect(200).json();
    let task = &page["items"][0];
    assert_eq!((&page["total"], &task["name"]), (&Value::from(1), &Value::from("failing")));
    assert_eq!((&task["outcome"], &task["message"]), (&Value::from("error"), &Value::from("out of paper")));
    assert!(0.0 < task["duration_seconds"].as_f64().unwrap());
    let detail = get(admin, &format!("/api/v1/tasks/{}", task["id"])).expect(200).json();
    assert_eq!(detail["outcome"], "error");
    assert_eq!(get(admin, "/api/v1/finished?outcome=panic").json()["total"], 0);
}

fn refusals(admin: SocketAddr) {
    get(admin, "/api/v1/nothing").expect_problem(404, "/api/v1/nothing");
    get(admin, "/api/v1/tasks/4711").expect_problem(404, "4711");
    get(admin, "/api/v1/tasks/first").expect_problem(400, "first");
    get(admin, "/api/v1/tasks?kind=thread").expect_problem(400, "task, local, blocking");
    get(admin, "/api/v1/tasks?limit=501").expect_problem(400, "1 to 500");
    get(admin, "/api/v1/tasks?cursor=never").expect_problem(400, "cursor");
    send(admin, "POST", "/api/v1/shutdown", &[], "").expect_problem(405, "allow_actions");
    send(admin, "POST", "/api/v1/tasks/1/cancel", &[], "").expect_problem(405, "allow_actions");
    send(admin, "POST", "/metrics", &[], "").expect_problem(405, "POST");
    get(admin, "/metrics").expect(200);
    for stranger in ["evil.example", "evil.example:7717", "localhost.evil.example", ""] {
        let host = [("Host", stranger)];
        send(admin, "GET", "/api/v1/summary", &host, "").expect_problem(421, "allowed_hosts");
        send(admin, "GET", "/livez", &host, "").expect(200);
    }
    for known in ["10.1.2.3:7717", "localhost:1234", "LocalHost", "[::1]:7717", "127.0.0.1"] {
        send(admin, "GET", "/api/v1/summary", &[("Host", known)], "").expect(200);
    }
}

fn head_and_index(admin: SocketAddr) {
    let answer = send(admin, "HEAD", "/metrics", &[], "").expect(200);
    assert!(answer.body.is_empty());
    let index = get(admin, "/").expect(200);
    assert!(index.headers["content-type"].starts_with("text/html"));
}

fn events(admin: SocketAddr) {
    let mut first = http::events(admin, "/api/v1/events").unwrap();
    assert_eq!(next(&mut first).0, "hello");
    assert_eq!(next(&mut first).0, "summary");
    let (name, size) = next(&mut first);
    assert_eq!(name, "summary");
    assert!(size <= 64 * 1024);
    let mut second = http::events(admin, "/api/v1/events").unwrap();
    assert_eq!(next(&mut second).0, "hello");
    get(admin, "/api/v1/events").expect_problem(503, "sse_clients");
}

/// The name and the size of the next event; its data must be JSON.
fn next(events: &mut impl Iterator<Item = String>) -> (String, usize) {
    let name = events.find_map(|line| line.strip_prefix("event: ").map(str::to_owned)).unwrap();
    let data = events.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    assert!(serde_json::from_str::<Value>(&data).unwrap()["instance"].is_string());
    (name, data.len())
}

fn openapi(admin: SocketAddr) {
    let document = get(admin, "/api/v1/openapi.json").expect(200).json();
    let paths = document["paths"].as_object().unwrap();
    for path in ["/metrics", "/livez", "/api/v1/summary", "/api/v1/tasks", "/api/v1/tasks/{id}/cancel"] {
        assert!(paths.contains_key(path), "{path} is not described");
    }
    let parameters = document["paths"]["/api/v1/tasks"]["get"]["parameters"].as_array().unwrap();
    for (name, values) in [("sort", &["age", "busy", "polls", "name"][..]), ("order", &["asc", "desc"])] {
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        assert_eq!(parameter["schema"]["enum"], serde_json::json!(values), "{parameter}");
        assert_ne!(parameter["required"], true, "{parameter}");
        for value in values {
            get(admin, &format!("/api/v1/tasks?{name}={value}")).expect(200);
        }
    }
}
