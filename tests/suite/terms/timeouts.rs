//! Timeouts end tasks by a clock of their own, and say so.

use std::future::pending;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use headcount::carry::{Carried, Carrier, Spawn};
use headcount::snapshot::{FinishedQuery, Outcome, TaskLookup, TaskQuery, TimeoutInfo};
use headcount::testing::advance;
use tracing_subscriber::layer::SubscriberExt;

use super::{HOUR, group, outcome};
use crate::support::lines::{Lines, matches};

fn timeout_of(name: &str) -> TimeoutInfo {
    let page = headcount::snapshot::tasks(&TaskQuery::default().name(name)).unwrap();
    page.items[0].timeout.expect("it has one")
}

/// No driver of time, and a future whose size does not change.
#[test]
fn a_timeout_ends_a_task_on_a_runtime_without_time() {
    own_process!();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let began = Instant::now();
    let late = runtime.block_on(async {
        headcount::task("late").timeout(Duration::from_millis(50)).spawn(pending::<()>()).await
    });
    assert_eq!(outcome(late), Outcome::Timeout);
    assert!(Duration::from_millis(50) <= began.elapsed());
    let late = group("late");
    assert_eq!((late.finished.timeout, late.finished.total(), late.live), (1, 1, 0));
}

#[tokio::test]
async fn it_is_logged_once_and_in_the_history() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let place = format!("{}:{}", file!(), line!() + 1);
    let late = headcount::task("late").timeout(HOUR).spawn(pending::<()>());
    advance(HOUR);
    assert_eq!(outcome(late.await), Outcome::Timeout);
    let lines = lines.take();
    let expected =
        format!("WARN headcount::task: late #~ timed out after ~s: its timeout is 60m 0s ({place})");
    assert!(matches!(&lines[..], [line] if matches(&expected, line)), "{lines:#?}");
    let finished = headcount::snapshot::finished(&FinishedQuery::default()).unwrap();
    assert_eq!(finished.items[0].outcome, Outcome::Timeout);
    let timeout = finished.items[0].task.timeout.unwrap();
    assert_eq!(timeout.allowed, HOUR);
    // What has ended takes no more time.
    advance(HOUR);
    let later = headcount::snapshot::finished(&FinishedQuery::default()).unwrap();
    assert_eq!(later.items[0].task.timeout, Some(timeout));
    assert!(HOUR <= timeout.elapsed && timeout.elapsed < 2 * HOUR, "{timeout:?}");
}

#[tokio::test]
async fn what_ends_in_time_is_left_alone_and_leaves_nothing_behind() {
    own_process!();
    let tasks: Vec<_> = (0..1_000)
        .map(|number| headcount::task("quick").timeout(HOUR).spawn(async move { number }))
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), number);
    }
    let (deadlines, _) = headcount_core::internal::registry::timeout::timer_load();
    assert_eq!(deadlines, 0, "the timer holds deadlines of tasks that have ended");
    advance(2 * HOUR);
    assert_eq!(group("quick").finished.ok, 1_000);
}

#[tokio::test]
async fn a_task_asks_for_more_time() {
    own_process!();
    let (extended, has_extended) = tokio::sync::oneshot::channel();
    let task = headcount::task("import").timeout(HOUR).spawn(async {
        assert!(headcount::current().unwrap().extend(HOUR));
        extended.send(()).unwrap();
        pending::<()>().await;
    });
    has_extended.await.unwrap();
    advance(HOUR);
    tokio::task::yield_now().await;
    assert!(!task.is_finished(), "it had asked for more");
    assert_eq!(timeout_of("import").allowed, 2 * HOUR);
    advance(HOUR);
    assert_eq!(outcome(task.await), Outcome::Timeout);
    // Without a timeout there is nothing to extend.
    assert!(!headcount::spawn(async { headcount::current().unwrap().extend(HOUR) }).await.unwrap());
}

/// The outcome of what cannot be aborted stays its own, and one line says that it is overdue.
#[test]
fn what_cannot_be_aborted_is_overdue() {
    own_process!();
    let log = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).without_time().finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (end, ends) = channel::<()>();
    let closure = headcount::task("closure").timeout(HOUR);
    let (begun, begins) = channel();
    let closure = closure.spawn_blocking_on(
        move || {
            begun.send(()).unwrap();
            ends.recv().unwrap_err();
            7
        },
        runtime.handle(),
    );
    begins.recv().unwrap();
    let mut tracked = Box::pin(headcount::task("tracked").timeout(HOUR).track(pending::<()>()));
    assert!(runtime.block_on(async { futures_util::poll!(&mut tracked) }).is_pending());
    advance(HOUR);
    assert!(timeout_of("closure").overdue && timeout_of("tracked").overdue);
    advance(HOUR);
    let lines = log.take();
    let expected = |name: &str, why: &str| {
        format!("WARN headcount::task: {name} #~ is overdue: its timeout of 60m 0s has passed, and {why} (")
    };
    for (name, why) in
        [("closure", "a running closure cannot be aborted"), ("tracked", "it is not ours to abort")]
    {
        let told = lines.iter().filter(|line| matches(&expected(name, why), line)).count();
        assert_eq!(told, 1, "{lines:#?}");
    }
    drop(end);
    assert_eq!(runtime.block_on(closure).unwrap(), 7);
    drop(tracked);
    assert_eq!((group("closure").finished.ok, group("tracked").finished.cancelled), (1, 1));
}

