//! `/metrics` as OpenMetrics: the series of the text format, and exemplars.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::support::http::{Answer, get, send};
use headcount::{Headcount, Limit};

/// What Prometheus 2.42 sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                          q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn scrape(admin: SocketAddr) -> Answer {
    let answer = send(admin, "GET", "/metrics", &[("accept", PROMETHEUS)], "").expect(200);
    let of = answer.header("content-type");
    assert_eq!(of, Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert_eq!(answer.header("vary"), Some("accept"));
    assert!(answer.text().ends_with("\n# EOF\n") && !answer.text().contains("\n\n"), "{answer:?}");
    answer
}

/// Names and labels of all samples.
fn series(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let bare = samples.map(|line| line.split(" # {").next().unwrap());
    bare.map(|sample| sample.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

fn exemplars(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(" # {")).collect()
}

async fn traced(name: &'static str, trace_id: &'static str, work: Duration) {
    let task = headcount::task(name).field("trace_id", trace_id).field("user", "7");
    // The work begins in the task: a sleep that is made before counts from then.
    task.spawn(async move { tokio::time::sleep(work).await }).await.unwrap();
    headcount::idle().await;
}

#[tokio::test]
async fn the_client_chooses_and_the_series_are_the_same() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    traced("quick", TRACE, Duration::ZERO).await;
    let text = get(admin, "/metrics").expect(200);
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(exemplars(text.text()), [""; 0]);
    assert!(text.text().contains(",le=\"1.0\"}") && text.text().contains(",le=\"+Inf\"}"), "{text:?}");
    let open = scrape(admin);
    assert_eq!(series(open.text()), series(text.text()));
    for line in [
        "# TYPE headcount_tasks_spawned counter",
        "# TYPE headcount_task_busy_seconds counter",
        "# UNIT headcount_task_busy_seconds seconds",
        "# UNIT headcount_task_duration_seconds seconds",
        "# TYPE headcount_tasks_live gauge",
    ] {
        assert!(open.text().lines().any(|it| it == line), "{line} is missing in {open:?}");
    }
}

#[tokio::test]
async fn each_bucket_has_its_newest_task_with_a_trace_id() {
    own_process!();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .buckets([Duration::from_secs(10)])
        .history(8)
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    traced("quick", "0af7651916cd43dd8448eb211c80319c", Duration::ZERO).await;
    traced("quick", TRACE, Duration::from_millis(20)).await;
    traced("odd", "quote\"", Duration::ZERO).await;
    traced("empty", "", Duration::ZERO).await;
    let text = scrape(admin);
    let found = exemplars(text.text());
    let [line] = found[..] else { panic!("{found:#?}") };
    let head = format!(
        "headcount_task_duration_seconds_bucket{{task=\"quick\",kind=\"task\",le=\"10.0\"}} 2 # {{trace_id=\"{TRACE}\"}} "
    );
    let (seconds, at) = line.strip_prefix(&head).unwrap_or_else(|| panic!("{line}")).split_once(' ').unwrap();
    assert!((0.02..10.0).contains(&seconds.parse::<f64>().unwrap()), "{line}");
    assert!(1e9 < at.parse::<f64>().unwrap(), "{line}");
    // The history forgets the task; the exemplar stays.
    for _ in 0..200 {
        headcount::task("quick").spawn(async {}).await.unwrap();
    }
    headcount::idle().await;
    let later = scrape(admin);
    let found = exemplars(later.text());
    assert!(found.len() == 1 && found[0].contains("} 202 # {trace_id"), "{found:#?}");
}

#[tokio::test]
async fn where_fields_are_hidden_no_trace_id_shows() {
    own_process!();
    let admin = SocketAddr::from(([127, 0, 0, 1], 0));
    let hc = Headcount::builder().admin(admin).hide([headcount::settings::Hide::Fields]).install().unwrap();
    traced("quick", TRACE, Duration::ZERO).await;
    assert_eq!(exemplars(scrape(hc.admin_addr().unwrap()).text()), [""; 0]);
}

#[tokio::test]
async fn the_time_that_a_task_waited_for_its_limit_has_no_exemplar() {
    own_process!();
    static ONE: Limit = Limit::new("one", 1);
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let limited = || headcount::task("limited").limit(&ONE).field("trace_id", TRACE);
    let both = [0; 2].map(|_| limited().spawn(tokio::time::sleep(Duration::from_millis(20))));
    for task in both {
        task.await.unwrap();
    }
    headcount::idle().await;
    let text = scrape(hc.admin_addr().unwrap());
    assert!(text.text().contains("headcount_task_limited_seconds_count{task=\"limited\""), "{text:?}");
    let found = exemplars(text.text());
    let of_durations =
        |line: &&str| line.starts_with("headcount_task_duration_seconds_bucket{task=\"limited\"");
    assert!(!found.is_empty() && found.iter().all(of_durations), "{found:#?}");
}
