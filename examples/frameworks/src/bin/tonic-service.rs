//! tonic: RPCs are named by service and method, streams live until their end, and nothing is untracked, since
//! the routes are served on `headcount::executor`.
//!
//!     cargo run --bin tonic-service
//!
//! The service is gRPC's own health protocol, written out: a single call and an endless stream.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use headcount::{Headcount, Report, TrackLayer};
use headcount_frameworks::{announce, serve};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;
    // With tonic's own `Server` the layer is the same, and connections and streams are untracked:
    // `Server::builder().layer(…).add_service(…).serve_with_shutdown(address, hc.draining())`.
    let app = Routes::new(HealthServer::new(Checked)).into_axum_router().layer(TrackLayer::new());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(&listener)?;
    serve(listener, app).await;
    Ok(hc.drain().await)
}

struct Checked;

#[tonic::async_trait]
impl Health for Checked {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if request.get_ref().service == "broken" {
            return Err(Status::internal("the disk is full"));
        }
        Ok(Response::new(status(ServingStatus::Serving)))
    }

    /// A status each 100 ms, and a last one when the process stops, so that the stream holds up nothing.
    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let serving = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Some((status(ServingStatus::Serving), ()))
        });
        let last = stream::once(async { status(ServingStatus::NotServing) });
        Ok(Response::new(Box::pin(serving.take_until(headcount::draining()).chain(last).map(Ok))))
    }
}

fn status(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
