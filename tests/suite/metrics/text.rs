//! `/metrics` and `render_metrics`: exact, and never backwards while tasks come and go.

use std::time::Duration;

use crate::support::samples::{Samples, samples, sum, value};
use headcount::Headcount;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn figures_add_up_in_every_scrape_and_no_counter_goes_backwards() {
    own_process!();
    let hc = Headcount::builder().admin(None).slow_poll(Duration::from_millis(50)).install().unwrap();
    let workers: Vec<_> = (0..4).map(|worker| tokio::spawn(work(worker))).collect();
    let mut last = Samples::new();
    while !workers.iter().all(tokio::task::JoinHandle::is_finished) {
        let scrape = samples(&hc.render_metrics());
        add_up(&scrape);
        never_backwards(&last, &scrape);
        last = scrape;
        tokio::task::yield_now().await;
    }
    for worker in workers {
        worker.await.unwrap();
    }
    headcount::idle().await;
    quiet(&samples(&hc.render_metrics()));
}

/// Ends in every way, from two places with one name.
async fn work(worker: u64) {
    for round in 0..500 {
        let quick = headcount::task("quick").label("worker", worker.to_string()).spawn(async {});
        let other =
            headcount::task("quick").label("worker", worker.to_string()).spawn(tokio::task::yield_now());
        let failing = headcount::task("failing")
            .spawn_fallible(async move { if round % 50 == 0 { Err("as it must") } else { Ok(()) } });
        let dropped = headcount::task("dropped").spawn(std::future::pending::<()>());
        let closure = headcount::task("closure").spawn_blocking(|| ());
        dropped.abort();
        quick.await.unwrap();
        other.await.unwrap();
        let _ = failing.await.unwrap();
        assert!(dropped.await.is_err());
        closure.await.unwrap();
    }
}

fn add_up(scrape: &Samples) {
    let spawned = scrape.iter().filter(|((name, _), _)| name == "headcount_tasks_spawned_total");
    for ((_, labels), spawned) in spawned {
        let labels: Vec<_> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let finished = sum(scrape, "headcount_tasks_finished_total", &labels);
        let live = value(scrape, "headcount_tasks_live", &labels);
        assert_eq!(*spawned, finished + live, "{labels:?}");
        assert_eq!(value(scrape, "headcount_task_duration_seconds_count", &labels), finished, "{labels:?}");
        let last = [&labels[..], &[("le", "+Inf")]].concat();
        assert_eq!(value(scrape, "headcount_task_duration_seconds_bucket", &last), finished, "{labels:?}");
    }
}

