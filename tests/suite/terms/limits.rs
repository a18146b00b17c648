//! Limits: never more at once, in the order of the spawns, and nothing lost.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headcount::snapshot::{Outcome, State, TaskQuery};
use headcount::testing::advance;
use headcount::{Limit, TrySpawnError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::oneshot;

use super::{HOUR, group, outcome, until};
use crate::support::http::get;
use crate::support::lines::{Lines, matches};

fn states(name: &str) -> Vec<State> {
    let page = headcount::snapshot::tasks(&TaskQuery::default().name(name)).unwrap();
    page.items.iter().map(|task| task.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_the_limit_at_once_and_nothing_is_lost() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 3);
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let job = |number: usize| {
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        async move {
            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            for _ in 0..number % 5 {
                tokio::task::yield_now().await;
            }
            inside.fetch_sub(1, SeqCst);
            number
        }
    };
    let jobs: Vec<_> =
        (0..2_000).map(|number| headcount::task("job").limit(&LIMIT).spawn(job(number))).collect();
    let mut sum = 0;
    for job in jobs {
        sum += job.await.unwrap();
    }
    assert_eq!(sum, (0..2_000).sum::<usize>());
    assert_eq!(most.load(SeqCst), 3);
    until(|| LIMIT.running() == 0).await;
    let job = group("job");
    assert_eq!((job.spawned, job.finished.ok, job.live), (2_000, 2_000, 0));
    let terms = job.terms.unwrap();
    assert_eq!((terms.limit, terms.queue, terms.limited), (Some(3), Some(10_000), 0));
    assert!(0 < terms.waited.iter().map(|bucket| bucket.count).sum::<u64>());
}

/// A plain spawn never blocks; what waits is limited, and begins in the order of the spawns.
#[tokio::test]
async fn tasks_begin_in_the_order_of_their_spawns() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let jobs: Vec<_> = (0..50)
        .map(|number| {
            let order = Arc::clone(&order);
            headcount::task("job").limit(&LIMIT).spawn(async move {
                order.lock().unwrap().push(number);
                tokio::task::yield_now().await;
            })
        })
        .collect();
    let waiting = states("job").into_iter().filter(|state| *state == State::Limited).count();
    assert_eq!((waiting, LIMIT.waiting()), (49, 49));
    assert_eq!(headcount::snapshot().states.limited, 49);
    for job in jobs {
        job.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

/// Above the queue the handle is finished before anything yields, and nothing of the task lives.
#[tokio::test]
async fn above_the_queue_a_task_is_rejected_at_once() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1).queue(2);
    let (lines, _guard) = Lines::capture();
    let spawn = || headcount::task("job").limit(&LIMIT).spawn(pending::<()>());
    let kept: Vec<_> = (0..3).map(|_| spawn()).collect();
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let rejected = headcount::task("job").limit(&LIMIT).spawn(async move { drop(held) });
    assert!(rejected.is_finished());
    assert_eq!(Arc::strong_count(&dropped), 1, "the future was dropped");
    assert_eq!(outcome(rejected.await), Outcome::Rejected);
    for _ in 0..30 {
        spawn();
    }
    let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(alive, 3, "rejected tasks live");
    let job = group("job");
    assert_eq!((job.spawned, job.finished.rejected, job.live), (34, 31, 3));
    let terms = job.terms.unwrap();
    assert_eq!(terms.rejected.iter().map(|(_, count)| count).sum::<u64>(), 31);
    let lines = lines.take();
    // Ten of the second place, and one of the first.
    assert_eq!(lines.len(), 11, "{lines:#?}");
    let expected = "WARN headcount::task: job #~ rejected: 1 run and 2 wait, which its limit allows (";
    assert!(matches(expected, &lines[0]), "{lines:#?}");
    assert_eq!(headcount::snapshot().log_lines_suppressed, 20);
    kept.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn aborting_a_task_that_waits_frees_its_place_at_once() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1).queue(1);
    let job = || headcount::task("job").limit(&LIMIT);
    let first = job().spawn(pending::<()>());
    let second = job().spawn(pending::<()>());
    assert_eq!(LIMIT.waiting(), 1);
    second.abort();
    assert_eq!(outcome(second.await), Outcome::Cancelled);
    assert_eq!(LIMIT.waiting(), 0);
    let third = job().spawn(async { 3 });
    assert_eq!(LIMIT.waiting(), 1);
    first.abort();
    assert_eq!(third.await.unwrap(), 3);
    first.await.unwrap_err();
    assert_eq!((LIMIT.running(), LIMIT.waiting()), (0, 0));
}

