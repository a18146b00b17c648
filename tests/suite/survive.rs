//! A recorder or a subscriber of the application's panics, and headcount's threads go on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headcount::snapshot::TaskInfo;
use headcount::{Headcount, task};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::support::http::get;
use crate::support::wait::until;

/// The lines that a subscriber took, and what it panics at.
static TAKEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Panics(&'static str);

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: tracing::Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        assert!(self.0.is_empty() || !text.0.contains(self.0), "the subscriber cannot take this");
        TAKEN.lock().unwrap().push(text.0);
    }
}

fn subscribe(panics_at: &'static str) {
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Panics(panics_at))).unwrap();
}

fn taken(text: &str) -> usize {
    TAKEN.lock().unwrap().iter().filter(|line| line.contains(text)).count()
}

#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    until(|| if is_so() { Ok(()) } else { Err((what, TAKEN.lock().unwrap().clone())) });
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

/// A recorder whose every gauge panics.
struct Broken;

impl Recorder for Broken {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        CALLS.fetch_add(1, Ordering::SeqCst);
        panic!("the recorder is broken");
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Said once, tried again each second, and without a word of it in the drain.
#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_panics() {
    own_process!();
    subscribe("");
    metrics::set_global_recorder(Broken).unwrap();
    let address: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    let hc = Headcount::builder().admin(address).signals(false).install().unwrap();
    task("mail").spawn(async {}).await.unwrap();
    tokio::task::spawn_blocking(|| eventually("it is tried again", || 3 <= CALLS.load(Ordering::SeqCst)))
        .await
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    let text = tokio::task::spawn_blocking(move || get(admin, "/metrics").expect(200).text().to_owned());
    assert!(text.await.unwrap().contains("headcount_tasks_spawned_total{task=\"mail\""));
    let report = hc.drain().await;
    assert_eq!(report.exit_code, 0);
    assert_eq!(taken("The recorder of the application panicked"), 1);
    assert_eq!(taken("All background tasks completed"), 1);
}

/// The thread that writes the log of all others meets a subscriber that panics, and writes the next line.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_panics_on_the_logs_thread() {
    own_process!();
    subscribe("The recorder of the application panicked");
    metrics::set_global_recorder(Broken).unwrap();
    let builder = Headcount::builder().admin(None).signals(false).blocked_after(Duration::from_millis(100));
    let hc = builder.install().unwrap();
    tokio::task::spawn_blocking(|| eventually("the line was written", || 2 <= CALLS.load(Ordering::SeqCst)))
        .await
        .unwrap();
    // The next line is of the same thread: a task blocks its worker.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let blocks = task("blocks").spawn(async move { assert!(released.recv().is_err()) });
    tokio::task::spawn_blocking(|| eventually("the next line", || taken("blocks its thread") == 1))
        .await
        .unwrap();
    drop(release);
    blocks.await.unwrap();
    assert_eq!(hc.drain().await.exit_code, 0);
    assert_eq!(taken("The recorder of the application panicked"), 0);
    assert_eq!(taken("All background tasks completed"), 1);
}

/// A closure that waits for a thread of the pool when the deadline comes is in every account of what was cut.
#[test]
fn a_queued_closure_that_the_deadline_cuts() {
    own_process!();
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    subscribe("");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.unwrap();
    let hc = Headcount::builder()
        .admin(None)
        .signals(false)
        .drain_timeout(Duration::from_millis(300))
        .abort_grace(Duration::from_millis(300))
        .exit_after(Duration::from_secs(60))
        .on_abandon(|task: &TaskInfo| SEEN.lock().unwrap().push(format!("{} {:?}", task.name, task.state)))
        .install()
        .unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let entered = runtime.enter();
    let running = task("running").spawn_blocking(move || released.recv().unwrap_err());
    eventually("it runs", || headcount::snapshot().states.running == 1);
    let queued = task("queued").spawn_blocking(|| panic!("it never runs"));
    drop(entered);
    let report = runtime.block_on(hc.drain());

    let abandoned: Vec<_> = report.abandoned.iter().map(|task| (&*task.name, task.aborted)).collect();
    assert_eq!(report.abandoned_total, 2);
    assert!(
        abandoned.contains(&("queued", false)) && abandoned.contains(&("running", false)),
        "{abandoned:?}"
    );
    assert_eq!(report.exit_code, 124);
    let mut seen = std::mem::take(&mut *SEEN.lock().unwrap());
    seen.sort();
    assert_eq!(seen, ["queued Queued", "running Running"]);
    let metrics = hc.render_metrics();
    for name in ["queued", "running"] {
        let of = format!("headcount_shutdown_abandoned_total{{task=\"{name}\",kind=\"blocking\"}} 1\n");
        assert!(metrics.contains(&of), "{of} is not in {metrics}");
        let line = |line: &&String| line.contains(&format!("{name} #")) && line.contains("abandoned after");
        assert_eq!(TAKEN.lock().unwrap().iter().filter(line).count(), 1, "{name}");
    }
    // Only a thread of the pool takes an aborted closure off its queue.
    drop(release);
    runtime.block_on(running).unwrap();
    assert!(runtime.block_on(queued).unwrap_err().is_cancelled());
    let finished =
        "headcount_tasks_finished_total{task=\"queued\",kind=\"blocking\",outcome=\"abandoned\"} 1\n";
    assert!(hc.render_metrics().contains(finished));
    runtime.shutdown_background();
}
