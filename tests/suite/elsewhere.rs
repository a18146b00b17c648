//! Spawning on a given runtime, on a `LocalSet`, in a `JoinSet`; fallible tasks of every kind; what the
//! awaiting side learns.

use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use headcount::snapshot::{FinishedQuery, TaskQuery, finished, tasks};
use headcount::{Headcount, Kind, Outcome, outcome_of, task};
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

fn ended(name: &str) -> (Kind, Outcome) {
    let page = finished(&FinishedQuery::default().name(name)).unwrap();
    assert_eq!(page.total, 1, "{name}");
    (page.items[0].task.kind, page.items[0].outcome)
}

#[test]
fn on_a_runtime_from_outside() {
    own_process!();
    let runtime = Runtime::new().unwrap();
    let sum = task("sum").spawn_blocking_on(|| 1 + 2, runtime.handle());
    let parse = task("parse").spawn_fallible_on(async { "x".parse::<u32>() }, runtime.handle());
    let read = task("read").spawn_fallible_blocking_on(|| Err::<(), _>("no such file"), runtime.handle());
    assert_eq!(runtime.block_on(sum).unwrap(), 3);
    assert!(runtime.block_on(parse).unwrap().is_err());
    assert!(runtime.block_on(read).unwrap().is_err());
    assert_eq!(runtime.block_on(headcount::spawn_blocking_on(|| 4, runtime.handle())).unwrap(), 4);
    assert_eq!(ended("sum"), (Kind::Blocking, Outcome::Ok));
    assert_eq!(ended("parse"), (Kind::Task, Outcome::Error));
    assert_eq!(ended("read"), (Kind::Blocking, Outcome::Error));
}

#[tokio::test(flavor = "current_thread")]
async fn on_a_local_set_from_outside() {
    own_process!();
    let set = LocalSet::new();
    let shared = Rc::new(5);
    let fails = Rc::clone(&shared);
    let plain = task("local").spawn_local_on(async move { *shared }, &set);
    let fails = async move { Err::<(), _>(format!("{fails}")) };
    let failing = task("local-fails").spawn_fallible_local_on(fails, &set);
    set.await;
    assert_eq!(plain.await.unwrap(), 5);
    assert!(failing.await.unwrap().is_err());
    assert_eq!(ended("local"), (Kind::Local, Outcome::Ok));
    assert_eq!(ended("local-fails"), (Kind::Local, Outcome::Error));
}

#[tokio::test]
async fn in_a_join_set() {
    own_process!();
    let mut set = JoinSet::new();
    headcount::spawn_in(&mut set, async { 1 });
    task("member").label("page", "2").spawn_in(&mut set, async { 2 });
    let waiting = task("waiting").spawn_in(&mut set, pending());
    let page = tasks(&TaskQuery::default().name("waiting")).unwrap();
    assert!(page.items[0].cancellable && page.items[0].kind == Kind::Task);
    waiting.abort();
    let mut results = Vec::new();
    while let Some(result) = set.join_next().await {
        results.extend(result.ok());
    }
    results.sort_unstable();
    assert_eq!(results, [1, 2]);
    assert_eq!(ended("member"), (Kind::Task, Outcome::Ok));
    assert_eq!(ended("waiting"), (Kind::Task, Outcome::Cancelled));
    task("dropped").spawn_in(&mut set, pending());
    drop(set);
    let mut fallible = JoinSet::new();
    task("fails").spawn_fallible_in(&mut fallible, async { Err::<(), _>("no such file") });
    assert_eq!(fallible.join_next().await.unwrap().unwrap(), Err("no such file"));
    assert_eq!(ended("fails"), (Kind::Task, Outcome::Error));
    headcount::idle().await;
    assert_eq!(ended("dropped").1, Outcome::Cancelled);
}

#[tokio::test]
async fn a_fallible_closure() {
    own_process!();
    let read = task("read").spawn_fallible_blocking(|| Err::<(), _>("no such file"));
    assert_eq!(read.await.unwrap(), Err("no such file"));
    assert_eq!(ended("read"), (Kind::Blocking, Outcome::Error));
    let page = finished(&FinishedQuery::default().name("read")).unwrap();
    assert_eq!(page.items[0].message.as_deref(), Some("no such file"));
}

#[tokio::test]
async fn the_awaiting_side_learns_the_outcome() {
    own_process!();
    let headcount = Headcount::builder()
        .ignore_env()
        .admin(None)
        .signals(false)
        .drain_timeout(Duration::from_millis(100))
        .install()
        .unwrap();
    let cancelled = headcount::spawn(pending::<()>());
    cancelled.abort();
    assert_eq!(outcome_of(&cancelled.await.unwrap_err()), Outcome::Cancelled);
    let panicking = headcount::spawn(async { panic!("on purpose") });
    assert_eq!(outcome_of(&panicking.await.unwrap_err()), Outcome::Panic);
    let mut set = JoinSet::new();
    headcount::spawn_in(&mut set, pending::<()>());
    let abandoned = headcount::spawn(pending::<()>());
    let report = headcount.drain().await;
    assert_eq!((report.abandoned_total, report.exit_code), (2, 124));
    assert_eq!(outcome_of(&abandoned.await.unwrap_err()), Outcome::Abandoned);
    assert_eq!(outcome_of(&set.join_next().await.unwrap().unwrap_err()), Outcome::Abandoned);
}
