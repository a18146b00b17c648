//! OpenTelemetry's context: a span for each task with a link, the baggage, and the trace's id.

use std::sync::{Arc, OnceLock};

use opentelemetry::baggage::{BaggageExt, BaggageMetadata, KeyValueMetadata};
use opentelemetry::trace::{Link, Span as _, SpanContext, Status, TraceContextExt, TraceId, Tracer};
use opentelemetry::{Context, Key, KeyValue, StringValue, global};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{Carried, Carrier, Spawn};
use crate::snapshot::Outcome;
use headcount_core::TaskId;

/// Carries OpenTelemetry's context, from [`opentelemetry`](opentelemetry()).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct OpenTelemetry;

/// Carries what OpenTelemetry knows where a task is spawned: a link to the current span, the baggage, and the
/// id of the trace, which the failure's line, the API and the page show.
///
/// Each task that is spawned in a trace has a span of its own, named after the task, for as long as it lives.
/// It is the root of a trace of its own with a link to the span that was current at the spawn, since that has
/// often ended before. Where the current span is one of `tracing`, with the layer of `tracing-opentelemetry`,
/// so is the task's; else the tracer `headcount` of the global provider makes it. An error or a panic sets
/// its status.
///
/// The task's `trace_id` is that of the trace that it was spawned in. What the task itself spawns has the
/// same id, and a link to the task's span. A task with a span of its own by
/// [`span`](crate::TaskBuilder::span) or [`in_current_span`](crate::TaskBuilder::in_current_span) has the id
/// alone.
///
/// It speaks the API of `opentelemetry` 0.33, and does nothing for programs that use another one.
///
/// # Examples
///
/// ```no_run
/// # fn f() -> Result<(), headcount::Error> {
/// let hc = headcount::Headcount::builder()
///     .carry(headcount::carry::opentelemetry())
///     .trace_url("https://jaeger.example/trace/{trace_id}")
///     .install()?;
/// # Ok(())
/// # }
/// ```
pub const fn opentelemetry() -> OpenTelemetry {
    OpenTelemetry
}

/// The trace that a task comes from, in its own context, so that what it spawns comes from there too.
#[derive(Clone)]
struct Origin {
    trace: TraceId,
    /// The trace of the task's own span.
    own: Arc<OnceLock<TraceId>>,
}

impl Carrier for OpenTelemetry {
    fn name(&self) -> &'static str {
        "opentelemetry"
    }

    fn take(&self, task: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        let current = Span::current();
        let of_tracing = current.context();
        let is_of_tracing = of_tracing.span().span_context().is_valid();
        let from = if is_of_tracing { of_tracing } else { Context::current() };
        let link = from.span().span_context().clone();
        let trace = origin_of(&from, &link);
        if task.has_span {
            let trace = trace?;
            return Some(Box::new(OfTrace { trace }));
        }
        if trace.is_none() && from.baggage().is_empty() {
            return None;
        }
        let own = Arc::new(OnceLock::new());
        let mut base = without_span(&from);
        if let Some(trace) = trace {
            base = base.with_value(Origin { trace, own: Arc::clone(&own) });
        }
        let span = if is_of_tracing { tracing_span(task, &current, &base) } else { None };
        let context = match &span {
            Some(span) => span.context(),
            None if link.is_valid() => sdk_span(task, link, &base),
            None => base,
        };
        let _ = own.set(context.span().span_context().trace_id());
        Some(Box::new(OfContext { context, span, trace }))
    }
}

/// A context with the baggage of another, and not its span, which the task's is no child of.
fn without_span(context: &Context) -> Context {
    let item = |(key, (value, metadata)): (&Key, &(StringValue, BaggageMetadata))| {
        KeyValueMetadata::new(key.clone(), value.clone(), metadata.clone())
    };
    let base = Context::new().with_baggage(context.baggage().iter().map(item));
    if context.is_telemetry_suppressed() { base.with_telemetry_suppressed() } else { base }
}

/// The trace that belongs to a context: that of its span, or where that is a task's, what the task comes
/// from.
fn origin_of(context: &Context, link: &SpanContext) -> Option<TraceId> {
    let known = context.get::<Origin>();
    if !link.is_valid() {
        return known.map(|origin| origin.trace);
    }
    let is_own = |origin: &&Origin| origin.own.get() == Some(&link.trace_id());
    Some(known.filter(is_own).map_or(link.trace_id(), |origin| origin.trace))
}

/// A span of `tracing` that its layer for OpenTelemetry exports; `None` if it is filtered out.
fn tracing_span(task: &Spawn<'_>, current: &Span, base: &Context) -> Option<Span> {
    let span = tracing::info_span!(
        target: "headcount::carry", parent: None, "task",
        otel.name = task.name, id = task.id.map(TaskId::get), outcome = Empty, otel.status_code = Empty
    );
    if span.is_disabled() {
        return None;
    }
    // Before anything asks for its context, which starts it.
    let _ = span.set_parent(base.clone());
    span.follows_from(current);
    Some(span)
}

/// A span of the global provider, which may be none.
fn sdk_span(task: &Spawn<'_>, link: SpanContext, base: &Context) -> Context {
    let tracer = global::tracer("headcount");
    let builder = tracer.span_builder(task.name.to_owned()).with_links(vec![Link::with_context(link)]);
    let mut span = builder.start_with_context(&tracer, base);
    if !span.span_context().is_valid() {
        return base.clone();
    }
    if let Some(id) = task.id {
        span.set_attribute(KeyValue::new("id", i64::try_from(id.get()).unwrap_or(i64::MAX)));
    }
    base.with_span(span)
}

/// A task that has a span of its own.
struct OfTrace {
    trace: TraceId,
}

impl Carried for OfTrace {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        poll();
    }

    fn trace_id(&self) -> Option<String> {
        Some(self.trace.to_string())
    }
}

struct OfContext {
    context: Context,
    /// Of `tracing`, where the task's span is one.
    span: Option<Span>,
    trace: Option<TraceId>,
}

impl Carried for OfContext {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        let _attached = self.context.clone().attach();
        match &self.span {
            Some(span) => span.in_scope(poll),
            None => poll(),
        }
    }

    fn trace_id(&self) -> Option<String> {
        self.trace.map(|trace| trace.to_string())
    }

    fn end(&mut self, outcome: Outcome) {
        let is_failure = matches!(outcome, Outcome::Error | Outcome::Panic);
        if let Some(span) = &self.span {
            span.record("outcome", outcome.as_str());
            if is_failure {
                span.record("otel.status_code", "ERROR");
            }
            return;
        }
        let span = self.context.span();
        span.set_attribute(KeyValue::new("outcome", outcome.as_str()));
        if is_failure {
            span.set_status(Status::error(outcome.as_str()));
        }
    }
}

impl Drop for OfContext {
    /// Contexts may outlive the task in what it spawned.
    fn drop(&mut self) {
        if self.span.is_none() {
            self.context.span().end();
        }
    }
}
