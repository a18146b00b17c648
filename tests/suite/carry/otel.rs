//! OpenTelemetry's context survives a spawn: a link, the baggage, the trace's id.

use headcount::snapshot::{FinishedQuery, finished};
use headcount::{Headcount, carry, task};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{FutureExt, SpanId, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio::task::yield_now;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

fn provider() -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    (SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build(), exporter)
}

fn install() -> Headcount {
    Headcount::builder().admin(None).signals(false).carry(carry::opentelemetry()).install().unwrap()
}

#[track_caller]
fn span(spans: &[SpanData], name: &str) -> SpanData {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else { panic!("{} spans {name} in {spans:#?}", found.len()) };
    span.clone()
}

#[track_caller]
fn trace_id(name: &str) -> Option<String> {
    let page = finished(&FinishedQuery::default().name(name)).unwrap();
    page.items[0].task.trace_id.as_deref().map(str::to_owned)
}

/// A root with one link, to this span.
#[track_caller]
fn is_linked(task: &SpanData, to: &SpanData) {
    assert_eq!(task.parent_span_id, SpanId::INVALID);
    let links: Vec<_> = task.links.iter().map(|link| link.span_context.clone()).collect();
    assert_eq!(links, std::slice::from_ref(&to.span_context));
    assert_ne!(task.span_context.trace_id(), to.span_context.trace_id());
}

fn baggage() -> Option<String> {
    Context::current().baggage().get("tenant").map(ToString::to_string)
}

async fn work() -> Option<String> {
    yield_now().await;
    async { yield_now().await }.instrument(info_span!("step")).await;
    baggage()
}

/// With the layer of `tracing-opentelemetry`, whether it makes its context the current one or not.
fn by_tracing(activates: bool) {
    let (provider, exporter) = provider();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("test"))
        .with_context_activation(activates);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    let _hc = install();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (answered, is_answered) = tokio::sync::oneshot::channel();
    let handled = async {
        task("mail").spawn_fallible(async {
            is_answered.await.unwrap();
            Err::<(), _>(headcount::spawn(async { 1 }).await.unwrap())
        })
    };
    let tenant = Context::current().with_baggage([KeyValue::new("tenant", "acme")]);
    runtime.block_on(async {
        let mail = handled.instrument(info_span!("request")).await;
        answered.send(()).unwrap();
        mail.await.unwrap().unwrap_err();
        let stored = async { task("store").spawn(work()).await.unwrap() };
        let order = {
            // A span that begins with baggage has it in its context.
            let _attached = tenant.attach();
            info_span!("order")
        };
        if activates {
            assert_eq!(stored.instrument(order).await.as_deref(), Some("acme"));
        }
        let closure = info_span!("request-2").in_scope(|| {
            task("closure").spawn_blocking(|| {
                info_span!("in-closure").in_scope(|| ());
            })
        });
        closure.await.unwrap();
    });
    let spans = exporter.get_finished_spans().unwrap();
    let (request, mail) = (span(&spans, "request"), span(&spans, "mail"));
    is_linked(&mail, &request);
    assert!(request.end_time <= mail.end_time, "the request does not wait for its tasks");
    assert!(matches!(mail.status, Status::Error { .. }), "{:?}", mail.status);
    let trace = request.span_context.trace_id().to_string();
    assert_eq!(trace_id("mail").as_deref(), Some(&*trace));
    // What the task spawned has a link to the task's span, and the trace of the request.
    let child =
        spans.iter().find(|span| span.links.iter().any(|link| link.span_context == mail.span_context));
    assert_eq!(trace_id(&child.unwrap().name).as_deref(), Some(&*trace));
    if activates {
        let (store, step) = (span(&spans, "store"), span(&spans, "step"));
        assert_eq!(step.parent_span_id, store.span_context.span_id());
        assert_eq!(store.status, Status::Unset);
    }
    let (closure, inside) = (span(&spans, "closure"), span(&spans, "in-closure"));
    is_linked(&closure, &span(&spans, "request-2"));
    assert_eq!(inside.parent_span_id, closure.span_context.span_id());
    assert_eq!(headcount::snapshot().carriers_dropped, 0);
}

