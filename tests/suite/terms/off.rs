//! Terms keep their meaning with `HEADCOUNT=off`.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use headcount::carry::{Carried, Carrier, Spawn};
use headcount::snapshot::Outcome;
use headcount::testing::advance;
use headcount::{Headcount, Limit};

use super::{HOUR, outcome, until};

#[tokio::test]
async fn timeouts_end_tasks() {
    own_process!("HEADCOUNT" = "off");
    let late = headcount::task("late").timeout(HOUR).spawn(pending::<()>());
    let closure = headcount::task("closure").timeout(HOUR).spawn_blocking(|| 7);
    // The time of a task that is not tracked begins with its first poll.
    tokio::task::yield_now().await;
    advance(HOUR);
    assert_eq!(outcome(late.await), Outcome::Timeout);
    assert_eq!(closure.await.unwrap(), 7);
    let quick = headcount::task("quick").timeout(HOUR).spawn(async { 1 });
    assert_eq!(quick.await.unwrap(), 1);
    assert_eq!(headcount_core::internal::registry::timeout::timer_load().0, 0);
    assert_eq!(headcount::snapshot().spawned, 0, "nothing is tracked");
}

#[tokio::test]
async fn limits_and_keys_hold() {
    own_process!("HEADCOUNT" = "off");
    static LIMIT: Limit = Limit::new("job", 2).queue(3);
    let inside = Arc::new(AtomicUsize::new(0));
    let job = || {
        let inside = Arc::clone(&inside);
        headcount::task("job").limit(&LIMIT).spawn(async move {
            assert!(inside.fetch_add(1, SeqCst) < 2);
            tokio::task::yield_now().await;
            inside.fetch_sub(1, SeqCst);
        })
    };
    let jobs: Vec<_> = (0..6).map(|_| job()).collect();
    assert_eq!((LIMIT.running(), LIMIT.waiting()), (2, 3));
    assert!(headcount::task("job").limit(&LIMIT).try_spawn(async {}).unwrap_err().is_full());
    let outcomes: Vec<_> = futures_util::future::join_all(jobs).await;
    let rejected: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert_eq!(rejected.len(), 1);
    assert_eq!(headcount::outcome_of(&rejected[0]), Outcome::Rejected);
    until(|| LIMIT.running() == 0).await;

    let old = headcount::task("rebuild").unique_replace("a").spawn(pending::<u32>());
    let second = headcount::task("rebuild").unique("a").spawn(async { 2 });
    let third = headcount::task("rebuild").unique_replace("a").spawn(async { 3 });
    assert_eq!(outcome(old.await), Outcome::Cancelled);
    assert_eq!(outcome(second.await), Outcome::Rejected);
    assert_eq!(third.await.unwrap(), 3);
}

/// What the operator says counts too, for named tasks, sites, and those named after their code.
#[tokio::test]
async fn the_operators_rules_hold() {
    own_process!("HEADCOUNT" = "off", "HEADCOUNT_TIMEOUT" = "*=1h", "HEADCOUNT_LIMIT" = "job=1/0");
    let _hc = Headcount::install().unwrap();
    let tasks = [
        headcount::spawn(pending::<()>()),
        headcount::task("named").spawn(pending::<()>()),
        headcount::task!("site").spawn(pending::<()>()),
    ];
    let last = headcount::task("last").on_shutdown(headcount::OnShutdown::Last).spawn(pending::<()>());
    let job = headcount::task("job").spawn(pending::<()>());
    assert_eq!(outcome(headcount::task("job").spawn(async {}).await), Outcome::Rejected);
    tokio::task::yield_now().await;
    advance(HOUR + Duration::from_secs(1));
    for task in tasks {
        assert_eq!(outcome(task.await), Outcome::Timeout);
    }
    assert_eq!(outcome(job.await), Outcome::Timeout);
    tokio::task::yield_now().await;
    assert!(!last.is_finished(), "a wildcard leaves it alone");
    last.abort();
}

/// Spawns where it is to say what a task carries.
struct Spawns;

impl Carrier for Spawns {
    fn name(&self) -> &'static str {
        "spawns"
    }

    fn take(&self, _: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        headcount::spawn(async {});
        None
    }
}

