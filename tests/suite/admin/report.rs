//! The last event of a shutdown that gave thousands of tasks up: bounded, and it says how many it leaves out.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use headcount::{Headcount, OnShutdown};
use serde_json::Value;

use crate::support::http::{events, get};

const EVENT_SIZE: usize = 64 * 1024;
const ABANDONED: usize = 1_500;
const DETACHED: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_last_event_leaves_out_is_counted() {
    own_process!();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .drain_timeout(Duration::ZERO)
        .exit_after(Duration::from_secs(60))
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    for number in 0..ABANDONED + DETACHED {
        let policy = if number < ABANDONED { OnShutdown::Wait } else { OnShutdown::Detach };
        // What takes the most room in JSON: each of these is six characters there.
        let task = (0..16).fold(headcount::task("forgotten").on_shutdown(policy), |task, field| {
            task.field(format!("field{field}"), "\u{1}".repeat(200))
        });
        drop(task.spawn(pending::<()>()));
    }
    let lines = events(admin, "/api/v1/events").unwrap();
    let events = std::thread::spawn(move || lines.collect::<Vec<_>>().join("\n"));
    while get(admin, "/api/v1/summary").json()["live"] != ABANDONED + DETACHED {
        tokio::task::yield_now().await;
    }
    let report = hc.drain().await;
    assert_eq!((report.abandoned_total, report.abandoned.len()), (ABANDONED as u64, 1_000));

    let events = events.join().unwrap();
    let events = events.trim_end();
    let frames = events.split("\n\n").filter(|frame| frame.contains("data: "));
    assert!(frames.clone().all(|frame| frame.len() <= EVENT_SIZE));
    let last = frames.clone().last().unwrap();
    let told: Value = serde_json::from_str(last.strip_prefix("event: report\ndata: ").unwrap()).unwrap();
    assert_eq!(told["abandoned_total"], ABANDONED);
    assert_eq!(told["detached_total"], DETACHED);
    let listed = told["abandoned"].as_array().unwrap();
    // The oldest, each whole, and no fewer than fit.
    assert!(EVENT_SIZE / 3 < last.len() && !listed.is_empty(), "{}", last.len());
    assert!(listed.iter().zip(&*report.abandoned).all(|(told, task)| told["id"] == task.id.get()));
    assert_eq!(listed[0]["fields"]["field0"], "\u{1}".repeat(200));
    assert_eq!(told["exit_code"], report.exit_code);

    // The summary before it does without the report, not without what it alone tells.
    let before = frames.filter_map(|frame| frame.strip_prefix("event: summary\ndata: ")).last().unwrap();
    let summary: Value = serde_json::from_str(before).unwrap();
    assert_eq!(summary["shutdown"]["report"], Value::Null);
    assert_eq!(summary["groups"][0]["name"], "forgotten");
}