/// A future stuck in a poll is overdue; if it is ready after all, that counts.
#[test]
fn a_future_stuck_in_a_poll_is_overdue() {
    own_process!();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (end, ends) = channel::<()>();
    let (begun, begins) = channel();
    let work = async move {
        begun.send(()).unwrap();
        ends.recv().unwrap_err();
        "ready after all"
    };
    let stuck = headcount::task("stuck").timeout(HOUR).spawn_on(work, runtime.handle());
    begins.recv().unwrap();
    let began = std::time::Instant::now();
    advance(HOUR);
    // Which may be over on a busy machine.
    let is_overdue = timeout_of("stuck").overdue;
    let is_early = began.elapsed() < Duration::from_millis(900);
    assert!(!is_overdue || !is_early, "it has a moment to be dropped");
    advance(Duration::from_secs(2));
    assert!(timeout_of("stuck").overdue);
    drop(end);
    assert_eq!(runtime.block_on(stuck).unwrap(), "ready after all");
    assert_eq!(group("stuck").finished.ok, 1);
}

/// A closure that no thread has taken yet can still be aborted.
#[test]
fn a_closure_that_waits_for_a_thread_times_out() {
    own_process!();
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (end, ends) = channel::<()>();
    runtime.block_on(async {
        let first = headcount::spawn_blocking(move || ends.recv().unwrap_err());
        let second = headcount::task("second").timeout(HOUR).spawn_blocking(|| ());
        advance(HOUR);
        drop(end);
        assert_eq!(outcome(second.await), Outcome::Timeout);
        first.await.unwrap();
    });
}

#[tokio::test]
async fn no_duration_is_too_long_or_too_short() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let forever = headcount::task("forever").timeout(Duration::MAX).spawn(async { 1 });
    assert_eq!(forever.await.unwrap(), 1);
    let endless = headcount::task("endless").timeout(Duration::MAX).spawn(pending::<()>());
    let told = "ERROR headcount: Ignored the timeout of forever: it is longer than 500 years";
    assert!(lines.take().iter().any(|line| line == told));
    advance(Duration::from_secs(1 << 30));
    tokio::task::yield_now().await;
    assert!(!endless.is_finished());
    endless.abort();
    let now = headcount::task("now").timeout(Duration::ZERO).spawn(pending::<()>());
    assert_eq!(outcome(now.await), Outcome::Timeout);
}

/// Threads of this process with a name.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One that ends meanwhile has none.
    let names =
        tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default());
    names.filter(|known| known.trim_end() == name).count()
}

