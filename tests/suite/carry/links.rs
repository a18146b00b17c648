//! A detached task's span has a link to the span that was current at the spawn, and no parent.

use std::sync::{Arc, Mutex};

use headcount::{Headcount, carry, task};
use tokio::task::yield_now;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Span, info, info_span};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::support::lines::{Lines, matches};

/// What a subscriber sees of spans.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn add(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The fields of a record, as `key=value`.
struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 = format!("{}={value:?}", field.name());
    }
}

fn named<S: tracing::Subscriber + for<'a> LookupSpan<'a>>(id: &Id, context: &Context<'_, S>) -> String {
    context.span(id).map_or("none".to_owned(), |span| span.name().to_owned())
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context.span(id).and_then(|span| span.parent().map(|parent| parent.name().to_owned()));
        self.add(format!("{} begins in {parent:?}", attributes.metadata().name()));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        self.add(format!("{} follows {}", named(id, &context), named(follows, &context)));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        self.add(format!("{} has {}", named(id, &context), fields.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target().starts_with("suite") {
            let span = context.event_span(event).map(|span| span.name().to_owned());
            self.add(format!("event in {span:?}"));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.add(format!("{} closes", named(&id, &context)));
    }
}

/// The span of a request closes with the request, while the task that it spawned still runs.
#[tokio::test]
async fn a_link_and_no_parent() {
    own_process!();
    let seen = Seen::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(seen.clone()));
    let _hc = Headcount::builder().admin(None).signals(false).carry(carry::span_link()).install().unwrap();
    seen.take();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let request = info_span!("request");
    let mail = request.in_scope(|| {
        task("mail").spawn_fallible(async {
            info!("working");
            gone.await.unwrap();
            Err::<(), _>("no paper")
        })
    });
    drop(request);
    yield_now().await;
    go.send(()).unwrap();
    mail.await.unwrap().unwrap_err();
    let wanted = [
        "request begins in None",
        "task begins in None",
        "task follows request",
        "request closes",
        r#"event in Some("task")"#,
        r#"task has outcome="error""#,
        r#"task has otel.status_code="ERROR""#,
        "task closes",
    ];
    let found: Vec<_> = seen.take().into_iter().filter(|line| !line.contains("shut")).collect();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn a_failure_is_logged_in_the_tasks_span() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let _hc = Headcount::builder().admin(None).signals(false).carry(carry::span_link()).install().unwrap();
    lines.take();
    let request = info_span!("request", path = "/orders");
    let (fails, panics, explicit) = request.in_scope(|| {
        let fails = task("fails").spawn_fallible(async { Err::<(), _>("gone") });
        let panics = task("panics").spawn(async { panic!("gone") });
        let own = task("own").span(info_span!("own"));
        (fails, panics, own.spawn_fallible(async { Err::<(), _>("gone") }))
    });
    fails.await.unwrap().unwrap_err();
    panics.await.unwrap_err();
    explicit.await.unwrap().unwrap_err();
    // A task that is spawned outside of any span has none.
    task("outside").spawn_fallible(async { Err::<(), _>("gone") }).await.unwrap().unwrap_err();
    let lines = lines.take_calm();
    let wanted = [
        r#"ERROR task{otel.name="fails" id=~}: headcount::task: fails #"#,
        r#"ERROR task{otel.name="panics" id=~}: headcount::task: panics #"#,
        r"ERROR request{path=~",
        r"ERROR headcount::task: outside #~",
    ];
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for (index, wanted) in wanted.iter().enumerate().filter(|(index, _)| *index != 2) {
        assert!(matches(wanted, &lines[index]), "{} instead of {wanted}", lines[index]);
    }
    // The span that it was given is a child of the request's: that was asked for.
    assert!(
        lines[2].starts_with(r#"ERROR request{path="/orders"}:own: headcount::task: own #"#),
        "{}",
        lines[2]
    );
}

/// What a task spawns follows from the task's span.
#[tokio::test]
async fn a_child_follows_from_its_parent() {
    own_process!();
    let seen = Seen::default();
    // For all threads: a closure has the subscriber of its own.
    tracing::subscriber::set_global_default(Registry::default().with(seen.clone())).unwrap();
    let _hc = Headcount::builder().admin(None).signals(false).carry(carry::span_link()).install().unwrap();
    let parent = info_span!("request").in_scope(|| {
        headcount::spawn(async {
            let own = Span::current().id();
            let child = headcount::spawn(async { Span::current().id() }).await.unwrap();
            assert!(child.is_some() && child != own);
            headcount::spawn_blocking(|| assert!(Span::current().id().is_some())).await.unwrap();
        })
    });
    parent.await.unwrap();
    let found = seen.take();
    let follows: Vec<_> = found.iter().filter(|line| line.contains("follows")).collect();
    assert_eq!(follows, ["task follows request", "task follows task", "task follows task"]);
}
