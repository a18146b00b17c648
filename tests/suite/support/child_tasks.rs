//! The tasks of the process under test.
//!
//! Those that work so long after draining began: `wait NAME MS`, `panic NAME MS`, `fail NAME MS`, `last NAME
//! MS [GRACE]`, `last-grace NAME MS`. Others: `forever NAME`, `status NAME`, `cancel NAME`, `cancel-stuck
//! NAME MS`, `detach NAME MS`, `grace NAME MS`, `blocking NAME MS`, `stuck NAME MS`, `many NAME COUNT`,
//! `usual NAME MS`, `overdue NAME`, `late NAME`, `late-burst NAME COUNT`, `idles NAME`, `drains NAME`,
//! `drains-twice NAME`, `drains-and-drops NAME`, `drains-a-while NAME MS`, `labelled NAME`, `queued NAME
//! COUNT`, `times-out NAME MS`, `requests NAME COUNT`, `family NAME COUNT`, `drains-tracked NAME`,
//! `drains-wrapped NAME`, `drains-connection NAME`, `connection NAME`, `closes NAME MS`, `plain NAME`,
//! `tracker NAME MS`, `moves NAME MS`, `timed NAME MS`, `opens NAME`, `listens NAME`, `panics-if-asked
//! NAME`. Services and timers are in [`child_services`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use headcount::snapshot::TaskQuery;
use headcount::{Headcount, OnShutdown, State};

use super::child::{millis, say};
use super::child_services;

/// Work that is sure to be there when the shutdown begins, and ends so long after.
pub(super) async fn work(time: Duration) {
    headcount::draining().await;
    tokio::time::sleep(time).await;
}

/// Waits until a number of tasks live.
async fn alive(tasks: u128) {
    while u128::from(headcount::snapshot().live) < tasks {
        tokio::task::yield_now().await;
    }
}

/// Waits until the tasks of `wait` await the drain. From then on the forecast knows that they follow it.
pub(super) async fn listen(tasks: &[Vec<String>]) {
    for words in tasks.iter().filter(|words| words[0] == "wait") {
        let mut query = TaskQuery::default();
        query.name = Some(words[1].clone());
        let listen = || {
            let found = headcount::snapshot::tasks(&query).unwrap();
            found.items.iter().all(|task| task.state == State::Idle)
        };
        while !listen() {
            tokio::task::yield_now().await;
        }
    }
}

/// Begins one of them.
pub(super) async fn begin(words: &[String], hc: &Arc<Headcount>) {
    let [what, name, ..] = words else { panic!("{words:?}") };
    let time = words.get(2).map_or(Duration::ZERO, |text| millis(text));
    let task = headcount::task(name.clone());
    match what.as_str() {
        "wait" => drop(task.spawn(work(time))),
        "forever" => drop(task.spawn(std::future::pending::<()>())),
        "status" => {
            let (said, is_said) = std::sync::mpsc::channel();
            drop(task.spawn(async move {
                let current = headcount::current().unwrap();
                current.set_status("batch 3/10");
                current.set_progress(3, 10);
                said.send(()).unwrap();
                std::future::pending::<()>().await;
            }));
            // What is ready has said what it does.
            is_said.recv().unwrap();
        }
        "cancel" => drop(task.on_shutdown(OnShutdown::Cancel).spawn(std::future::pending::<()>())),
        "cancel-stuck" => {
            let (begun, begins) = std::sync::mpsc::channel();
            drop(task.on_shutdown(OnShutdown::Cancel).spawn(async move {
                begun.send(()).unwrap();
                std::thread::sleep(time);
            }));
            begins.recv().unwrap();
        }
        "detach" => drop(task.on_shutdown(OnShutdown::Detach).spawn(tokio::time::sleep(time))),
        "last" => {
            let last = task.on_shutdown(OnShutdown::Last);
            let last = match words.get(3) {
                Some(grace) => last.grace(millis(grace)),
                None => last,
            };
            drop(last.spawn(async move {
                headcount::draining().await;
                say("last told");
                tokio::time::sleep(time).await;
                say("last done");
            }));
        }
        "connection" => drop(task.connection().spawn(std::future::pending::<()>())),
        "closes" => drop(task.connection().spawn(async move {
            headcount::draining().await;
            tokio::time::sleep(time).await;
        })),
        "plain" => drop(tokio::spawn(std::future::pending::<()>())),
        "last-grace" => {
            let last = task.on_shutdown(OnShutdown::Last).grace(time);
            drop(last.spawn(std::future::pending::<()>()));
        }
        "grace" => drop(task.grace(time).spawn(std::future::pending::<()>())),
        "panic" => drop(task.spawn(async move {
            work(time).await;
            panic!("as told");
        })),
        "fail" => drop(task.spawn_fallible(async move {
            work(time).await;
            Err::<(), _>("as told")
        })),
        "blocking" => drop(task.spawn_blocking(move || std::thread::sleep(time))),
        "stuck" => drop(task.spawn(async move { std::thread::sleep(time) })),
        "many" => {
            for _ in 0..time.as_millis() {
                headcount::task(name.clone()).spawn(headcount::draining());
            }
        }
        "requests" => {
            begin_requests(time.as_millis());
            alive(time.as_millis()).await;
        }
        "family" => {
            task.spawn(async move {
                let child = || headcount::task("child").track(std::future::pending::<()>());
                let mut children: tokio::task::JoinSet<()> = tokio::task::JoinSet::new();
                (0..time.as_millis()).for_each(|_| drop(children.spawn(child())));
                children.join_next().await;
            });
            alive(time.as_millis() + 1).await;
        }
        _ if ["service", "timer", "critical"].iter().any(|kind| what.starts_with(kind)) => {
            child_services::begin(what, name.clone(), time).await;
        }
        _ if what.starts_with("drains") => await_drain(what, task, time, Arc::clone(hc)),
        _ => begin_another(what, name.clone(), task, time).await,
    }
}