#[test]
fn a_link_by_the_layer_of_tracing() {
    own_process!();
    by_tracing(true);
}

#[test]
fn a_link_by_a_layer_that_does_not_activate_contexts() {
    own_process!();
    by_tracing(false);
}

/// Without `tracing`: the global provider makes the task's span.
#[test]
fn a_link_by_the_global_provider() {
    own_process!();
    let (provider, exporter) = provider();
    global::set_tracer_provider(provider);
    let _hc = install();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tracer = global::tracer("test");
    let work = async || {
        yield_now().await;
        global::tracer("test").in_span("step", |_| ());
        let blocking = headcount::spawn_blocking(|| {
            assert!(Context::current().span().is_recording());
            baggage()
        });
        (baggage(), blocking.await.unwrap())
    };
    runtime.block_on(async {
        let request = tracer.start("request");
        let context = Context::current_with_span(request).with_baggage([KeyValue::new("tenant", "acme")]);
        let mail = async { task("mail").spawn(work()) }.with_context(context.clone()).await;
        context.span().end();
        let acme = Some("acme".to_owned());
        assert_eq!(mail.await.unwrap(), (acme.clone(), acme));
        let panics =
            async { task("panics").spawn(async { panic!("at work") }) }.with_context(context.clone());
        panics.await.await.unwrap_err();
        // Outside of a trace there is no span, and nothing is left of the task before.
        assert_eq!(task("bare").spawn(async { baggage() }).await.unwrap(), None);
    });
    let spans = exporter.get_finished_spans().unwrap();
    let (request, mail, step) = (span(&spans, "request"), span(&spans, "mail"), span(&spans, "step"));
    is_linked(&mail, &request);
    assert_eq!(step.parent_span_id, mail.span_context.span_id());
    assert!(matches!(span(&spans, "panics").status, Status::Error { .. }));
    assert_eq!(trace_id("mail"), Some(request.span_context.trace_id().to_string()));
    assert_eq!(trace_id("bare"), None);
    assert!(spans.iter().all(|span| span.name != "bare"));
}

/// Baggage alone, and a remote parent where no provider is set: as in a service that only passes contexts on.
#[tokio::test]
async fn without_a_provider() {
    own_process!();
    let _hc = install();
    let context = Context::current().with_baggage([KeyValue::new("tenant", "acme")]);
    let found = async { task("mail").spawn(async { baggage() }).await.unwrap() }.with_context(context).await;
    assert_eq!(found.as_deref(), Some("acme"));
    assert_eq!(trace_id("mail"), None);
}

/// The code gave the task a span, so it gets no other one; its trace is known all the same.
#[tokio::test]
async fn a_span_of_its_own_stays() {
    own_process!();
    let (provider, exporter) = provider();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    let _hc = install();
    let request = info_span!("request");
    let mail = request.in_scope(|| task("mail").in_current_span().spawn(work()));
    drop(request);
    mail.await.unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let (request, step) = (span(&spans, "request"), span(&spans, "step"));
    assert_eq!(step.parent_span_id, request.span_context.span_id());
    assert_eq!(trace_id("mail"), Some(request.span_context.trace_id().to_string()));
    assert_eq!(spans.len(), 2);
}

/// With tracking off the link and the baggage are there all the same.
#[tokio::test]
async fn with_tracking_off() {
    own_process!("HEADCOUNT" = "off");
    let (provider, exporter) = provider();
    global::set_tracer_provider(provider);
    let _hc = install();
    let request = global::tracer("test").start("request");
    let context = Context::current_with_span(request).with_baggage([KeyValue::new("tenant", "acme")]);
    let found = async { task("mail").spawn(async { baggage() }).await.unwrap() };
    assert_eq!(found.with_context(context.clone()).await.as_deref(), Some("acme"));
    context.span().end();
    let spans = exporter.get_finished_spans().unwrap();
    is_linked(&span(&spans, "mail"), &span(&spans, "request"));
}
