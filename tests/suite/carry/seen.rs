//! What is seen of it: in the failure's line, the snapshot, the API, the report and searches.

use std::borrow::Cow;
use std::future::pending;

use headcount::carry::{self, Carried, Carrier, Spawn};
use headcount::settings::Hide;
use headcount::snapshot::{FinishedQuery, TaskQuery, finished, tasks};
use headcount::{Builder, Headcount, TextSource, task};
use serde_json::json;

use crate::support::http::{get, send};
use crate::support::lines::Lines;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

tokio::task_local! {
    static TENANT: String;
    static TRACE_ID: String;
}

/// A trace's id of the application's own.
struct OwnTrace;
struct InTrace(String);

impl Carrier for OwnTrace {
    fn name(&self) -> &'static str {
        "own-trace"
    }

    fn take(&self, _: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        Some(Box::new(InTrace(TRACE_ID.try_get().ok()?)))
    }
}

impl Carried for InTrace {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        TRACE_ID.sync_scope(self.0.clone(), poll);
    }

    fn trace_id(&self) -> Option<String> {
        Some(self.0.clone())
    }

    fn fields(&self) -> Vec<(Cow<'static, str>, String)> {
        vec![("tenant".into(), "of the second carrier".to_owned()), ("card".into(), "4242".to_owned())]
    }
}

fn builder() -> Builder {
    Headcount::builder()
        .admin("127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap())
        .signals(false)
        .carry(carry::task_local(&TENANT).field("tenant"))
        .carry(OwnTrace)
}

async fn in_request<F: Future>(work: F) -> F::Output {
    TENANT.scope("acme".to_owned(), TRACE_ID.scope(TRACE.to_owned(), work)).await
}

async fn fail() {
    let fails = task("mail").field("card", "given").spawn_fallible(async { Err::<(), _>("no paper") });
    fails.await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn everywhere() {
    own_process!();
    let hc = builder().trace_url("https://jaeger.example/trace/{trace_id}").install().unwrap();
    let live = in_request(async {
        fail().await;
        task("lives").spawn(pending::<()>())
    })
    .await;
    let page = finished(&FinishedQuery::default().name("mail")).unwrap();
    let ended = &page.items[0].task;
    assert_eq!(ended.trace_id.as_deref(), Some(TRACE));
    let fields: Vec<_> = ended.fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(fields, ["card=given", "tenant=acme"], "what the task was given, then the first carrier's");
    let found = |search: &str| {
        let filter: headcount::snapshot::Filter = search.parse().unwrap();
        let live = tasks(&TaskQuery::default().filter(filter.clone())).unwrap().total;
        (live, finished(&FinishedQuery::default().filter(filter)).unwrap().total)
    };
    assert_eq!(found("trace_id:4bf92f35*"), (1, 1));
    assert_eq!(found("trace_id:4bf92f36*"), (0, 0));
    assert_eq!(found("a3ce929d0e0e"), (1, 1));
    assert_eq!(found("field.tenant:acme"), (1, 1));

    let address = hc.admin_addr().unwrap();
    let read =
        move |path: &'static str| tokio::task::spawn_blocking(move || get(address, path).expect(200).json());
    let page = read("/api/v1/finished").await.unwrap();
    assert_eq!(page["items"][0]["trace_id"], TRACE);
    let page = read("/api/v1/tasks").await.unwrap();
    assert_eq!(
        (&page["items"][0]["trace_id"], &page["items"][0]["fields"]["tenant"]),
        (&json!(TRACE), &json!("acme"))
    );
    assert_eq!(
        read("/api/v1/summary").await.unwrap()["trace_url"],
        "https://jaeger.example/trace/{trace_id}"
    );

    let metrics = tokio::task::spawn_blocking(move || {
        let accept = ("Accept", "application/openmetrics-text; version=1.0.0");
        send(address, "GET", "/metrics", &[accept], "").expect(200).text().to_owned()
    });
    let exemplar = format!("# {{trace_id=\"{TRACE}\"}} ");
    assert_eq!(metrics.await.unwrap().matches(&exemplar).count(), 1);
    live.abort();
}

/// One line, with the trace and what is carried behind it; and as it was for a task that carries nothing.
#[tokio::test]
async fn in_the_line_of_a_failure() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let _hc = builder().install().unwrap();
    lines.take();
    in_request(fail()).await;
    fail().await;
    let lines = lines.take_calm();
    let [carrying, bare] = &lines[..] else { panic!("{lines:#?}") };
    let behind = format!(r#") trace_id="{TRACE}" carried="tenant=acme""#);
    assert!(carrying.contains("no paper (") && carrying.ends_with(&behind), "{carrying}");
    assert!(bare.ends_with(')') && !bare.contains("carried"), "{bare}");
}

#[tokio::test]
async fn redacted_before_it_is_stored() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let redact = |source: TextSource<'_>, text: &str| match source {
        TextSource::Field("tenant") => Some("[tenant]".to_owned()),
        TextSource::Field("trace_id") => Some(text[..4].to_owned()),
        _ => None,
    };
    let _hc = builder().redact(redact).install().unwrap();
    lines.take();
    let seen = in_request(async {
        fail().await;
        task("reads").spawn(async { TENANT.get() }).await.unwrap()
    });
    assert_eq!(seen.await, "acme", "the task has what it carries, whatever is shown of it");
    let page = finished(&FinishedQuery::default().name("mail")).unwrap();
    assert_eq!(page.items[0].task.trace_id.as_deref(), Some("4bf9"));
    let lines = lines.take_calm();
    assert!(lines[0].ends_with(r#"trace_id="4bf9" carried="tenant=[tenant]""#), "{lines:#?}");
    assert!(!format!("{page:?}").contains("acme"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_with_the_fields() {
    own_process!();
    let hc = builder().hide([Hide::Fields]).install().unwrap();
    let lives = in_request(async {
        fail().await;
        task("lives").spawn(pending::<()>())
    })
    .await;
    let address = hc.admin_addr().unwrap();
    for path in ["/api/v1/finished", "/api/v1/tasks", "/api/v1/summary", "/metrics"] {
        let text = tokio::task::spawn_blocking(move || get(address, path).expect(200).text().to_owned())
            .await
            .unwrap();
        assert!(!text.contains(TRACE) && !text.contains("acme"), "{path}: {text}");
    }
    let search = |text: &str| finished(&FinishedQuery::default().search(text)).unwrap().total;
    assert_eq!((search("4bf92f35"), search("no paper")), (0, 1));
    lives.abort();
}

/// What goes into the report of a stop.
#[tokio::test]
async fn in_the_report() {
    own_process!();
    let short = std::time::Duration::from_millis(50);
    let hc = builder().admin(None).drain_timeout(short).install().unwrap();
    let _lives = in_request(async { task("lives").spawn(pending::<()>()) }).await;
    let report = hc.drain().await;
    assert_eq!(report.abandoned[0].trace_id.as_deref(), Some(TRACE));
    assert_eq!(report.abandoned[0].fields["tenant"], "acme");
}

/// A trace's id is in bounds, and a hostile one forges no line.
#[tokio::test]
async fn a_hostile_id() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let _hc = builder().install().unwrap();
    lines.take();
    let hostile = format!("a\nERROR forged: {}", "x".repeat(500));
    TRACE_ID.scope(hostile, fail()).await;
    let lines = lines.take_calm();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let page = finished(&FinishedQuery::default().name("mail")).unwrap();
    assert!(page.items[0].task.trace_id.as_ref().unwrap().len() <= 64);
}
