//! Code that panics in every place it can, and limits that change under load: no place and no key is lost.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use headcount::snapshot::Outcome;
use headcount::{
    Backoff, Headcount, Limit, NotRunnable, Restart, ServiceState, TrySpawnError, every, service,
};
use tokio::task::JoinHandle;

use super::{HOUR, outcome, until};
use crate::support::lines::Lines;

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

async fn with_bomb(waits: bool) {
    let _bomb = Bomb;
    if waits {
        pending::<()>().await;
    }
}

/// Futures, closures and destructors panic while they run, wait or are refused: places and keys are free
/// afterwards.
async fn panics_lose_nothing() {
    static LIMIT: Limit = Limit::new("job", 1).queue(4);
    let job = || headcount::task("job").limit(&LIMIT).unique_replace("a");
    let free = || async { until(|| (LIMIT.running(), LIMIT.waiting()) == (0, 0)).await };
    assert!(job().spawn(async { panic!("in the future") }).await.unwrap_err().is_panic());
    free().await;
    assert!(job().spawn(with_bomb(false)).await.unwrap_err().is_panic());
    free().await;
    // Dropped while it runs.
    let runs = job().spawn(with_bomb(true));
    tokio::task::yield_now().await;
    runs.abort();
    runs.await.unwrap_err();
    free().await;
    // Dropped while it waits for its place, and for its key.
    let plain = || headcount::task("plain").limit(&LIMIT);
    let holder = plain().spawn(pending::<()>());
    let held = Bomb;
    let waits = plain().spawn(async move {
        let _held = held;
    });
    waits.abort();
    waits.await.unwrap_err();
    assert_eq!((LIMIT.running(), LIMIT.waiting()), (1, 0));
    holder.abort();
    let _ = holder.await;
    let first = job().spawn(pending::<()>());
    let held = Bomb;
    let second = job().spawn(async move {
        let _held = held;
    });
    let third = job().spawn(async { 3 });
    assert_eq!(outcome(first.await), Outcome::Cancelled);
    second.await.unwrap_err();
    assert_eq!(third.await.unwrap(), 3);
    free().await;
    // Closures, at once and after they waited.
    let (first, second) = (plain().spawn_blocking(|| panic!("first")), plain().spawn_blocking(|| drop(Bomb)));
    assert!(first.await.unwrap_err().is_panic() && second.await.unwrap_err().is_panic());
    free().await;
    // What is rejected is dropped by the one that spawns, who hears nothing of it.
    static FULL: Limit = Limit::new("full", 1).queue(0);
    let full = || headcount::task("full").limit(&FULL);
    let holder = full().spawn(pending::<()>());
    let held = Bomb;
    let rejected = full().spawn(async move {
        let _held = held;
    });
    assert_eq!(outcome(rejected.await), Outcome::Rejected);
    struct Carries;
    impl Drop for Carries {
        fn drop(&mut self) {
            std::panic::panic_any(Bomb);
        }
    }
    let held = Carries;
    let rejected = full().spawn(async move {
        let _held = held;
    });
    assert_eq!(outcome(rejected.await), Outcome::Rejected);
    holder.abort();
    let _ = holder.await;
    assert_eq!(full().try_spawn(async { 1 }).unwrap().await.unwrap(), 1);
}

#[tokio::test]
async fn panics_lose_no_place_and_no_key() {
    own_process!();
    panics_lose_nothing().await;
    assert_eq!(headcount::snapshot().live, 0);
}

#[tokio::test]
async fn nor_with_headcount_off() {
    own_process!("HEADCOUNT" = "off");
    panics_lose_nothing().await;
}

/// Panics, and notes that it was called.
#[derive(Default)]
struct BadWaker(AtomicBool);

impl Wake for BadWaker {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
        panic!("in a waker");
    }
}

/// Callers wait with wakers of their own, all of which panic: each that has a place is woken.
#[tokio::test]
async fn a_waker_that_panics_costs_no_other_its_place() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1);
    let hc = Headcount::builder().admin(None).signals(false).install().unwrap();
    let job = || headcount::task("job").limit(&LIMIT);
    let holder = job().spawn(pending::<()>());
    let mut callers: Vec<_> = (0..3)
        .map(|number| {
            let waker = Arc::new(BadWaker::default());
            let mut caller = Box::pin(job().spawn_when_free(async move { number }));
            let own = Waker::from(Arc::clone(&waker));
            assert!(caller.as_mut().poll(&mut Context::from_waker(&own)).is_pending());
            (caller, waker)
        })
        .collect();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hc.set_limit("job", 4)));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"in a waker"));
    let woken: Vec<_> = callers.iter().map(|(_, waker)| waker.0.load(SeqCst)).collect();
    assert_eq!(woken, [true; 3]);
    for (number, (caller, _)) in callers.drain(..).enumerate() {
        assert_eq!(caller.await.await.unwrap(), number);
    }
    holder.abort();
}

