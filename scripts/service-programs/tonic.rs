//! tonic's server with its health service, asked 20 times over one channel that stays open.

mod common;

use tonic::transport::{Channel, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::main]
async fn main() -> Result<headcount::Report, Box<dyn std::error::Error>> {
    let headcount = headcount::Headcount::install()?;
    let (_reporter, health) = tonic_health::server::health_reporter();
    let free = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let server = Server::builder().layer(headcount::TrackLayer::new()).add_service(health);
    let serving = headcount::task("server").spawn(server.serve_with_shutdown(free, headcount.draining()));
    let channel = Channel::from_shared(format!("http://{free}"))?
        .executor(headcount::task("channel").connection().executor());
    let channel = loop {
        match channel.connect().await {
            Ok(channel) => break channel,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    let mut client = HealthClient::new(channel);
    for _ in 0..20 {
        client.check(HealthCheckRequest::default()).await?;
    }
    let report = common::until_stopped(&headcount).await;
    drop((client, serving));
    Ok(report)
}
