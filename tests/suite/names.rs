//! What an unnamed task is called, for each form of code. The names are the compiler's, so a new compiler may
//! change them: then this table says what changed.

#![allow(
    clippy::unused_async,
    clippy::async_yields_async,
    clippy::redundant_closure_call,
    reason = "forms of code, not code"
)]

use std::future::{Future, pending, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use headcount::snapshot::{TaskLookup, TaskQuery};
use tokio::task::JoinHandle;
use tracing::Instrument;

tokio::task_local! {
    static REQUEST: u32;
}

async fn function() {}

async fn generic<T: Send + 'static>(value: T) {
    drop(value);
}

struct Mailer;

impl Mailer {
    async fn method(&self) {}
}

trait Provider {
    fn send(&self) -> impl Future<Output = ()> + Send;
}

impl Provider for Mailer {
    async fn send(&self) {}
}

/// As a router keeps them: a closure whose async block is the task.
fn handler() -> JoinHandle<()> {
    let handle = |order: u32| headcount::spawn(async move { assert_eq!(order, 7) });
    handle(7)
}

fn boxed() -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(function())
}

/// A future written by hand.
struct Hand<T>(PhantomData<T>);

impl<T> Future for Hand<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

fn compute() -> u32 {
    42
}

/// The name of the task that is the only one of its runtime's newest spawn.
fn name_of<T>(spawn: impl FnOnce() -> JoinHandle<T>) -> String {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        // A closure waits for its thread, so that it is there when it is looked at.
        let (_release, held) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || held.recv());
        let parent = headcount::task("names").track(async {
            let handle = spawn();
            let query = TaskQuery::default().parent(headcount::current().unwrap().id());
            let page = headcount::snapshot::tasks(&query).unwrap();
            handle.abort();
            page.items[0].name.to_string()
        });
        parent.await
    })
}

fn name_of_future<F: Future<Output: Send> + Send + 'static>(future: F) -> String {
    name_of(|| headcount::spawn(future))
}

#[test]
fn the_code_is_the_name() {
    own_process!();
    let span = tracing::info_span!("order");
    assert_eq!(name_of_future(function()), "suite::names::function");
    assert_eq!(name_of_future(async { Mailer.method().await }), "suite::names::the_code_is_the_name");
    assert_eq!(name_of_future(Box::leak(Box::new(Mailer)).method()), "suite::names::Mailer::method");
    assert_eq!(name_of_future(Box::leak(Box::new(Mailer)).send()), "suite::names::Mailer::send");
    assert_eq!(name_of_future(generic::<Vec<Option<String>>>(Vec::new())), "suite::names::generic<Vec>");
    assert_eq!(name_of_future(generic(function())), "suite::names::generic<suite::names::function>");
    assert_eq!(name_of(handler), "suite::names::handler::{1}");
    assert_eq!(name_of_future(Hand(PhantomData::<u32>)), "suite::names::Hand<u32>");
    assert_eq!(name_of_future(Hand(PhantomData::<u32>).instrument(span.clone())), "suite::names::Hand<u32>");
    assert_eq!(name_of(|| headcount::spawn_blocking(compute)), "suite::names::compute");
    assert_eq!(name_of_future(function().instrument(span.clone())), "suite::names::function");
    assert_eq!(name_of_future(function().map(|()| 1)), "suite::names::function");
    assert_eq!(name_of_future(REQUEST.scope(1, function())), "suite::names::function");
    assert_eq!(name_of_future(Box::pin(function())), "suite::names::function");
    assert_eq!(
        name_of_future(REQUEST.scope(1, function().instrument(span).map(|()| 2))),
        "suite::names::function"
    );
    assert_eq!(name_of(|| headcount::spawn_blocking(|| ())), "suite::names::the_code_is_the_name::{1}");
    assert_eq!(name_of(|| headcount::spawn((async || {})())), "suite::names::the_code_is_the_name::{2}");
}

