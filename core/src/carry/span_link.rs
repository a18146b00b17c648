//! A span for each task, linked to the one that was current at the spawn.

use tracing::Span;
use tracing::field::Empty;

use super::{Carried, Carrier, Spawn};
use crate::id::TaskId;
use crate::outcome::Outcome;

/// Carries a link to the current span, from [`span_link`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SpanLink;

/// Polls each task in a span of its own that [follows from](tracing::Span::follows_from) the span that was
/// current at the spawn.
///
/// It is no child of that span: a request's span ends with the request, and not with the last task that the
/// request spawned. The task's span is at INFO, with the target `headcount::carry` and the name `task`. Its
/// fields are `otel.name`, which is the task's name, `id`, and at the end `outcome`. The line of a failure is
/// logged in it. `tracing-opentelemetry` exports it as a span with a link.
///
/// A task that is spawned outside of any span, or that has a span of its own by
/// [`span`](crate::TaskBuilder::span) or [`in_current_span`](crate::TaskBuilder::in_current_span), gets none.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// // Of `headcount`: Headcount::builder().carry(…).install()
/// let carrier = headcount::carry::span_link();
/// ```
pub const fn span_link() -> SpanLink {
    SpanLink
}

impl Carrier for SpanLink {
    fn name(&self) -> &'static str {
        "span_link"
    }

    fn take(&self, task: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        let current = Span::current();
        if task.has_span || current.is_none() {
            return None;
        }
        let span = tracing::info_span!(
            target: "headcount::carry", parent: None, "task",
            otel.name = task.name, id = task.id.map(TaskId::get), outcome = Empty, otel.status_code = Empty
        );
        span.follows_from(&current);
        (!span.is_disabled()).then(|| Box::new(Linked(span)) as Box<dyn Carried>)
    }
}

struct Linked(Span);

impl Carried for Linked {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        self.0.in_scope(poll);
    }

    fn end(&mut self, outcome: Outcome) {
        self.0.record("outcome", outcome.as_str());
        if matches!(outcome, Outcome::Error | Outcome::Panic) {
            self.0.record("otel.status_code", "ERROR");
        }
    }
}