/// Neither `Sync` nor `Debug`, and yet an error.
#[tokio::test]
async fn try_spawn_gives_the_future_back() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1);
    let (lines, _guard) = Lines::capture();
    let job = || headcount::task("job").limit(&LIMIT);
    let first = job().try_spawn(pending::<()>()).unwrap();
    let cell = std::cell::Cell::new(2);
    let second = job().try_spawn(async move { cell.get() }).unwrap_err();
    assert!(second.is_full());
    fn text(error: &impl std::error::Error) -> String {
        format!("{error}, {error:?}")
    }
    assert_eq!(text(&second), "the limit of tasks is reached, Full(..)");
    let TrySpawnError::Full(second) = second else { panic!("it is full") };
    assert_eq!(second.await, 2);
    // It does not stand in the line, and is not logged.
    assert_eq!(LIMIT.waiting(), 0);
    assert_eq!(lines.take(), [""; 0]);
    assert_eq!(group("job").finished.rejected, 1);
    first.abort();
    first.await.unwrap_err();
    assert_eq!(job().try_spawn(async { 3 }).unwrap().await.unwrap(), 3);
}

#[tokio::test]
async fn spawn_when_free_waits_for_room() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1).queue(0);
    let job = || headcount::task("job").limit(&LIMIT);
    let (end, ends) = oneshot::channel::<()>();
    let first = job().spawn_when_free(async { ends.await.unwrap() }).await;
    let mut second = Box::pin(job().spawn_when_free(async { 2 }));
    assert!(futures_util::poll!(&mut second).is_pending());
    assert_eq!(group("job").spawned, 1, "it has not begun");
    // One that gives up leaves its place to the next.
    let mut third = Box::pin(job().spawn_when_free(async { 3 }));
    assert!(futures_util::poll!(&mut third).is_pending());
    drop(second);
    end.send(()).unwrap();
    assert_eq!(third.await.await.unwrap(), 3);
    first.await.unwrap();
    assert_eq!((LIMIT.running(), LIMIT.waiting()), (0, 0));
}

/// A timeout counts from the admission, not from the queue.
#[tokio::test]
async fn a_timeout_begins_with_the_admission() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1);
    let job = || headcount::task("job").limit(&LIMIT).timeout(HOUR);
    let first = headcount::task("first").limit(&LIMIT).spawn(pending::<()>());
    let second = job().spawn(pending::<()>());
    tokio::task::yield_now().await;
    advance(2 * HOUR);
    tokio::task::yield_now().await;
    assert_eq!(states("job"), [State::Limited]);
    first.abort();
    first.await.unwrap_err();
    until(|| states("job") == [State::Idle]).await;
    advance(HOUR);
    assert_eq!(outcome(second.await), Outcome::Timeout);
    assert_eq!(LIMIT.running(), 0, "the place is free again");
}

#[tokio::test]
async fn a_limit_of_0_rejects_and_says_so() {
    own_process!();
    let limit: &Limit = Box::leak(Box::new(Limit::new("nothing", 0)));
    let (lines, _guard) = Lines::capture();
    let job = || headcount::task("job").limit(limit);
    assert_eq!(outcome(job().spawn(async {}).await), Outcome::Rejected);
    assert_eq!(outcome(job().spawn_when_free(async {}).await.await), Outcome::Rejected);
    assert!(job().try_spawn(async {}).unwrap_err().is_full());
    let lines = lines.take();
    let rejected = "rejected: the limit nothing is 0, so nothing can run";
    let error = "ERROR headcount: The limit nothing is 0: no task that has it can run";
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert_eq!(lines[0], error);
    assert!(lines[1].contains(rejected) && lines[2].contains(rejected), "{lines:#?}");
}

/// The operator mends it.
#[tokio::test]
async fn a_rule_lifts_a_limit_of_0() {
    own_process!("HEADCOUNT_LIMIT" = "nothing=1");
    static LIMIT: Limit = Limit::new("nothing", 0);
    let hc = headcount::Headcount::builder().admin(None).signals(false).install().unwrap();
    let (lines, _guard) = Lines::capture();
    headcount::task("job").limit(&LIMIT).spawn(async {}).await.unwrap();
    assert!(!lines.take().iter().any(|line| line.contains("ERROR")));
    drop(hc);
}