/// A function, its blocks, and the blocks that a wrapper spawns for others: one series each.
#[tokio::test]
async fn tasks_of_one_function_are_told_apart() {
    own_process!();
    async fn outer() {
        for _ in 0..2 {
            headcount::spawn(async {}).await.unwrap();
            headcount::spawn(async {}).await.unwrap();
            headcount::spawn_blocking(|| ()).await.unwrap();
        }
    }
    fn wrapper<F: Future<Output = ()> + Send + 'static>(future: F) -> JoinHandle<()> {
        #[allow(clippy::redundant_async_block, reason = "the block is what is named")]
        headcount::spawn(async move { future.await })
    }
    headcount::spawn(outer()).await.unwrap();
    wrapper(function()).await.unwrap();
    wrapper(Hand(PhantomData::<u8>)).await.unwrap();
    let mut names: Vec<String> = headcount::snapshot()
        .groups
        .iter()
        .map(|group| group.name.replace("suite::names::tasks_of_one_function_are_told_apart", "here"))
        .collect();
    names.sort();
    let expected = [
        "here::outer",
        "here::outer::{1}",
        "here::outer::{2}",
        "here::outer::{3}",
        "here::wrapper<Hand>",
        "here::wrapper<suite::names::function>",
    ];
    assert_eq!(names, expected);
}

#[test]
fn timeouts_are_looked_through() {
    own_process!();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let limited = tokio::time::timeout(Duration::from_secs(1), function());
    assert_eq!(name_of_future(limited), "suite::names::function");
}

/// What has no code behind it is named after its place.
#[test]
fn without_code_it_is_the_place() {
    own_process!();
    let place = |name: &str| name.starts_with("tests/suite/names.rs:") && !name.ends_with(':');
    for name in [
        name_of_future(boxed()),
        name_of_future(ready(1)),
        name_of_future(pending::<()>()),
        name_of(|| headcount::spawn_blocking(compute as fn() -> u32)),
        name_of(|| headcount::task("").spawn(boxed())),
    ] {
        assert!(place(&name), "{name}");
    }
}

/// However many functions one wrapper spawns, each has its group.
#[tokio::test]
async fn a_wrapper_of_many_functions_loses_none() {
    own_process!();
    macro_rules! spawned {
        ($($name:ident)*) => {
            $(
                async fn $name() {}
                wrapper($name()).await.unwrap();
            )*
        };
    }
    fn wrapper<F: Future<Output = ()> + Send + 'static>(future: F) -> JoinHandle<()> {
        #[allow(clippy::redundant_async_block, reason = "the block is what is named")]
        headcount::spawn(async move { future.await })
    }
    spawned!(a b c d e f g h i j k l m n o p q r s t u v w x y z);
    let groups = headcount::snapshot().groups;
    assert_eq!(groups.len(), 26);
    assert!(groups.iter().all(|group| group.name.contains("::wrapper<suite::names::") && group.spawned == 1));
}

/// The location is that of the call, also through the builder and where a name is given.
#[tokio::test]
async fn the_place_is_the_callers() {
    own_process!();
    let here = |line: u32| format!("{}:{line}", file!());
    let handles = [
        (headcount::spawn(pending::<()>()), line!()),
        (headcount::spawn_on(pending(), &tokio::runtime::Handle::current()), line!()),
        (headcount::task("placed").label("a", "b").spawn(pending()), line!()),
    ];
    let page = headcount::snapshot::tasks(&TaskQuery::default().limit(500)).unwrap();
    for (handle, line) in handles {
        assert!(page.items.iter().any(|task| *task.location == *here(line)), "{line}");
        handle.abort();
    }
}

#[tokio::test]
async fn children_know_their_parent() {
    own_process!();
    let ids = |id| match headcount::snapshot::task(id).unwrap().task {
        TaskLookup::Live(task) => task.parent,
        TaskLookup::Finished(task) => task.task.parent,
    };
    let id = || headcount::current().unwrap().id();
    let family = headcount::spawn(async move {
        let blocking = headcount::spawn_blocking(id).await.unwrap();
        let tracked = headcount::track(async move { id() }).await;
        let child =
            headcount::spawn(async move { (id(), headcount::spawn(async move { id() }).await.unwrap()) });
        let (child, grandchild) = child.await.unwrap();
        (id(), blocking, tracked, child, grandchild)
    });
    let (parent, blocking, tracked, child, grandchild) = family.await.unwrap();
    assert_eq!(ids(parent), None);
    assert_eq!([ids(blocking), ids(tracked), ids(child)], [Some(parent); 3]);
    assert_eq!(ids(grandchild), Some(child));
    // Not inherited through a bare spawn, which knows nothing of its task.
    assert!(tokio::spawn(async { headcount::current().is_none() }).await.unwrap());
}