/// A spawn outside of a runtime panics, as tokio's does, and holds nothing afterwards.
#[test]
fn a_spawn_without_a_runtime_holds_nothing() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1).queue(1);
    let job = || headcount::task("job").limit(&LIMIT).unique("a").timeout(HOUR);
    let panics = |spawn: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(spawn)).is_err();
    assert!(panics(&|| drop(job().spawn(async {}))));
    assert!(panics(&|| drop(job().try_spawn(async {}))));
    assert!(panics(&|| drop(job().spawn_blocking(|| ()))));
    assert!(panics(&|| drop(job().spawn_local(async {}))));
    assert!(panics(&|| drop(futures_util::FutureExt::now_or_never(job().spawn_when_free(async {})))));
    assert_eq!((LIMIT.running(), LIMIT.waiting()), (0, 0));
    assert_eq!(headcount::snapshot().live, 0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { job().spawn(async {}).await.unwrap() });
    // One that has ended takes what it is given, and drops it.
    let handle = runtime.handle().clone();
    drop(runtime);
    job().spawn_on(async {}, &handle);
    assert_eq!((LIMIT.running(), headcount::snapshot().live), (0, 0));
    let (deadlines, _) = headcount_core::internal::registry::timeout::timer_load();
    assert_eq!(deadlines, 0);
}

/// Runtimes end while their tasks have, wait for, or were just handed a place.
#[test]
fn a_runtime_that_ends_gives_its_places_back() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 2);
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    for _ in 0..200 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let spawn = |handle: &tokio::runtime::Handle| {
            headcount::task("job").limit(&LIMIT).spawn_on(tokio::task::yield_now(), handle)
        };
        for _ in 0..4 {
            spawn(runtime.handle());
        }
        let elsewhere: Vec<_> = (0..4).map(|_| spawn(other.handle())).collect();
        runtime.block_on(tokio::task::yield_now());
        drop(runtime);
        other.block_on(async {
            for task in elsewhere {
                task.await.unwrap();
            }
        });
    }
    other.block_on(until(|| (LIMIT.running(), LIMIT.waiting()) == (0, 0)));
    assert_eq!(headcount::snapshot().live, 0);
}

/// `set_limit` up and down while four threads spawn, abort and wait.
async fn a_limit_changes_under_load() {
    static LIMIT: Limit = Limit::new("job", 4).queue(50);
    const MOST: usize = 8;
    let hc = Headcount::builder().admin(None).signals(false).install().unwrap();
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let is_over = Arc::new(AtomicBool::new(false));
    struct Inside(Arc<AtomicUsize>);
    impl Drop for Inside {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    let work = |number: usize| {
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        async move {
            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            let _inside = Inside(inside);
            for _ in 0..number % 4 {
                tokio::task::yield_now().await;
            }
            assert!(number % 13 != 0, "as told");
        }
    };
    let changer = {
        let is_over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            for at_once in (1..=MOST).chain((1..MOST).rev()).cycle() {
                hc.set_limit("job", at_once).unwrap();
                if is_over.load(SeqCst) {
                    return hc;
                }
            }
            unreachable!("it goes on for good")
        })
    };
    let spawners: Vec<_> = (0..4)
        .map(|seed: usize| {
            let work = (0..3_000).map(|number| work(number * 7 + seed)).collect::<Vec<_>>();
            tokio::spawn(async move {
                let (mut ended, mut tasks) = ([0_usize; 4], Vec::new());
                for (number, work) in work.into_iter().enumerate() {
                    let job = headcount::task("job").limit(&LIMIT);
                    match number % 5 {
                        0 => tasks.push(job.spawn_when_free(work).await),
                        1 => match job.try_spawn(work) {
                            Ok(task) => tasks.push(task),
                            Err(TrySpawnError::Full(_)) => ended[3] += 1,
                            Err(error) => panic!("{error}"),
                        },
                        _ => tasks.push(job.spawn(work)),
                    }
                    if number % 11 == 0 {
                        tasks[number % tasks.len()].abort();
                    }
                }
                for task in tasks {
                    ended[kind(task).await] += 1;
                }
                ended
            })
        })
        .collect();
    let mut sums = [0; 4];
    for spawner in spawners {
        let ended = spawner.await.unwrap();
        sums.iter_mut().zip(ended).for_each(|(sum, count)| *sum += count);
    }
    is_over.store(true, SeqCst);
    let _hc = changer.join().unwrap();
    assert_eq!(sums.iter().sum::<usize>(), 12_000, "{sums:?}");
    assert!(sums.iter().all(|count| 0 < *count), "each of them happens: {sums:?}");
    assert!(most.load(SeqCst) <= MOST, "{most:?}");
    until(|| (LIMIT.running(), LIMIT.waiting()) == (0, 0)).await;
    assert_eq!(inside.load(SeqCst), 0);
}

