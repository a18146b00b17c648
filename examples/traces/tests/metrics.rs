//! What the instruments observe of groups that differ in their location alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headcount::Headcount;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};

/// The last value of each instrument's only series.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<HashMap<String, u64>>>);

impl PushMetricExporter for Last {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let values: Vec<u64> = match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    sum.data_points().map(|point| point.value()).collect()
                }
                AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
                    gauge.data_points().map(|point| point.value()).collect()
                }
                other => panic!("{other:?}"),
            };
            let [value] = values[..] else { panic!("{} has {values:?}", metric.name()) };
            self.0.lock().unwrap().insert(metric.name().to_owned(), value);
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

#[tokio::test]
async fn tasks_of_one_name_are_added_up_over_their_locations() {
    let hc = Headcount::builder().ignore_env().admin(None).signals(false).install().unwrap();
    let last = Last::default();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(last.clone()).build();
    headcount_traces::metrics::register(&meters.meter("headcount"));
    for _ in 0..3 {
        headcount::task("send-email").spawn(async {}).await.unwrap();
    }
    for _ in 0..5 {
        headcount::task("send-email").spawn(async {}).await.unwrap();
    }
    let waits = [
        headcount::task("send-email").spawn(std::future::pending::<()>()),
        headcount::task("send-email").spawn(std::future::pending::<()>()),
    ];
    assert_eq!(headcount::snapshot().groups.len(), 4, "one for each location");
    meters.force_flush().unwrap();
    let of = |instrument: &str| last.0.lock().unwrap()[&format!("headcount.tasks.{instrument}")];
    assert_eq!((of("spawned"), of("finished"), of("live")), (10, 8, 2));
    waits.iter().for_each(|task| task.abort());
    drop(hc);
}
