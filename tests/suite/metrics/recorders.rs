//! One run, read through the text, through a foreign recorder, and through an exporter of the application's
//! own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::samples::{Samples, samples};
use crate::support::wait::until_yielding;
use headcount::Headcount;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use metrics_util::layers::FanoutBuilder;

const BUCKETS: [f64; 4] = [0.001, 0.01, 0.1, 1.0];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_readers_agree() {
    own_process!();
    let (handle, debugging) = set_recorders();
    let bounds = BUCKETS.map(Duration::from_secs_f64);
    let hc = Headcount::builder().admin(None).buckets(bounds).install().unwrap();
    work().await;
    headcount::idle().await;

    let text = without_stray(&samples(&hc.render_metrics()));
    // The next rounds of publishing bring it; one is seen half done.
    until_yielding(|| match difference(&text, &without_stray(&samples(&handle.render()))) {
        Some(difference) => Err(difference),
        None => Ok(()),
    })
    .await;
    agree_with_debugging(&text, &debugging);
}

/// An exporter and a debugging recorder, side by side.
fn set_recorders() -> (PrometheusHandle, Snapshotter) {
    let matcher = Matcher::Full("headcount_task_duration_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(matcher, &BUCKETS).unwrap();
    let exporter = builder.build_recorder();
    let debugging = DebuggingRecorder::new();
    let readers = (exporter.handle(), debugging.snapshotter());
    let both = FanoutBuilder::default().add_recorder(exporter).add_recorder(debugging).build();
    metrics::set_global_recorder(both).unwrap();
    readers
}

async fn work() {
    for round in 0..300_u64 {
        let label = if round % 3 == 0 { "a" } else { "b" };
        let task = headcount::task("work").label("which", label);
        let pause = Duration::from_micros(round * 20);
        task.spawn_fallible(async move {
            tokio::time::sleep(pause).await;
            if round % 10 == 0 { Err("now and then") } else { Ok(()) }
        });
    }
    headcount::task("burst").spawn_blocking(|| ()).await.unwrap();
}

/// Less what changes with the time of the reading.
fn without_stray(samples: &Samples) -> Samples {
    let stray = ["headcount_tasks_untracked", "headcount_task_oldest_start_timestamp_seconds"];
    let fixed = samples.iter().filter(|((name, _), _)| !stray.contains(&name.as_str()));
    fixed.map(|(series, value)| (series.clone(), *value)).collect()
}

fn difference(text: &Samples, exported: &Samples) -> Option<String> {
    for ((name, labels), value) in text {
        let facade = name.replace("_busy_seconds_total", "_busy_seconds");
        let mut labels = labels.clone();
        // The exporter writes whole bounds without a fraction.
        if let Some(bound) = labels.get_mut("le") {
            bound.truncate(bound.strip_suffix(".0").unwrap_or(bound).len());
        }
        let Some(other) = exported.get(&(facade, labels.clone())) else {
            return Some(format!("the exporter has no {name} {labels:?}"));
        };
        if 1e-9 < (value - other).abs() {
            return Some(format!("{name} {labels:?}: {value} in the text, {other} exported"));
        }
    }
    let (told, more) = (text.len(), exported.len());
    (told != more).then(|| format!("{told} samples in the text, {more} exported"))
}

fn agree_with_debugging(text: &Samples, debugging: &Snapshotter) {
    let mut seen = 0;
    for (key, _, _, value) in debugging.snapshot().into_vec() {
        let key = key.key();
        let labels: BTreeMap<_, _> =
            key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        let told = |suffix: &str| text.get(&(format!("{}{suffix}", key.name()), labels.clone())).copied();
        let close =
            |value: f64, told: f64| assert!((value - told).abs() < 1e-9, "{key}: {value} against {told}");
        match value {
            DebugValue::Counter(value) => close(value as f64, told("").unwrap()),
            DebugValue::Gauge(value) if value.is_nan() => assert_eq!(told(""), None),
            DebugValue::Gauge(value) => match told("").or_else(|| told("_total")) {
                Some(told) => close(value.into_inner(), told),
                None => assert_eq!(key.name(), "headcount_tasks_untracked"),
            },
            DebugValue::Histogram(values) => {
                close(values.len() as f64, told("_count").unwrap());
                close(values.iter().map(|value| value.into_inner()).sum(), told("_sum").unwrap());
            }
        }
        seen += 1;
    }
    assert!(20 < seen);
}

/// A recorder that comes after `install` is refused its place unless the setting leaves it free. A line of
/// the log names headcount and the setting.
#[tokio::test]
async fn a_recorder_that_is_set_later_needs_the_setting() {
    own_process!();
    let lines = crate::support::lines::Lines::default();
    tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).init();
    let hc = Headcount::builder().admin(None).install().unwrap();
    let late = PrometheusBuilder::new().build_recorder();
    assert!(metrics::set_global_recorder(late).is_err());
    let said = lines.take();
    let named = |line: &String| line.contains("headcount") && line.contains("HEADCOUNT_RECORDER=Private");
    assert_eq!(said.iter().filter(|line| named(line)).count(), 1, "{said:#?}");
    metrics::counter!("shop_orders_total").increment(1);
    assert!(hc.render_metrics().contains("shop_orders_total 1"));
}

#[tokio::test]
async fn a_recorder_that_is_set_later_has_its_place_with_the_setting() {
    own_process!();
    let private = headcount::settings::Recorder::Private;
    let hc = Headcount::builder().admin(None).recorder(private).install().unwrap();
    let late = PrometheusBuilder::new().build_recorder();
    let handle = late.handle();
    metrics::set_global_recorder(late).unwrap();
    metrics::counter!("shop_orders_total").increment(1);
    headcount::task("job").spawn(async {}).await.unwrap();
    headcount::idle().await;
    assert!(handle.render().contains("shop_orders_total 1"));
    let own = hc.render_metrics();
    assert!(
        own.contains("headcount_tasks_spawned_total{task=\"job\"") && !own.contains("shop_orders"),
        "{own}"
    );
}