/// The newest outcomes are kept, and the oldest are forgotten.
#[tokio::test]
async fn outcomes_are_kept_for_so_many_tasks() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1).queue(0);
    const KEPT: usize = 10_000;
    let spawn = || headcount::task("job").limit(&LIMIT).spawn(pending::<()>());
    let first = spawn();
    let mut rejected = Vec::new();
    for _ in 0..=KEPT {
        rejected.push(spawn().await.unwrap_err());
    }
    assert_eq!(headcount::outcome_of(&rejected[0]), Outcome::Cancelled, "it is forgotten");
    for error in [&rejected[1], &rejected[KEPT / 2], &rejected[KEPT]] {
        assert_eq!(headcount::outcome_of(error), Outcome::Rejected);
    }
    first.abort();
}

/// Once the process takes no new tasks, each of the three ways says so, and the future comes back.
#[tokio::test]
async fn nothing_is_admitted_once_spawns_are_refused() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1);
    let builder = headcount::Headcount::builder().admin(None).signals(false);
    let hc = builder.late_spawns(headcount::settings::LateSpawns::Refuse).install().unwrap();
    let (release, released) = oneshot::channel::<()>();
    let holder = headcount::task("holder").limit(&LIMIT).spawn(async { released.await.unwrap() });
    let late = headcount::task("late").spawn(async {
        let job = || headcount::task("job").limit(&LIMIT);
        // It waits for room, and finds the door closed.
        let mut waits = Box::pin(job().spawn_when_free(async {}));
        assert!(futures_util::poll!(&mut waits).is_pending());
        headcount::draining().await;
        let refused = job().try_spawn(async { 7 }).unwrap_err();
        assert!(refused.is_closed() && !refused.is_full() && !refused.is_duplicate());
        assert_eq!(refused.to_string(), "the process is stopping and takes no new tasks");
        assert_eq!(format!("{refused:?}"), "Closed(..)");
        let TrySpawnError::Closed(future) = refused else { panic!("it is closed") };
        assert_eq!(future.await, 7);
        assert_eq!(headcount::task("plain").try_spawn(async { 8 }).unwrap_err().into_inner().await, 8);
        assert_eq!(outcome(job().spawn(async {}).await), Outcome::Cancelled);
        release.send(()).unwrap();
        let handle = waits.await;
        assert!(handle.is_finished());
        assert_eq!(outcome(handle.await), Outcome::Cancelled);
        assert_eq!(outcome(job().spawn_when_free(async {}).await.await), Outcome::Cancelled);
    });
    tokio::task::yield_now().await;
    let report = hc.drain().await;
    holder.await.unwrap();
    late.await.unwrap();
    assert_eq!((report.ended.ok, report.ended.cancelled), (2, 0), "{report:?}");
    assert_eq!((LIMIT.running(), LIMIT.waiting()), (0, 0));
}

/// A closure above its limit waits without a thread of the pool.
#[test]
fn closures_wait_without_a_thread() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1).queue(2);
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(2).build().unwrap();
    runtime.block_on(async {
        let job = || headcount::task("job").limit(&LIMIT);
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let first = job().spawn_blocking(move || ends.recv().unwrap_err());
        let second = job().spawn_blocking(|| 2);
        let third = job().spawn_blocking(|| panic!("in a closure that waited"));
        let fourth = job().spawn_blocking(|| 4);
        assert_eq!(outcome(fourth.await), Outcome::Rejected);
        assert_eq!(LIMIT.waiting(), 2);
        // There is a thread for it, which waits with none of them.
        assert_eq!(headcount::spawn_blocking(|| 5).await.unwrap(), 5);
        drop(end);
        assert_eq!(second.await.unwrap(), 2);
        assert!(third.await.unwrap_err().is_panic());
        first.await.unwrap();
    });
    let job = group("job");
    assert_eq!((job.finished.ok, job.finished.panic, job.finished.rejected, job.live), (2, 1, 1, 0));
    assert_eq!(LIMIT.running(), 0);
}