/// Ok, panicked, cancelled or rejected, as a place in a list.
async fn kind(task: JoinHandle<()>) -> usize {
    match task.await {
        Ok(()) => 0,
        Err(error) if error.is_panic() => 1,
        Err(error) if headcount::outcome_of(&error) == Outcome::Rejected => 3,
        Err(_) => 2,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_that_changes_under_load_loses_nothing() {
    own_process!();
    a_limit_changes_under_load().await;
    until(|| headcount::snapshot().live == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_does_one_with_headcount_off() {
    own_process!("HEADCOUNT" = "off");
    a_limit_changes_under_load().await;
}

/// With tracking off nothing goes through the groups, and yet what waits begins when there is room.
#[tokio::test]
async fn set_limit_admits_what_waits_with_headcount_off() {
    own_process!("HEADCOUNT" = "off", "HEADCOUNT_LIMIT" = "job*=1");
    let hc = Headcount::install().unwrap();
    let job = || headcount::task("job").spawn(pending::<()>());
    let (first, second) = (job(), headcount::task("job").spawn(async { 2 }));
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    hc.set_limit("job", 2).unwrap();
    assert_eq!(second.await.unwrap(), 2);
    let (third, fourth) = (job(), headcount::task("job").spawn(async { 4 }));
    hc.set_limit("job", 3).unwrap();
    assert_eq!(fourth.await.unwrap(), 4);
    [first, third].iter().for_each(JoinHandle::abort);
}

/// A limit of 0 admits nothing, also where a task waits for its key first, which keeps it.
#[tokio::test]
async fn a_limit_of_0_ends_no_other_task() {
    own_process!();
    static NOTHING: Limit = Limit::new("nothing", 0);
    let first = headcount::task("job").unique("a").spawn(pending::<()>());
    let second = headcount::task("job").unique_replace("a").limit(&NOTHING).spawn(async {});
    assert_eq!(outcome(second.await), Outcome::Rejected);
    tokio::task::yield_now().await;
    assert!(!first.is_finished(), "nothing replaced it");
    first.abort();
}

/// An `install` that fails leaves no rules behind.
#[cfg(feature = "admin")]
#[tokio::test]
async fn a_failed_install_leaves_no_rules() {
    own_process!();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let builder = Headcount::builder().signals(false).admin(taken.local_addr().unwrap());
    builder.limit([("job", 1)]).timeout([("job", HOUR)]).install().unwrap_err();
    let job = || headcount::task("job").try_spawn(pending::<()>());
    let tasks = [job().unwrap(), job().unwrap()];
    assert!(headcount::snapshot().groups.iter().all(|group| {
        group.terms.as_ref().is_none_or(|terms| terms.limit.is_none() && terms.timeout.is_none())
    }));
    tasks.iter().for_each(JoinHandle::abort);
}

/// What a panic carries may panic itself: the supervisor goes on.
#[tokio::test(start_paused = true)]
async fn a_panic_that_carries_a_bomb_is_a_failed_run() {
    own_process!();
    let quick = Backoff::constant(Duration::from_secs(1));
    let bombs = service("bombs", || async { std::panic::panic_any(Bomb) });
    let bombs = bombs.restart(Restart::OnFailure, quick.clone()).spawn().unwrap();
    let factory = service("factory", || -> std::future::Ready<()> { std::panic::panic_any(Bomb) });
    let factory = factory.restart(Restart::OnFailure, quick.clone()).spawn().unwrap();
    let drops = service("drops", || with_bomb(false)).restart(Restart::Always, quick).spawn().unwrap();
    let ticks = every(Duration::from_secs(1), "ticks").run(|| async { std::panic::panic_any(Bomb) }).unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    for handle in [&bombs, &factory, &drops, &ticks] {
        let info = handle.info();
        assert_eq!((info.runs, info.failures), (4, 4), "{info:?}");
        assert!(!info.state.is_over());
        handle.stop();
        assert_eq!(handle.ended().await, ServiceState::Stopped);
    }
}

/// Stopped while it waits for its limit, whose place goes to the other.
#[tokio::test(start_paused = true)]
async fn a_service_is_stopped_while_it_waits_for_its_limit() {
    own_process!("HEADCOUNT_LIMIT" = "pump=1");
    let hc = Headcount::builder().admin(None).signals(false).install().unwrap();
    let pump = || service("pump", pending::<()>).spawn().unwrap();
    let (first, second, third) = (pump(), pump(), pump());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(headcount::snapshot().states.limited, 2);
    second.stop();
    assert_eq!(second.ended().await, ServiceState::Stopped);
    first.stop();
    assert_eq!(first.ended().await, ServiceState::Stopped);
    until(|| headcount::snapshot().states.limited == 0).await;
    assert_eq!(third.state(), ServiceState::Running);
    third.stop();
    third.ended().await;
    assert_eq!(headcount::snapshot().live, 0);
    drop(hc);
}

/// A service that has failed begins again only while something is there to begin it.
#[test]
fn nothing_runs_a_failed_service_whose_runtime_is_gone() {
    own_process!();
    let (_lines, _guard) = Lines::capture();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let never = Backoff::constant(Duration::from_secs(1)).give_up(0, Duration::from_secs(60));
    let fails = || async { Err::<(), _>("no connection") };
    let failed =
        service("failed", fails).restart(Restart::OnFailure, never).spawn_on(runtime.handle()).unwrap();
    assert_eq!(runtime.block_on(failed.ended()), ServiceState::Failed);
    failed.run_now().unwrap();
    drop(runtime);
    assert_eq!(failed.run_now(), Err(NotRunnable::Over));
    assert_eq!(failed.state(), ServiceState::Failed);
}