async fn begin_another(what: &str, name: String, task: headcount::TaskBuilder, time: Duration) {
    match what {
        "labelled" => {
            drop(task.label("team", "search").field("shard", 7).spawn(std::future::pending::<()>()));
        }
        "queued" => begin_closures(&name, time.as_millis()),
        // Four fifths of its time are over, by the clock of timeouts.
        "timed" => {
            let (begun, begins) = std::sync::mpsc::channel();
            drop(task.timeout(time).spawn(async move {
                begun.send(()).unwrap();
                std::future::pending::<()>().await;
            }));
            begins.recv().unwrap();
            headcount::testing::advance(time * 4 / 5);
        }
        "times-out" => drop(task.spawn(async move {
            headcount::draining().await;
            let brief = headcount::task("brief").timeout(time).spawn(std::future::pending::<()>());
            let _ = brief.await;
        })),
        "moves" => drop(task.spawn(async move {
            headcount::draining().await;
            let steps = time.as_millis() / 300;
            for step in 1..=steps {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let (step, steps) = (step.try_into().unwrap(), steps.try_into().unwrap());
                headcount::current().unwrap().set_progress(step, steps);
            }
        })),
        "usual" => begin_usual(&name, time).await,
        "overdue" => {
            for is_last in [false, false, false, false, false, false, true] {
                // All are spawned at one place, so that they are of one group.
                let work = async move {
                    if is_last {
                        std::future::pending::<()>().await;
                    }
                };
                let task = headcount::task(name.clone()).spawn(work);
                if !is_last {
                    task.await.unwrap();
                }
            }
        }
        "opens" => {
            // A pipe that nothing writes to.
            let path = std::env::temp_dir().join(format!("headcount-secret-{}", std::process::id()));
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
            drop(task.spawn(async move { drop(std::fs::File::open(path)) }));
        }
        "listens" => {
            // A peer that says nothing.
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            drop(task.spawn_blocking(move || {
                let mut peer = std::net::TcpStream::connect(address).unwrap();
                let _ = io::Read::read(&mut peer, &mut [0]);
                drop(listener);
            }));
            say(&format!("peer {address}"));
        }
        "panics-if-asked" => {
            let mut polls = 0;
            drop(task.spawn(std::future::poll_fn(move |_| {
                polls += 1;
                assert!(polls < 2, "asked, on purpose");
                std::task::Poll::<()>::Pending
            })));
        }
        "late" => drop(task.spawn(async {
            headcount::draining().await;
            let late = headcount::task("late-one").spawn(tokio::time::sleep(Duration::from_millis(50)));
            say(&format!("late {}", late.await.is_ok()));
        })),
        "late-burst" => drop(task.spawn(async move {
            headcount::draining().await;
            for _ in 0..time.as_millis() {
                drop(headcount::task("late-one").spawn(async {}));
            }
        })),
        "tracker" => {
            let tracker = tokio_util::task::TaskTracker::new();
            tracker.spawn(task.track(work(time)));
            tracker.spawn(std::future::pending::<()>());
            alive(1).await;
            std::mem::forget(tracker);
        }
        "idles" => drop(task.spawn(async {
            headcount::draining().await;
            headcount::idle().await;
            say("idle");
        })),
        unknown => panic!("no task: {unknown}"),
    }
}