/// A task at its limit that spawns its own kind and waits for it is named.
#[tokio::test]
async fn a_task_that_waits_for_its_own_kind_is_named() {
    own_process!();
    static LIMIT: Limit = Limit::new("crawl", 1);
    let (lines, _guard) = Lines::capture();
    let crawl = headcount::task("crawl").limit(&LIMIT).spawn(async {
        let inner = headcount::task("between")
            .spawn(async { headcount::task("crawl").limit(&LIMIT).spawn(async {}).await });
        let _ = inner.await;
    });
    until(|| LIMIT.waiting() == 1).await;
    let lines = lines.take();
    let expected = "WARN headcount::task: crawl #~ waits for a limit of 1, and its ancestor crawl #~ \
                    holds one of its slots: if the ancestor waits for this task, neither can continue (";
    assert!(matches!(&lines[..], [line] if matches(expected, line)), "{lines:#?}");
    crawl.abort();
    crawl.await.unwrap_err();
}

/// Whatever comes in between, the places are all there in the end.
#[test]
fn random_spawns_aborts_and_ends() {
    own_process!();
    #[derive(Clone, Debug)]
    enum Step {
        Spawn,
        TrySpawn,
        Abort(usize),
        End(usize),
        Yield,
    }
    static LIMIT: Limit = Limit::new("job", 2).queue(3);
    let step = prop_oneof![
        4 => Just(Step::Spawn),
        1 => Just(Step::TrySpawn),
        2 => any::<usize>().prop_map(Step::Abort),
        3 => any::<usize>().prop_map(Step::End),
        2 => Just(Step::Yield),
    ];
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let steps = prop::collection::vec(step, 0..60);
    // The places of the two spawns, each of which has a group.
    let counts = || {
        let groups = headcount::snapshot().groups;
        let of = |count: fn(&headcount::snapshot::GroupInfo) -> u64| groups.iter().map(count).sum::<u64>();
        (of(|group| group.spawned), of(|group| group.finished.rejected), of(|group| group.finished.total()))
    };
    TestRunner::new(config)
        .run(&steps, |steps| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let before = counts();
            runtime.block_on(async {
                let (mut tasks, mut rejected, mut admitted) = (Vec::new(), 0, 0);
                for step in steps {
                    let (end, ends) = oneshot::channel::<()>();
                    let work = async move {
                        let _ = ends.await;
                    };
                    let job = headcount::task("job").limit(&LIMIT);
                    match step {
                        Step::Spawn => {
                            let task = job.spawn(work);
                            let is_rejected = task.is_finished();
                            assert!(!is_rejected || LIMIT.waiting() == 3, "rejected below the queue");
                            if is_rejected {
                                rejected += 1;
                            } else {
                                admitted += 1;
                            }
                            if !is_rejected {
                                tasks.push((task, end));
                            }
                        }
                        Step::TrySpawn => match job.try_spawn(work) {
                            Ok(task) => {
                                admitted += 1;
                                tasks.push((task, end));
                            }
                            Err(_) => rejected += 1,
                        },
                        Step::Abort(place) if !tasks.is_empty() => {
                            let place = place % tasks.len();
                            tasks[place].0.abort();
                        }
                        Step::End(place) if !tasks.is_empty() => {
                            let place = place % tasks.len();
                            drop(tasks.remove(place).1);
                        }
                        Step::Abort(_) | Step::End(_) => {}
                        Step::Yield => tokio::task::yield_now().await,
                    }
                    assert!(LIMIT.running() <= 2 && LIMIT.waiting() <= 3);
                }
                for (task, end) in tasks {
                    drop(end);
                    let _ = task.await;
                }
                until(|| headcount::snapshot().live == 0).await;
                assert_eq!((LIMIT.running(), LIMIT.waiting()), (0, 0));
                let after = counts();
                let grown = (after.0 - before.0, after.1 - before.1, after.2 - before.2);
                assert_eq!(grown, (admitted + rejected, rejected, admitted + rejected));
            });
            Ok(())
        })
        .unwrap();
}

/// Memory does not grow with what is rejected.
#[cfg(target_os = "linux")]
#[test]
fn a_burst_of_a_million_stays_within_bounds() {
    own_process!();
    static LIMIT: Limit = Limit::new("burst", 64).queue(1_000);
    static END: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);
    const TASKS: u64 = 1_000_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let before = resident();
    runtime.block_on(async {
        for _ in 0..TASKS {
            headcount::task("burst").limit(&LIMIT).spawn(async {
                let _ = END.acquire().await;
            });
        }
    });
    let grown = resident().saturating_sub(before);
    assert!(grown < 24_000, "{grown} kB for 1,064 tasks");
    let burst = group("burst");
    assert_eq!((burst.spawned, burst.live, burst.finished.rejected), (TASKS, 1_064, TASKS - 1_064));
    END.close();
    runtime.block_on(until(|| {
        let burst = group("burst");
        (burst.live, burst.finished.ok, LIMIT.running(), LIMIT.waiting()) == (0, 1_064, 0, 0)
    }));
}

