//! Finished tasks under load: what was ok by group, all else one by one.

use std::net::SocketAddr;

use headcount::{Headcount, task};
use serde_json::Value;

use crate::support::http::get;

fn page(admin: SocketAddr, query: &str) -> Value {
    get(admin, &format!("/api/v1/finished?{query}")).expect(200).json()
}

fn counts(page: &Value) -> Vec<(&str, u64)> {
    let groups = page["folded"].as_array().unwrap().iter();
    groups.map(|group| (group["name"].as_str().unwrap(), group["count"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn what_was_ok_comes_by_group_where_it_is_more_than_a_page() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    for number in 0..40 {
        task("mail").label("provider", "ses").spawn(async {}).await.unwrap();
        if number % 2 == 0 {
            task("push").spawn(async {}).await.unwrap();
        }
        if number % 5 == 0 {
            let refused = async { Err::<(), _>("refused") };
            task("mail").label("provider", "ses").spawn_fallible(refused).await.unwrap().unwrap_err();
        }
    }
    let all = page(admin, "fold_ok=true&limit=60");
    assert_eq!((&all["total"], &all["folded"]), (&68.into(), &Value::Array(Vec::new())), "they have room");
    assert_eq!(page(admin, "limit=59")["total"], 68, "not asked for");

    let folded = page(admin, "fold_ok=true&limit=59");
    assert_eq!(counts(&folded), [("mail", 40), ("push", 20)]);
    assert_eq!((&folded["total"], &folded["next"]), (&8.into(), &Value::Null));
    let group = &folded["folded"][0];
    assert_eq!(group["labels"]["provider"], "ses");
    assert!(group["first"].as_str() < group["last"].as_str(), "{group}");
    assert!(group["median_seconds"].as_f64() <= group["longest_seconds"].as_f64(), "{group}");
    assert_eq!(get(admin, &format!("/api/v1/tasks/{}", group["last_task"])).json()["outcome"], "ok");

    // As it is narrowed, and page by page.
    assert_eq!(counts(&page(admin, "fold_ok=true&limit=5&q=name:push")), [("push", 20)]);
    assert_eq!(
        counts(&page(admin, &format!("fold_ok=true&limit=5&group={}", group["group"]))),
        [("mail", 40)]
    );
    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let part = page(admin, &format!("fold_ok=true&limit=3{cursor}"));
        let items = part["items"].as_array().unwrap();
        assert!(items.iter().all(|item| item["outcome"] == "error"), "{part:#}");
        assert_eq!(counts(&part).len(), 2);
        seen += items.len();
        match part["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, 8);
}