/// Five that have ended, and one of the same place that takes eight times as long from the begin of draining
/// on. It does not listen for that itself: then it would be done at once by any forecast.
async fn begin_usual(name: &str, time: Duration) {
    let (begun, begins) = tokio::sync::watch::channel(());
    tokio::spawn(async move {
        headcount::draining().await;
        drop(begun);
    });
    for nth in 1..=6 {
        let (is_last, mut begins) = (nth == 6, begins.clone());
        let task = headcount::task(name.to_owned()).spawn(async move {
            if is_last {
                let _ = begins.changed().await;
            }
            tokio::time::sleep(if is_last { 8 * time } else { time }).await;
        });
        if !is_last {
            task.await.unwrap();
        }
    }
}

/// Closures without an end, of which one runs and the others wait for its thread.
fn begin_closures(name: &str, count: u128) {
    let mut pool = tokio::runtime::Builder::new_multi_thread();
    let runtime = pool.worker_threads(1).max_blocking_threads(1).build().unwrap();
    let runtime = Box::leak(Box::new(runtime));
    for _ in 0..count {
        let task = headcount::task(name.to_owned());
        drop(task.spawn_blocking_on(|| std::thread::sleep(Duration::MAX), runtime.handle()));
    }
}

/// Requests without an end, none of which comes through a server.
fn begin_requests(count: u128) {
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower_service::Service;

    let mut app: Router = Router::new()
        .route("/pending", get(|| async { std::future::pending::<()>().await }))
        .layer(headcount::TrackLayer::new());
    for _ in 0..count {
        let response = app.call(Request::get("/pending").body(Body::empty()).unwrap());
        tokio::spawn(async move { drop(response.await) });
    }
}

/// Tasks that await the report themselves.
fn await_drain(what: &str, task: headcount::TaskBuilder, time: Duration, hc: Arc<Headcount>) {
    match what {
        "drains-connection" => drop(task.connection().spawn(async move {
            hc.draining().await;
            let _report = hc.drain().await;
        })),
        "drains" => drop(task.spawn(async move {
            hc.draining().await;
            let report = hc.drain().await;
            say(&format!("task got {}", report.exit_code));
        })),
        "drains-tracked" => drop(task.spawn(async move {
            hc.draining().await;
            let report = headcount::track(async { hc.drain().await }).await;
            say(&format!("task got {}", report.exit_code));
        })),
        "drains-wrapped" => {
            let made_outside = headcount::track(async move {
                hc.draining().await;
                say(&format!("task got {}", hc.drain().await.exit_code));
            });
            drop(task.spawn(made_outside));
        }
        "drains-twice" => drop(task.spawn(async move {
            let own = || headcount::snapshot::task(headcount::current().unwrap().id()).unwrap();
            hc.draining().await;
            // In this order at each poll, unlike `tokio::join!`.
            let _reports = futures_util::future::join(hc.drain(), hc.drain()).await;
            let headcount::snapshot::TaskLookup::Live(task) = own().task else { unreachable!() };
            say(&format!("it is {} again", task.on_shutdown.as_str()));
        })),
        "drains-and-drops" => drop(task.spawn(async move {
            hc.draining().await;
            let (mut first, mut second) = (Box::pin(hc.drain()), Box::pin(hc.drain()));
            tokio::select! {
                biased;
                _ = &mut first => {}
                _ = &mut second => {}
                () = std::future::ready(()) => {}
            }
            drop(first);
            say(&format!("task got {}", second.await.exit_code));
        })),
        "drains-a-while" => drop(task.spawn(async move {
            // Which begins it.
            let report = tokio::time::timeout(Duration::from_millis(50), hc.drain()).await;
            tokio::time::sleep(time).await;
            say(&format!("gave up {}, and is done", report.is_err()));
        })),
        unknown => panic!("no task: {unknown}"),
    }
}