/// What a carrier spawns takes no terms from the task that it is asked about.
#[tokio::test]
async fn a_carrier_that_spawns_leaves_terms_alone() {
    own_process!("HEADCOUNT" = "off", "HEADCOUNT_LIMIT" = "named=1/0,site=1/0");
    let _hc = Headcount::builder().carry(Spawns).install().unwrap();
    let named = || headcount::task("named").spawn(pending::<()>());
    let site = || headcount::task!("site").spawn(pending::<()>());
    let keyed = || headcount::task("keyed").unique("a").spawn(pending::<()>());
    let first = [named(), site(), keyed()];
    for (name, second) in [("named", named()), ("site", site()), ("keyed", keyed())] {
        assert!(second.is_finished(), "a second task {name} runs");
        assert_eq!(outcome(second.await), Outcome::Rejected, "{name}");
    }
    first.iter().for_each(tokio::task::JoinHandle::abort);
}

#[test]
fn what_cannot_be_read_is_refused() {
    own_process!("HEADCOUNT" = "off", "HEADCOUNT_TIMEOUT" = "job=soon");
    let error = Headcount::install().unwrap_err();
    assert!(error.is_setting(), "{error}");
}

/// What awaits a task counts on its end: `Cancel` and graces of the code are kept. Nothing is waited for.
#[cfg(unix)]
#[tokio::test]
async fn a_stop_keeps_policies_of_the_code() {
    own_process!("HEADCOUNT" = "off");
    use headcount::OnShutdown;

    let hc = Headcount::install().unwrap();
    let task = |policy| headcount::task("job").on_shutdown(policy);
    let cancel = task(OnShutdown::Cancel).spawn(pending::<()>());
    let connection = headcount::task("peer").connection().spawn(pending::<()>());
    let graced = headcount::task("graced").grace(HOUR).spawn(pending::<()>());
    let tells = || async { headcount::draining().await };
    let (wait, last) = (headcount::spawn(tells()), task(OnShutdown::Last).spawn(tells()));
    let (plain, detach) =
        (headcount::spawn(pending::<()>()), task(OnShutdown::Detach).grace(HOUR).spawn(pending::<()>()));
    let ended = task(OnShutdown::Cancel).spawn(async { 7 });
    assert_eq!(ended.await.unwrap(), 7);
    // What listens is there before the signal.
    tokio::task::yield_now().await;
    let began = std::time::Instant::now();
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
    let report = hc.drain().await;
    assert_eq!((report.exit_code, report.ended.total()), (0, 0));
    assert_eq!(outcome(cancel.await), Outcome::Cancelled);
    wait.await.unwrap();
    last.await.unwrap();
    assert_eq!(outcome(task(OnShutdown::Cancel).spawn(pending::<()>()).await), Outcome::Cancelled);
    // It has 2 s, which may be over on a busy machine.
    assert!(!connection.is_finished() || Duration::from_millis(1_900) < began.elapsed());
    assert!(!graced.is_finished());
    advance(Duration::from_secs(2));
    assert_eq!(outcome(connection.await), Outcome::Cancelled);
    advance(HOUR);
    assert_eq!(outcome(graced.await), Outcome::Abandoned);
    assert!(!plain.is_finished() && !detach.is_finished());
    let late = headcount::task("late").grace(HOUR).spawn(async { 8 });
    assert_eq!(late.await.unwrap(), 8);
    assert_eq!(headcount_core::internal::registry::timeout::timer_load().0, 0, "ended tasks leave nothing");
}

/// The stop gives each task its grace while the tasks end.
#[test]
fn a_task_that_ends_as_its_grace_begins_leaves_nothing() {
    own_process!("HEADCOUNT" = "off");
    use headcount_core::internal::registry::{timeout::timer_load, untracked::begin_stop};

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (end, ends) = tokio::sync::watch::channel(false);
    let _entered = runtime.enter();
    let tasks = (0..20_000).map(|_| {
        let mut ends = ends.clone();
        headcount::task("brief").grace(HOUR).spawn(async move {
            let _ = ends.wait_for(|is_over| *is_over).await;
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let stop = std::thread::spawn(begin_stop);
    end.send(true).unwrap();
    runtime.block_on(futures_util::future::join_all(tasks));
    stop.join().unwrap();
    assert_eq!(timer_load().0, 0);
}