fn never_backwards(last: &Samples, scrape: &Samples) {
    let counts =
        |name: &str| ["_total", "_count", "_sum", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
    for (series, before) in last.iter().filter(|((name, _), _)| counts(name)) {
        let now = scrape.get(series).unwrap_or_else(|| panic!("{series:?} has gone"));
        assert!(before <= now, "{series:?} went from {before} to {now}");
    }
}

fn quiet(scrape: &Samples) {
    let quick = [("task", "quick"), ("worker", "0")];
    assert_eq!(value(scrape, "headcount_tasks_spawned_total", &quick), 1000.0, "both places together");
    let ended = |task, outcome| {
        value(scrape, "headcount_tasks_finished_total", &[("task", task), ("outcome", outcome)])
    };
    assert_eq!((ended("failing", "ok"), ended("failing", "error")), (1960.0, 40.0));
    assert_eq!((ended("dropped", "ok"), ended("dropped", "cancelled")), (0.0, 2000.0));
    assert_eq!(value(scrape, "headcount_tasks_spawned_total", &[("kind", "blocking")]), 2000.0);
    assert!(!scrape.keys().any(|(name, _)| name.contains("oldest_start")), "absent while none lives");
    assert_eq!(value(scrape, "headcount_shutdown_stage", &[]), 0.0);
    sums_are_exact(scrape);
}

/// The sum in the text against the durations of the snapshot.
fn sums_are_exact(scrape: &Samples) {
    for name in ["quick", "failing", "dropped", "closure"] {
        let groups = headcount::snapshot().groups.into_iter().filter(|group| &*group.name == name);
        let exact: Duration = groups.flat_map(|group| group.durations.buckets).map(|bucket| bucket.sum).sum();
        let told = sum(scrape, "headcount_task_duration_seconds_sum", &[("task", name)]);
        assert!((told - exact.as_secs_f64()).abs() < 1e-9, "{name}: {told} against {exact:?}");
    }
}

/// As many groups as there may be, each with a task alive: no more series than the README says, and no fewer.
#[tokio::test]
async fn the_number_of_series_is_bounded_as_the_readme_says() {
    own_process!();
    let readme = include_str!("../../../README.md");
    assert!(readme.contains("`groups × (17 + buckets) + 14`, with `buckets` 21 by default"));
    assert!(readme.contains("`groups` at most 207"));
    let hc = Headcount::builder().admin(None).install().unwrap();
    let mut alive = Vec::new();
    let lives = std::future::pending::<()>;
    for number in 0..1_000 {
        // Many places, since each leaves room for others.
        alive.push(headcount::task(format!("one-{number}")).track(lives()));
        alive.push(headcount::task(format!("two-{number}")).track(lives()));
        alive.push(headcount::task(format!("three-{number}")).track(lives()));
        alive.push(headcount::task(format!("four-{number}")).track(lives()));
        alive.push(headcount::task(format!("five-{number}")).track(lives()));
        alive.push(headcount::task(format!("six-{number}")).track(lives()));
        alive.push(headcount::task(format!("seven-{number}")).track(lives()));
        alive.push(headcount::task(format!("eight-{number}")).track(lives()));
        alive.push(headcount::task(format!("nine-{number}")).track(lives()));
        alive.push(headcount::task(format!("ten-{number}")).track(lives()));
    }
    headcount::spawn(async {}).await.unwrap();
    headcount::spawn_blocking(|| {}).await.unwrap();
    let local = tokio::task::LocalSet::new();
    local.run_until(async { headcount::spawn_local(async {}).await.unwrap() }).await;
    let groups = headcount::snapshot().groups.len();
    assert_eq!(groups, 200 + 4, "and one for the rest of each kind that was spawned");
    let series = samples(&hc.render_metrics()).len();
    // Three kinds have no task alive, so no oldest; a forecast may know nothing.
    let most = groups * (17 + 21) + 14;
    assert!((most - 4..=most).contains(&series), "{series} of {most}");
    drop(alive);
}

/// With the setting, each outcome has a histogram, and they add up to the one that is there without.
#[tokio::test]
async fn durations_have_the_label_outcome_if_it_is_set() {
    own_process!();
    let hc = Headcount::builder().admin(None).duration_outcome(true).install().unwrap();
    for round in 0..5 {
        let job = headcount::task("job");
        let work = async move { if round == 0 { Err("as it must") } else { Ok(()) } };
        let _ = job.spawn_fallible(work).await.unwrap();
    }
    let dropped = headcount::task("job").spawn_fallible(std::future::pending::<Result<(), &str>>());
    dropped.abort();
    assert!(dropped.await.is_err());
    headcount::idle().await;
    let scrape = samples(&hc.render_metrics());
    for (outcome, count) in [("ok", 4.0), ("error", 1.0), ("cancelled", 1.0)] {
        let labels = [("task", "job"), ("kind", "task"), ("outcome", outcome)];
        assert_eq!(value(&scrape, "headcount_task_duration_seconds_count", &labels), count, "{outcome}");
        let last = [&labels[..], &[("le", "+Inf")]].concat();
        assert_eq!(value(&scrape, "headcount_task_duration_seconds_bucket", &last), count, "{outcome}");
        assert_eq!(value(&scrape, "headcount_tasks_finished_total", &labels), count, "{outcome}");
    }
    let counts = scrape.keys().filter(|(name, _)| name == "headcount_task_duration_seconds_count");
    assert!(counts.clone().all(|(_, labels)| labels.contains_key("outcome")), "{scrape:#?}");
    assert_eq!(sum(&scrape, "headcount_task_duration_seconds_count", &[("task", "job")]), 6.0);
}

#[tokio::test]
async fn durations_have_no_label_outcome_unless_it_is_set() {
    own_process!();
    let hc = Headcount::builder().admin(None).install().unwrap();
    headcount::task("job").spawn(async {}).await.unwrap();
    headcount::idle().await;
    let scrape = samples(&hc.render_metrics());
    let mut durations = scrape.keys().filter(|(name, _)| name.starts_with("headcount_task_duration_seconds"));
    assert!(durations.all(|(_, labels)| !labels.contains_key("outcome")), "{scrape:#?}");
    assert_eq!(
        value(&scrape, "headcount_task_duration_seconds_count", &[("task", "job"), ("kind", "task")]),
        1.0
    );
}
