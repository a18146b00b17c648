//! Waiting for the last task: from outside, from inside, from several at once. One process, since every task
//! of it counts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headcount::OnShutdown;
use tokio::sync::oneshot;

#[tokio::test]
async fn nothing_to_wait_for() {
    own_process!();
    headcount::idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_tasks_are_waited_for() {
    own_process!();
    static DONE: AtomicBool = AtomicBool::new(false);
    let (go, may_go) = oneshot::channel::<()>();
    let (release, is_released) = std::sync::mpsc::channel::<()>();
    let (tell, told) = oneshot::channel();
    headcount::task("idle-parent").spawn(async {
        may_go.await.unwrap();
        headcount::task("idle-child").spawn(async {
            headcount::task("idle-grandchild").spawn_blocking(move || {
                tell.send(()).unwrap();
                is_released.recv().unwrap();
                DONE.store(true, Ordering::SeqCst);
            });
        });
    });
    let idle = headcount::idle();
    tokio::pin!(idle);
    assert!(futures_util::poll!(&mut idle).is_pending(), "the parent lives");
    go.send(()).unwrap();
    told.await.unwrap();
    assert!(futures_util::poll!(&mut idle).is_pending(), "the grandchild lives");
    release.send(()).unwrap();
    idle.await;
    assert!(DONE.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn cancel_and_detach_are_not_waited_for() {
    own_process!();
    let forever =
        |policy| headcount::task("idle-forever").on_shutdown(policy).spawn(std::future::pending::<()>());
    let handles = [forever(OnShutdown::Cancel), forever(OnShutdown::Detach)];
    headcount::idle().await;
    let last = headcount::task("idle-last").on_shutdown(OnShutdown::Last).spawn(std::future::pending::<()>());
    let waiting = tokio::time::timeout(Duration::from_secs(90), headcount::idle()).await;
    assert!(waiting.is_err(), "a task of `Last` is waited for");
    last.abort();
    headcount::idle().await;
    handles.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_task_does_not_wait_for_itself() {
    own_process!();
    let (release, is_released) = oneshot::channel::<()>();
    let other = headcount::task("idle-other").spawn(is_released);
    let waiter = headcount::task("idle-waiter").spawn(async {
        headcount::idle().await;
        headcount::snapshot().groups.iter().find(|group| &*group.name == "idle-other").unwrap().live
    });
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished());
    release.send(()).unwrap();
    assert_eq!(waiter.await.unwrap(), 0);
    other.await.unwrap().unwrap();
}

#[tokio::test]
async fn tasks_that_wait_do_not_wait_for_each_other() {
    own_process!();
    let waiters: Vec<_> = (0..3).map(|_| headcount::task("idle-waiters").spawn(headcount::idle())).collect();
    for waiter in waiters {
        waiter.await.unwrap();
    }
}

#[tokio::test]
async fn a_task_may_wait_twice_at_once() {
    own_process!();
    let (release, is_released) = oneshot::channel::<()>();
    let other = headcount::task("idle-other").spawn(is_released);
    let waiter = headcount::task("idle-twice").spawn(async {
        futures_util::future::join(headcount::idle(), headcount::idle()).await;
        headcount::current().unwrap().id()
    });
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    other.await.unwrap().unwrap();
    let id = waiter.await.unwrap();
    let headcount::snapshot::TaskLookup::Finished(task) = headcount::snapshot::task(id).unwrap().task else {
        panic!("it has ended");
    };
    assert_eq!(task.task.on_shutdown, OnShutdown::Wait);
}

/// The one inside has a runtime that stands still, so that it still waits when the one outside looks.
#[test]
fn who_waits_outside_waits_for_who_waits_inside() {
    own_process!();
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (there, here) = (runtime(), runtime());
    let (release, is_released) = oneshot::channel::<()>();
    let other = headcount::task("idle-other").spawn_on(is_released, here.handle());
    let inside = headcount::task("idle-inside").spawn_on(headcount::idle(), there.handle());
    there.block_on(tokio::task::yield_now());
    let outside = here.spawn(headcount::idle());
    here.block_on(async {
        tokio::task::yield_now().await;
        release.send(()).unwrap();
        other.await.unwrap().unwrap();
        tokio::task::yield_now().await;
    });
    assert!(!outside.is_finished(), "the one inside has not ended");
    there.block_on(inside).unwrap();
    here.block_on(outside).unwrap();
}

/// A relay: each runner starts the next, now of one policy and now of the other, so that never less than one
/// lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_of_policies_is_never_idle() {
    own_process!();
    static FINISHED: AtomicBool = AtomicBool::new(false);
    fn run(left: u32) {
        let policy = if left.is_multiple_of(2) { OnShutdown::Wait } else { OnShutdown::Last };
        headcount::task("idle-relay").on_shutdown(policy).spawn(async move {
            match left.checked_sub(1) {
                Some(left) => run(left),
                None => FINISHED.store(true, Ordering::SeqCst),
            }
        });
    }
    for _ in 0..20 {
        FINISHED.store(false, Ordering::SeqCst);
        run(2_000);
        headcount::idle().await;
        assert!(FINISHED.load(Ordering::SeqCst), "idle in the middle of the relay");
    }
}

/// A stop goes on in real time, by a thread of its own. The paused clock waits for it, so that a timeout
/// around the drain is not over at once; tasks that sleep end at once all the same.
#[tokio::test(start_paused = true)]
async fn a_paused_clock_waits_for_the_drain() {
    own_process!();
    use std::time::Instant;

    use headcount::Headcount;
    use tokio::time::{sleep, timeout};

    let hour = Duration::from_secs(3600);
    let (began, virtually) = (Instant::now(), tokio::time::Instant::now());
    let hc = Headcount::builder().admin(None).announce_delay(Duration::from_millis(200)).install().unwrap();
    let told = || async {
        headcount::draining().await;
        sleep(Duration::from_secs(600)).await;
    };
    headcount::task("told").spawn(told());
    headcount::task("last").on_shutdown(OnShutdown::Last).spawn(told());
    headcount::task("cancelled").on_shutdown(OnShutdown::Cancel).spawn(std::future::pending::<()>());
    let report = timeout(hour, hc.drain()).await.expect("the drain is over before the hour is");
    assert_eq!((report.ended.ok, report.ended.cancelled, report.abandoned_total), (2, 1, 0));
    let passed = virtually.elapsed();
    assert!(Duration::from_secs(1200) <= passed && passed < hour, "{passed:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