/// Kilobytes in memory.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// tokio's paused clock has no part in it.
#[tokio::test(start_paused = true)]
async fn a_paused_clock_changes_nothing() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1);
    let job = || headcount::task("job").limit(&LIMIT).timeout(HOUR);
    let jobs: Vec<_> = (0..3).map(|_| job().spawn(tokio::time::sleep(Duration::from_secs(1_000)))).collect();
    for job in jobs {
        job.await.unwrap();
    }
    assert_eq!(group("job").finished.ok, 3);
}

/// At a stop, a task that waits is waited for and admitted, or reaches `on_abandon`.
#[tokio::test]
async fn tasks_that_wait_are_part_of_a_stop() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1);
    let handed = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&handed);
    let hc = headcount::Headcount::builder()
        .admin(None)
        .signals(false)
        .drain_timeout(Duration::from_secs(4))
        .hook_timeout(Duration::from_secs(30))
        .abort_grace(Duration::from_secs(30))
        .exit_after(Duration::from_secs(120))
        .on_abandon(move |task| hook.lock().unwrap().push((task.name.to_string(), task.state)))
        .install()
        .unwrap();
    let task = |name: &'static str| headcount::task(name).limit(&LIMIT);
    let first = task("first").spawn(headcount::draining());
    let second = task("second").spawn(async { 2 });
    let third = task("third").spawn(pending::<()>());
    let fourth = task("fourth").spawn(async {});
    let cancelled = task("cancelled").on_shutdown(headcount::OnShutdown::Cancel).spawn(async {});
    assert_eq!(LIMIT.waiting(), 4);
    let report = hc.drain().await;
    first.await.unwrap();
    assert_eq!(second.await.unwrap(), 2, "it was admitted while the process drained");
    assert_eq!(outcome(third.await), Outcome::Abandoned);
    assert_eq!(outcome(fourth.await), Outcome::Abandoned);
    assert_eq!(outcome(cancelled.await), Outcome::Cancelled);
    let mut handed = handed.lock().unwrap().clone();
    handed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(handed, [("fourth".to_owned(), State::Limited), ("third".to_owned(), State::Idle)]);
    assert_eq!(report.exit_code, 124);
    assert_eq!((LIMIT.running(), LIMIT.waiting()), (0, 0));
}

/// What a limit rejects, and what waits until its queue is nearly full, is among what needs attention.
#[tokio::test]
async fn what_a_limit_holds_up_and_rejects_needs_attention() {
    own_process!();
    static LIMIT: Limit = Limit::new("email", 2).queue(10);
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let hc = headcount::Headcount::builder().admin(local).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let email = || headcount::task("email").limit(&LIMIT).spawn(pending::<()>());
    let attention = || {
        let json = get(admin, "/api/v1/attention").expect(200).json();
        json["items"].as_array().unwrap().clone()
    };
    let mut tasks: Vec<_> = (0..9).map(|_| email()).collect();
    assert_eq!(attention(), [0; 0], "seven wait, and for a moment only");
    tasks.extend((0..8).map(|_| email()));
    let items = attention();
    let sentence = |part: &str| {
        let item = items.iter().find(|item| item["sentence"].as_str().unwrap().contains(part));
        item.unwrap_or_else(|| panic!("{part}: {items:?}"))
    };
    let waits = sentence("email: 10 tasks wait for the limit of 2, the first (#");
    assert!(waits["sentence"].as_str().unwrap().ends_with("; its queue has 10 places"), "{waits}");
    let rejected = sentence("email: 5 tasks were rejected ");
    for (item, view, path) in [(waits, "tasks", "tasks"), (rejected, "finished", "finished")] {
        assert_eq!((&item["severity"], &item["link"]["view"]), (&"warning".into(), &view.into()), "{item}");
        let query = item["link"]["query"].as_str().unwrap().replace(' ', "%20");
        let total = get(admin, &format!("/api/v1/{path}?q={query}")).expect(200).json()["total"].clone();
        assert_eq!(total, if path == "tasks" { 10 } else { 5 }, "{query}");
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    until(|| LIMIT.running() == 0).await;
    assert!(!attention().iter().any(|item| item["sentence"].as_str().unwrap().contains("tasks wait")));
}
