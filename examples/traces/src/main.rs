//! A web service whose tasks are linked to their requests: its spans and metrics leave by OTLP, and the last
//! export comes after the last task and before the exit.
//!
//!     OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 cargo run -- --listen 127.0.0.1:8000
//!     curl -X POST http://127.0.0.1:8000/signup

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use headcount::{Headcount, Report, carry};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::net::TcpListener;
use tracing::{Instrument, info, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

type Problem = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<Report, Problem> {
    let telemetry = Telemetry::start()?;
    let hc = Headcount::builder()
        .service("traces")
        .carry(carry::opentelemetry())
        .trace_url("http://127.0.0.1:16686/trace/{trace_id}")
        .install()?;
    headcount_traces::metrics::register(&opentelemetry::metrics::MeterProvider::meter(
        &telemetry.meters,
        "headcount",
    ));

    let listener = TcpListener::bind(listen()).await?;
    println!("Service at http://{}/", listener.local_addr()?);
    let app = Router::new().route("/signup", post(sign_up));
    axum::serve(listener, app).with_graceful_shutdown(hc.draining()).await?;

    // The tasks end first, and with them their spans.
    let report = hc.drain().await;
    // Then the last batch of spans and the last reading of the metrics leave, and only then the process ends.
    tokio::task::spawn_blocking(move || telemetry.end()).await??;
    Ok(report)
}

/// Answers at once. What it leaves running has a link to the span of this request.
async fn sign_up(headers: HeaderMap) -> &'static str {
    let span = info_span!("POST /signup", otel.kind = "server");
    let names =
        headers.keys().filter_map(|name| Some((name.to_string(), headers[name].to_str().ok()?.to_owned())));
    let caller = TraceContextPropagator::new().extract(&names.collect::<HashMap<_, _>>());
    let _ = span.set_parent(caller);
    async {
        headcount::task!("send-email", provider = "ses").spawn(send_email());
        headcount::task!("thumbnail").spawn_blocking(|| {
            info_span!("resize").in_scope(|| std::thread::sleep(Duration::from_millis(20)));
        });
        headcount::task!("push").spawn_fallible(async { Err::<(), _>("the device is gone") });
    }
    .instrument(span)
    .await;
    "signed up"
}

async fn send_email() {
    async { pause("EMAIL_TAKES").await }.instrument(info_span!("smtp")).await;
    // A task of a task: its link leads to this task, its trace id is that of the request.
    headcount::task!("audit").spawn(async { info!("sent") });
}

async fn pause(variable: &str) {
    let text = std::env::var(variable).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(text.parse().unwrap_or(100))).await;
}

fn listen() -> String {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--listen").skip(1);
    arguments.next().unwrap_or_else(|| "127.0.0.1:8000".to_owned())
}

/// What exports spans and metrics.
struct Telemetry {
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
}

impl Telemetry {
    /// The endpoint is that of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    fn start() -> Result<Self, Problem> {
        let resource = Resource::builder().with_service_name("traces").build();
        let spans = SpanExporter::builder().with_tonic().build()?;
        let tracers =
            SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource.clone()).build();
        let metrics = MetricExporter::builder().with_tonic().build()?;
        let meters =
            SdkMeterProvider::builder().with_periodic_exporter(metrics).with_resource(resource).build();
        let filter =
            EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,h2=off,hyper=off,tonic=off".into());
        tracing_subscriber::registry()
            .with(filter)
            .with(fmt::layer())
            .with(tracing_opentelemetry::layer().with_tracer(tracers.tracer("traces")))
            .init();
        Ok(Self { tracers, meters })
    }

    fn end(&self) -> Result<(), Problem> {
        self.tracers.shutdown()?;
        self.meters.shutdown()?;
        Ok(())
    }
}
