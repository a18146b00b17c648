//! A service that uses the `prometheus` crate: append what headcount renders to what it encodes.
//!
//!     cargo run --example prometheus_crate

use headcount::settings::Recorder;
use headcount::{Headcount, Report};
use prometheus::{IntCounter, Registry, TextEncoder};

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    // The `metrics` facade is not used here, so its place is left alone.
    let hc = Headcount::builder().recorder(Recorder::Private).install()?;
    let registry = Registry::new();
    let orders = IntCounter::new("shop_orders_total", "Orders taken.")?;
    registry.register(Box::new(orders.clone()))?;

    orders.inc();
    headcount::task("ship-order").spawn(async {}).await?;

    // The body of the application's own `/metrics`.
    let text = TextEncoder::new().encode_to_string(&registry.gather())? + &hc.render_metrics();
    assert!(text.contains("headcount_tasks_spawned_total") && text.contains("shop_orders_total 1"));
    println!("{text}");
    Ok(hc.drain().await)
}
