//! Names, labels, fields and messages that were made to break a format come out well-formed, and as they
//! were.
//!
//! The texts are also written to `hostile.prom`, `hostile.open` and `hostile.json`, for parsers that are not
//! of this repository.

use std::net::SocketAddr;
use std::path::Path;

use crate::support::http::{get, send};
use crate::support::samples::samples;
use headcount::Headcount;

const HOSTILE: &[&str] = &[
    "\"quoted\"",
    "line\nbreak",
    "back\\slash",
    "two\\\\slashes",
    "slash\\\"quote",
    "slash\\\nnewline",
    "ends with \\",
    "<script>alert(1)</script>",
    "\u{202e}right to left",
    "nul\0bell\u{7}escape\u{1b}[2J",
    "}{=,",
    "# HELP x",
    "日本語 🎉",
];

#[tokio::test]
async fn hostile_texts_come_out_well_formed() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let huge = "x".repeat(1 << 20);
    for text in HOSTILE.iter().map(|text| (*text).to_owned()).chain([huge]) {
        let failing = headcount::task(text.clone())
            .label("value", text.clone())
            .label(text.clone(), "key")
            .field("value", text.clone())
            .field(text.clone(), "key")
            .spawn_fallible(async move { Err::<(), _>(text) });
        failing.await.unwrap().unwrap_err();
    }
    headcount::task("traced")
        .field("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736")
        .spawn(async {})
        .await
        .unwrap();
    headcount::idle().await;
    let text = hc.render_metrics();
    let accept = [("accept", "application/openmetrics-text;version=1.0.0")];
    let open = send(hc.admin_addr().unwrap(), "GET", "/metrics", &accept, "").expect(200);
    let scrape = samples(&text);
    for hostile in HOSTILE {
        let there = |(name, labels): &(String, std::collections::BTreeMap<String, String>)| {
            name == "headcount_tasks_spawned_total"
                && labels["task"] == printable(hostile)
                && labels["value"] == printable(hostile)
        };
        assert!(scrape.keys().any(there), "{hostile:?} is not there as it was");
    }
    let finished = get(hc.admin_addr().unwrap(), "/api/v1/finished?limit=500").expect(200);
    let items = finished.json()["items"].as_array().unwrap().clone();
    for hostile in HOSTILE {
        let item =
            items.iter().find(|item| item["name"] == *hostile).unwrap_or_else(|| panic!("no {hostile:?}"));
        assert_eq!(item["fields"]["value"], *hostile);
        assert_eq!(item["message"], *hostile);
    }
    assert!(items.iter().all(|item| item["name"].as_str().unwrap().len() <= 128));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(directory.join("hostile.prom"), text).unwrap();
    std::fs::write(directory.join("hostile.open"), open.text()).unwrap();
    std::fs::write(
        directory.join("hostile.json"),
        serde_json::to_string(&HOSTILE.iter().map(|text| printable(text)).collect::<Vec<_>>()).unwrap(),
    )
    .unwrap();
}

/// Control characters are escaped in the values of labels, but for the end of a line, which the format
/// escapes itself.
fn printable(text: &str) -> String {
    let escaped = |c: char| -> String {
        if c.is_control() && c != '\n' { c.escape_default().collect() } else { c.to_string() }
    };
    text.chars().map(escaped).collect()
}

/// A sample with a label twice costs Prometheus the whole scrape.
#[tokio::test]
async fn labels_of_the_metrics_themselves_are_told_from_those_of_a_task() {
    own_process!();
    let hc = Headcount::builder().admin(None).install().unwrap();
    let retry = headcount::task("retry").timeout(std::time::Duration::from_secs(60));
    let keys = ["task", "kind", "outcome", "reason", "le", "quantile"];
    let retry = keys.into_iter().fold(retry, |retry, key| retry.label(key, "mine"));
    retry.spawn(async {}).await.unwrap();
    headcount::idle().await;
    let scrape = samples(&hc.render_metrics());
    let rejected = scrape.keys().find(|(name, _)| name == "headcount_tasks_rejected_total").unwrap();
    assert_eq!(rejected.1["reason_"], "mine");
    assert_ne!(rejected.1["reason"], "mine");
}
