//! A service that exports metrics already: hand its exporter's handle over, and one scrape has both.
//!
//!     cargo run --example existing_recorder
//!     curl http://127.0.0.1:7717/metrics
//!
//! Without the handle, headcount would publish its own metrics to that recorder, as it does to `StatsD` or
//! `OpenTelemetry`.

use headcount::{Headcount, Report};
use metrics_exporter_prometheus::PrometheusBuilder;

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    let hc = Headcount::builder().prometheus_handle(handle).install()?;

    metrics::counter!("shop_orders_total").increment(1);
    headcount::task("ship-order").spawn(async {}).await?;

    let text = hc.render_metrics();
    assert!(text.contains("headcount_tasks_spawned_total") && text.contains("shop_orders_total 1"));
    println!("{text}");
    Ok(hc.drain().await)
}
