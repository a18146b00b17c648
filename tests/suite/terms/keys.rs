//! One task in flight for a key.

use std::future::pending;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use headcount::Limit;
use headcount::snapshot::Outcome;

use super::{group, outcome, until};
use crate::support::lines::{Lines, matches};

#[tokio::test]
async fn a_second_one_is_rejected_until_the_first_has_ended() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let rebuild = |key| headcount::task("rebuild").unique(key);
    let first = rebuild(7).spawn(pending::<()>());
    let second = rebuild(7).spawn(async {});
    assert!(second.is_finished());
    assert_eq!(outcome(second.await), Outcome::Rejected);
    assert!(rebuild(7).try_spawn(async {}).unwrap_err().is_duplicate());
    let lines = lines.take();
    let expected = "WARN headcount::task: rebuild #~ rejected: a task with its key is in flight (";
    assert!(matches!(&lines[..], [line] if matches(expected, line)), "{lines:#?}");
    // Another key, and another name.
    rebuild(8).spawn(async {}).await.unwrap();
    headcount::task("other").unique(7).spawn(async {}).await.unwrap();
    first.abort();
    first.await.unwrap_err();
    rebuild(7).spawn(async {}).await.unwrap();
    let rebuild = group("rebuild");
    assert_eq!((rebuild.finished.ok, rebuild.finished.rejected, rebuild.finished.cancelled), (2, 2, 1));
}

/// The key is free once a task is dropped, also where it panics.
#[tokio::test]
async fn a_panic_frees_the_key() {
    own_process!();
    let task = || headcount::task("rebuild").unique("a");
    assert!(task().spawn(async { panic!("on purpose") }).await.unwrap_err().is_panic());
    task().spawn(async {}).await.unwrap();
}

struct OnDrop(Arc<Mutex<Vec<&'static str>>>, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

/// The new one begins after the old one has ended, destructors and all.
#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_begins_after_the_former_has_ended() {
    own_process!();
    let order = Arc::new(Mutex::new(Vec::new()));
    let task = || headcount::task("rebuild").unique_replace("a");
    let held = OnDrop(Arc::clone(&order), "old dropped");
    let (begun, begins) = tokio::sync::oneshot::channel();
    let old = task().spawn(async move {
        let _held = held;
        begun.send(()).unwrap();
        pending::<()>().await;
    });
    begins.await.unwrap();
    let new_order = Arc::clone(&order);
    let new = task().spawn(async move { new_order.lock().unwrap().push("new begins") });
    assert_eq!(outcome(old.await), Outcome::Cancelled);
    new.await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["old dropped", "new begins"]);
}

#[tokio::test]
async fn the_newest_replacement_wins() {
    own_process!();
    let task = || headcount::task("rebuild").unique_replace("a");
    let first = task().spawn(pending::<u32>());
    let second = task().spawn(async { 2 });
    let third = task().spawn(async { 3 });
    assert_eq!(outcome(first.await), Outcome::Cancelled);
    assert_eq!(outcome(second.await), Outcome::Cancelled);
    assert_eq!(third.await.unwrap(), 3);
    assert_eq!(group("rebuild").live, 0);
}

/// A running closure ends when it does, and is waited for.
#[tokio::test]
async fn a_closure_that_runs_is_waited_for() {
    own_process!();
    let (end, ends) = channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let task = || headcount::task("rebuild").unique_replace("a");
    let old = task().spawn_blocking(move || {
        begun.send(()).unwrap();
        ends.recv().unwrap_err();
        1
    });
    begins.await.unwrap();
    let new = task().spawn(async { 2 });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!new.is_finished());
    drop(end);
    assert_eq!((old.await.unwrap(), new.await.unwrap()), (1, 2));
}

/// Notes, where it is dropped, how many tasks of the name live and whether one has the key.
struct Looks(Arc<Mutex<Option<(u64, bool)>>>);

impl Drop for Looks {
    fn drop(&mut self) {
        let live = group("rebuild").live;
        let other = headcount::task("rebuild").unique("a").try_spawn(async {});
        *self.0.lock().unwrap() = Some((live, other.is_err_and(|error| error.is_duplicate())));
    }
}

/// A closure that waits has its key until it is dropped, also where its wait has begun.
#[tokio::test]
async fn a_closure_that_is_aborted_while_it_waits_is_dropped_first() {
    own_process!();
    static LIMIT: Limit = Limit::new("rebuild", 1);
    let _holder = headcount::task("holder").limit(&LIMIT).spawn(pending::<()>());
    for yields in [0, 10] {
        let seen = Arc::new(Mutex::new(None));
        let held = Looks(Arc::clone(&seen));
        let task = headcount::task("rebuild").unique("a").limit(&LIMIT);
        let waits = task.spawn_blocking(move || drop(held));
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        waits.abort();
        assert_eq!(outcome(waits.await), Outcome::Cancelled);
        assert_eq!(*seen.lock().unwrap(), Some((1, true)), "after {yields} yields");
        assert_eq!((LIMIT.running(), LIMIT.waiting(), group("rebuild").live), (1, 0, 0));
    }
}

/// A task that waits for its key takes no place of its limit meanwhile.
#[tokio::test]
async fn a_key_comes_before_a_limit() {
    own_process!();
    static LIMIT: Limit = Limit::new("rebuild", 2);
    let task = || headcount::task("rebuild").limit(&LIMIT);
    let old = task().unique_replace("a").spawn(pending::<()>());
    let new = task().unique_replace("a").spawn(async { 2 });
    assert_eq!((LIMIT.running(), LIMIT.waiting()), (1, 0));
    assert_eq!(outcome(old.await), Outcome::Cancelled);
    assert_eq!(new.await.unwrap(), 2);
    until(|| LIMIT.running() == 0).await;
}

/// Tasks whose groups find no room have the keys of their own names, and share them with those that found it.
#[tokio::test]
async fn keys_belong_to_names_also_where_there_are_too_many() {
    own_process!();
    let job = |number: u32, key: &'static str| {
        headcount::task(format!("job-{number}")).unique_replace(key).spawn(pending::<()>())
    };
    let rebuild = |number: u32, key: &'static str| {
        headcount::task("rebuild").label("repository", number.to_string()).unique(key).spawn(pending::<()>())
    };
    let early = rebuild(0, "a");
    for number in 0..200 {
        job(number, "x").abort();
        rebuild(number, "x").abort();
        tokio::task::yield_now().await;
    }
    assert!(0 < headcount::snapshot().groups_overflowed);
    let late = rebuild(199, "a");
    assert!(late.is_finished(), "both have the key");
    assert_eq!(outcome(late.await), Outcome::Rejected);
    let jobs = [job(198, "a"), job(199, "a")];
    tokio::task::yield_now().await;
    assert!(jobs.iter().all(|job| !job.is_finished()) && !early.is_finished());
    let [first, second] = jobs;
    let third = job(199, "a");
    assert_eq!(outcome(second.await), Outcome::Cancelled);
    assert!(!first.is_finished() && !third.is_finished());
}