/// One thread for all, from the first timeout on, in all three modes.
#[cfg(target_os = "linux")]
async fn timers_begin_with_the_first_timeout() {
    static LIMIT: headcount::Limit = headcount::Limit::new("job", 1);
    let job = || headcount::task("job").limit(&LIMIT).unique_replace("a").spawn(async {});
    let (first, second) = (job(), job());
    let _ = (first.await, second.await);
    headcount::spawn(async {}).await.unwrap();
    assert_eq!(threads("headcount-timer"), 0, "nothing has a timeout yet");
    let spawners: Vec<_> = (0..8)
        .map(|_| {
            let runtime = tokio::runtime::Handle::current();
            std::thread::spawn(move || {
                let timed = || headcount::task("timed").timeout(HOUR).spawn_on(async {}, &runtime);
                (0..50).map(|_| timed()).collect::<Vec<_>>()
            })
        })
        .collect();
    for spawner in spawners {
        for task in spawner.join().unwrap() {
            task.await.unwrap();
        }
    }
    let held = headcount::task("timed").timeout(HOUR).spawn(pending::<()>());
    // A thread gives itself its name as it begins.
    crate::support::wait::until_yielding(|| match threads("headcount-timer") {
        0 => Err("no thread yet"),
        threads => Ok(threads),
    })
    .await;
    assert_eq!(threads("headcount-timer"), 1);
    held.abort();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_thread_waits_for_all_timeouts() {
    own_process!();
    timers_begin_with_the_first_timeout().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_thread_waits_for_all_timeouts_where_it_is_installed() {
    own_process!("HEADCOUNT_ADMIN" = "none");
    let _hc = headcount::Headcount::install().unwrap();
    timers_begin_with_the_first_timeout().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_thread_waits_for_all_timeouts_where_it_is_off() {
    own_process!("HEADCOUNT" = "off");
    let _hc = headcount::Headcount::install().unwrap();
    timers_begin_with_the_first_timeout().await;
}

/// A crowd's timeouts count from the admission: what is left is not the timeout without the age.
#[cfg(feature = "admin")]
#[tokio::test]
async fn the_forecast_of_a_crowd_counts_timeouts_from_the_admission() {
    own_process!();
    static LIMIT: headcount::Limit = headcount::Limit::new("crowd", 3_000);
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let hc = headcount::Headcount::builder().admin(local).signals(false).install().unwrap();
    let spawn = || headcount::task("crowd").limit(&LIMIT).timeout(HOUR).spawn(pending::<()>());
    let tasks: Vec<_> = (0..4_000).map(|_| spawn()).collect();
    advance(Duration::from_secs(3_500));
    let forecast = || {
        let forecast = crate::support::http::get(hc.admin_addr().unwrap(), "/api/v1/forecast?within=200s");
        let json = forecast.expect(200).json();
        (json["done"].as_u64().unwrap(), json["unknown"].as_u64().unwrap())
    };
    // They end within the deadline; nothing is known of those that wait for a place.
    assert_eq!(forecast(), (3_000, 1_000));
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Every way to spawn has timeouts.
#[tokio::test]
async fn local_tasks_sets_and_fallible_tasks_time_out_too() {
    own_process!();
    let local = tokio::task::LocalSet::new();
    let mut set = tokio::task::JoinSet::new();
    let task = || headcount::task("late").timeout(HOUR);
    local
        .run_until(async {
            let in_local = task().spawn_local(pending::<()>());
            let fallible = task().spawn_fallible(pending::<Result<(), &str>>());
            let in_span = task().in_current_span().spawn(pending::<()>());
            task().spawn_in(&mut set, pending::<()>());
            advance(HOUR);
            assert_eq!(outcome(in_local.await), Outcome::Timeout);
            assert_eq!(outcome(fallible.await), Outcome::Timeout);
            assert_eq!(outcome(in_span.await), Outcome::Timeout);
            assert_eq!(outcome(set.join_next().await.unwrap()), Outcome::Timeout);
        })
        .await;
}

#[tokio::test]
async fn an_abort_is_no_timeout() {
    own_process!();
    let task = headcount::task("aborted").timeout(HOUR).spawn(pending::<()>());
    let id = headcount::snapshot::tasks(&TaskQuery::default()).unwrap().items[0].id;
    task.abort();
    assert_eq!(outcome(task.await), Outcome::Cancelled);
    let Some(TaskLookup::Finished(task)) = headcount::snapshot::task(id).map(|details| details.task) else {
        panic!("it has ended")
    };
    assert_eq!(task.outcome, Outcome::Cancelled);
}

/// Waits in the line of an overdue task until it may go on.
struct Blocks(Mutex<Receiver<()>>, Sender<()>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Blocks {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut is_overdue = false;
        event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            is_overdue |= format!("{value:?}").contains(" is overdue: ");
        });
        if is_overdue {
            let _ = self.1.send(());
            let _ = self.0.lock().unwrap().recv();
        }
    }
}

/// A log that takes no more lines holds up no timeout.
#[test]
fn timeouts_go_on_while_the_log_blocks() {
    own_process!();
    let (go_on, goes_on) = channel();
    let (blocks, is_blocked) = channel();
    let subscriber = tracing_subscriber::registry().with(Blocks(Mutex::new(goes_on), blocks));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let brief = Duration::from_millis(1);
    let tracked: Vec<_> =
        (0..100).map(|_| headcount::task("tracked").timeout(brief).track(pending::<()>())).collect();
    is_blocked.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let late = headcount::task("late").timeout(brief).spawn_on(pending::<()>(), runtime.handle());
    let (timed_out, is_timed_out) = channel();
    std::thread::spawn(move || timed_out.send(outcome(runtime.block_on(late))));
    assert_eq!(is_timed_out.recv_timeout(Duration::from_secs(30)), Ok(Outcome::Timeout));
    drop((tracked, go_on));
}

/// Changes a limit while a task has begun and no runtime has it yet.
struct Changes;

static INSTALLED: OnceLock<headcount::Headcount> = OnceLock::new();

impl Carrier for Changes {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn take(&self, _: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        INSTALLED.get()?.set_limit("late", 10).unwrap();
        None
    }
}

#[tokio::test]
async fn a_rule_that_changes_during_a_spawn_leaves_its_timeout_alone() {
    own_process!();
    let builder = headcount::Headcount::builder().admin(None).signals(false).carry(Changes);
    INSTALLED.set(builder.install().unwrap()).unwrap();
    let late = headcount::task("late").timeout(HOUR).spawn(pending::<()>());
    let (deadlines, _) = headcount_core::internal::registry::timeout::timer_load();
    assert_eq!(deadlines, 1, "nothing ends the task when its time is over");
    advance(HOUR);
    assert_eq!(outcome(late.await), Outcome::Timeout);
}
