//! What arrives at an OTLP endpoint, from the example as a real process that SIGTERM stops.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// How long the service may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What came, in order, and when.
#[derive(Default)]
struct Came {
    spans: Vec<(Instant, ExportTraceServiceRequest)>,
    metrics: Vec<(Instant, ExportMetricsServiceRequest)>,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Came>>);

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().spans.push((Instant::now(), request.into_inner()));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Sink {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.lock().unwrap().metrics.push((Instant::now(), request.into_inner()));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// Ends the service, whatever a test finds.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_linked_and_the_last_export_comes_last() {
    let sink = Sink::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(sink.clone()))
        .add_service(MetricsServiceServer::new(sink.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);

    let ended = tokio::task::spawn_blocking(move || run(&endpoint)).await.unwrap();
    let came = sink.0.lock().unwrap();
    write(&came);
    let spans = spans(&came);
    let span = |name: &str| {
        let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        let [span] = found[..] else { panic!("{} spans {name} in {spans:#?}", found.len()) };
        span
    };
    let request = span("POST /signup");
    assert_eq!(hex(&request.trace_id), TRACE, "the caller's trace goes on in the request");
    for name in ["send-email", "thumbnail", "push"] {
        let task = span(name);
        is_linked(task, request);
    }
    // The others may end before the answer is there.
    assert!(request.end_time_unix_nano <= span("send-email").end_time_unix_nano);
    is_linked(span("audit"), span("send-email"));
    assert_eq!(span("smtp").parent_span_id, span("send-email").span_id);
    assert_eq!(span("resize").parent_span_id, span("thumbnail").span_id);
    assert_eq!(span("push").status.as_ref().unwrap().code, 2, "an error");

    // The last reading of the metrics came after the last task had ended, and before the process had.
    let (at, last) = came.metrics.last().unwrap();
    assert!(*at <= ended);
    assert!(came.spans.iter().all(|(at, _)| *at <= ended));
    let finished = points(last, "headcount.tasks.finished");
    let of = |task: &str, outcome: &str| {
        let fits = |(point, _): &&(Vec<(String, String)>, i64)| {
            point.contains(&("task".into(), task.into()))
                && point.contains(&("outcome".into(), outcome.into()))
        };
        finished.iter().find(fits).map(|(_, value)| *value)
    };
    for (task, outcome) in [("send-email", "ok"), ("thumbnail", "ok"), ("audit", "ok"), ("push", "error")] {
        assert_eq!(of(task, outcome), Some(1), "{task} in {finished:?}");
    }
    assert!(points(last, "headcount.tasks.live").iter().all(|(_, live)| *live == 0));
    let reading = time_of(last, "headcount.tasks.finished");
    assert!(spans.iter().all(|span| span.end_time_unix_nano <= reading));
}

/// A request, then SIGTERM while its e-mail is under way; the moment at which the process had ended.
fn run(endpoint: &str) -> Instant {
    let child = Command::new(env!("CARGO_BIN_EXE_headcount-traces"))
        .args(["--listen", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("HEADCOUNT_ADMIN", "127.0.0.1:0")
        .env("EMAIL_TAKES", "5000")
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut service = Service(child);
    let (sender, lines) = std::sync::mpsc::channel();
    let output = BufReader::new(service.0.stdout.take().unwrap());
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let said = |what: &str| loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it did not say {what}"));
        if let Some((_, rest)) = line.split_once(what) {
            return rest.to_owned();
        }
    };
    let address = said("Service at http://").trim_end_matches('/').to_owned();
    let answer = http(&address, "POST /signup", &format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n"));
    assert!(answer.ends_with("signed up"), "{answer}");
    // The line of the failure has the trace of the request.
    let failure = said("headcount::task: push #");
    assert!(failure.contains(TRACE), "{failure}");
    kill(Pid::from_raw(service.0.id().cast_signed()), Signal::SIGTERM).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = service.0.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            return Instant::now();
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn http(address: &str, what: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{what} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Keeps what came, for the official decoder: `tests/tools/otlp.py` reads it once more.
fn write(came: &Came) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (index, (_, request)) in came.spans.iter().enumerate() {
        std::fs::write(folder.join(format!("{index:03}.spans")), request.encode_to_vec()).unwrap();
    }
    for (index, (_, request)) in came.metrics.iter().enumerate() {
        std::fs::write(folder.join(format!("{index:03}.metrics")), request.encode_to_vec()).unwrap();
    }
}

fn spans(came: &Came) -> Vec<Span> {
    let resources = came.spans.iter().flat_map(|(_, request)| &request.resource_spans);
    resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans).cloned().collect()
}

/// A root with one link.
fn is_linked(task: &Span, to: &Span) {
    assert!(task.parent_span_id.is_empty(), "{} has a parent", task.name);
    assert_ne!(task.trace_id, to.trace_id);
    let links: Vec<_> = task.links.iter().map(|link| (&link.trace_id, &link.span_id)).collect();
    assert_eq!(links, [(&to.trace_id, &to.span_id)], "{}", task.name);
}

fn data(request: &ExportMetricsServiceRequest, name: &str) -> Vec<NumberDataPoint> {
    let resources = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let all: Vec<&Metric> = resources.flat_map(|scope| &scope.metrics).collect();
    let found =
        all.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is not there"));
    match found.data.clone().unwrap() {
        metric::Data::Gauge(gauge) => gauge.data_points,
        metric::Data::Sum(sum) => sum.data_points,
        other => panic!("{other:?}"),
    }
}

fn points(request: &ExportMetricsServiceRequest, name: &str) -> Vec<(Vec<(String, String)>, i64)> {
    let value = |point: &NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsInt(value)) => value,
        other => panic!("{other:?}"),
    };
    let pairs = |point: &NumberDataPoint| point.attributes.iter().map(pair).collect();
    data(request, name).iter().map(|point| (pairs(point), value(point))).collect()
}

fn time_of(request: &ExportMetricsServiceRequest, name: &str) -> u64 {
    data(request, name).iter().map(|point| point.time_unix_nano).max().unwrap()
}

fn pair(pair: &KeyValue) -> (String, String) {
    let Some(any_value::Value::StringValue(value)) = pair.value.clone().and_then(|value| value.value) else {
        panic!("{pair:?}")
    };
    (pair.key.clone(), value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
