//! Several runtimes in one process: which are watched, how many tasks are not tracked, and whose silence
//! makes `/livez` answer 503.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use headcount::{Builder, Headcount};
use serde_json::Value;
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};
use tokio::task::{JoinSet, LocalSet};

use crate::support::http::{get, until_it_answers};
use crate::support::wait::until;

const LIMIT: Duration = Duration::from_millis(200);

fn multi() -> Runtime {
    RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn single() -> Runtime {
    RuntimeBuilder::new_current_thread().enable_all().build().unwrap()
}

fn builder() -> Builder {
    Headcount::builder().ignore_env().admin(SocketAddr::from(([127, 0, 0, 1], 0))).signals(false)
}

fn summary(hc: &Headcount) -> Value {
    get(hc.admin_addr().unwrap(), "/api/v1/summary").expect(200).json()
}

/// Waits until the summary is as it should be, and gives it back.
#[track_caller]
fn wait_for(hc: &Headcount, is_so: impl Fn(&Value) -> bool) -> Value {
    until(|| {
        let summary = summary(hc);
        if is_so(&summary) { Ok(summary) } else { Err(summary["runtimes"].clone()) }
    })
}

#[test]
fn untracked_tasks_are_counted_over_all_runtimes() {
    own_process!();
    let (one, other) = (multi(), multi());
    let hc = {
        let _entered = one.enter();
        builder().install().unwrap()
    };
    (0..5).for_each(|_| drop(one.spawn(pending::<()>())));
    (0..3).for_each(|_| drop(other.spawn(pending::<()>())));
    // Nothing is tracked in the other yet.
    wait_for(&hc, |now| now["untracked"] == 5);
    other.block_on(async {
        (0..10).for_each(|_| drop(headcount::spawn(pending::<()>())));
    });
    let now = wait_for(&hc, |now| now["untracked"] == 8 && now["runtimes"][1]["alive"] == 13);
    assert_eq!(now["runtimes_total"], 2);
    assert_eq!(now["runtimes"][0]["workers"], 2);
    assert!(hc.render_metrics().contains("\nheadcount_tasks_untracked 8\n"));
}

#[test]
fn a_runtime_that_is_only_spawned_on_from_outside_is_known() {
    own_process!();
    let (one, other) = (multi(), single());
    let hc = builder().install().unwrap();
    // The same code on the same thread: nothing is new but the runtime.
    for runtime in [&one, &other, &one] {
        drop(headcount::spawn_on(pending::<()>(), runtime.handle()));
    }
    drop(other.spawn(pending::<()>()));
    let now = wait_for(&hc, |now| now["untracked"] == 1);
    assert_eq!(now["runtimes_total"], 2);
}

#[test]
fn an_install_outside_of_a_runtime_learns_of_the_first_task() {
    own_process!();
    let hc = builder().unresponsive_after(LIMIT).install().unwrap();
    let before = summary(&hc);
    assert_eq!((&before["untracked"], &before["runtimes_total"]), (&Value::Null, &0.into()));
    let runtime = multi();
    drop(runtime.spawn(pending::<()>()));
    runtime.block_on(async { headcount::spawn(async {}).await.unwrap() });
    wait_for(&hc, |now| now["untracked"] == 1 && now["runtimes_total"] == 1);
}

/// As actix does it: many threads, each with a runtime and a `LocalSet` of its own. They end, and are
/// forgotten.
#[test]
fn many_runtimes_of_one_thread_each_come_and_go() {
    own_process!();
    let main = multi();
    let _entered = main.enter();
    let hc = builder().unresponsive_after(LIMIT).install().unwrap();
    let (has_begun, begun) = mpsc::channel();
    let workers: Vec<_> = (0..6)
        .map(|number| {
            let (end, ended) = tokio::sync::oneshot::channel::<()>();
            let has_begun = has_begun.clone();
            let run = move || {
                LocalSet::new().block_on(&single(), async move {
                    headcount::task("local").spawn_local(pending::<()>());
                    headcount::task("shared").spawn(pending::<()>());
                    tokio::spawn(pending::<()>());
                    has_begun.send(()).unwrap();
                    let _ = ended.await;
                });
            };
            let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(run).unwrap();
            (thread, end)
        })
        .collect();
    workers.iter().for_each(|_| begun.recv().unwrap());
    // A probe is a task too, for a moment.
    let now = wait_for(&hc, |now| now["untracked"] == 6 && now["runtimes_total"] == 7);
    let names: Vec<_> = (1..7).map(|at| now["runtimes"][at]["name"].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("worker-")), "{names:?}");
    until_it_answers(hc.admin_addr().unwrap());
    for (thread, end) in workers {
        drop(end);
        thread.join().unwrap();
    }
    wait_for(&hc, |now| now["runtimes_total"] == 1 && now["untracked"] == 0 && now["live"] == 0);
}

#[test]
fn one_blocked_runtime_of_two_is_seen_and_named() {
    own_process!();
    let (one, other) = (multi(), RuntimeBuilder::new_multi_thread().worker_threads(1).build().unwrap());
    let _entered = one.enter();
    let hc = builder().blocked_after(LIMIT / 4).unresponsive_after(LIMIT).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let (release, released) = mpsc::channel::<()>();
    headcount::task("stuck").spawn_on(
        async move {
            let _ = released.recv();
        },
        other.handle(),
    );
    // The one that is silent comes first; a busy machine may keep the other silent for a while.
    wait_for(&hc, |now| {
        let first = &now["runtimes"][0];
        first["silent_seconds"].is_number() && first["workers"] == 1
    });
    until(|| {
        let answer = get(admin, "/livez");
        let is_named = |text: &str| text.contains(" in the runtime of thread ") && text.contains("; stuck #");
        let is_it = answer.status == 503 && is_named(answer.json()["detail"].as_str().unwrap());
        if is_it { Ok(()) } else { Err(answer) }
    });
    drop(release);
    wait_for(&hc, |now| now["runtimes"][0]["silent_seconds"].is_null());
    until_it_answers(admin);
}

#[test]
fn blocked_tasks_and_the_queue_are_counted_for_each_runtime() {
    own_process!();
    let (one, other) = (multi(), RuntimeBuilder::new_multi_thread().worker_threads(1).build().unwrap());
    let _entered = one.enter();
    // Without a probe, which is a task too.
    let hc = builder().blocked_after(LIMIT).unresponsive_after(None).install().unwrap();
    drop(headcount::spawn(pending::<()>()));
    let (has_begun, begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let stuck = async move {
        has_begun.send(()).unwrap();
        let _ = released.recv();
    };
    let stuck = headcount::task("stuck").spawn_on(stuck, other.handle());
    begun.recv().unwrap();
    (0..3).for_each(|_| drop(other.spawn(async {})));
    let counts =
        |now: &Value, field: &str| [now["runtimes"][0][field].as_u64(), now["runtimes"][1][field].as_u64()];
    let now = wait_for(&hc, |now| counts(now, "blocked") == [Some(0), Some(1)]);
    assert_eq!(counts(&now, "queue_depth"), [Some(0), Some(3)]);
    drop(release);
    other.block_on(stuck).unwrap();
    // A task that is not tracked blocks as well.
    let (release, released) = mpsc::channel::<()>();
    drop(one.spawn(async move {
        let _ = released.recv();
    }));
    wait_for(&hc, |now| counts(now, "blocked") == [Some(1), Some(0)]);
    drop(release);
    let is_over =
        |now: &Value| counts(now, "blocked") == [Some(0); 2] && counts(now, "queue_depth") == [Some(0); 2];
    wait_for(&hc, is_over);
}

/// A runtime that runs only while its thread drives it is silent most of the time, and that is no fault.
#[test]
fn a_runtime_that_is_not_driven_is_silent_only_if_a_task_is_stuck() {
    own_process!();
    let main = multi();
    let _entered = main.enter();
    let hc = builder().blocked_after(LIMIT / 4).unresponsive_after(LIMIT).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let (sender, runs) = mpsc::channel::<Box<dyn FnOnce(&Runtime) + Send>>();
    let run = move || {
        let runtime = single();
        runs.iter().for_each(|run| run(&runtime));
    };
    let thread = std::thread::Builder::new().name("at-times".to_owned()).spawn(run).unwrap();
    sender
        .send(Box::new(|runtime| runtime.block_on(async { headcount::spawn(async {}).await.unwrap() })))
        .unwrap();
    wait_for(&hc, |now| {
        let first = &now["runtimes"][0];
        first["silent_seconds"].is_number() && first["workers"] == 1
    });
    until_it_answers(admin);
    let (release, released) = mpsc::channel::<()>();
    let blocks = move |runtime: &Runtime| {
        let task = headcount::task("stuck").spawn_on(
            async move {
                let _ = released.recv();
            },
            runtime.handle(),
        );
        runtime.block_on(task).unwrap();
    };
    sender.send(Box::new(blocks)).unwrap();
    until(|| {
        let answer = get(admin, "/livez");
        let is_it = answer.status == 503 && answer.text().contains("the runtime of thread at-times; stuck #");
        if is_it { Ok(()) } else { Err(answer) }
    });
    drop((release, sender));
    thread.join().unwrap();
    wait_for(&hc, |now| now["runtimes_total"] == 1);
    until_it_answers(admin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_around_a_tracked_future_is_not_untracked() {
    own_process!();
    let hc = builder().install().unwrap();
    let until = |untracked: u64, live: u64| {
        let is_so = |now: &Value| now["untracked"] == untracked && now["live"] == live;
        tokio::task::block_in_place(|| wait_for(&hc, is_so));
    };
    let mut set = JoinSet::new();
    (0..4).for_each(|_| drop(set.spawn(headcount::track(pending::<()>()))));
    until(0, 4);
    // Two futures of one task are one task.
    let two = || async { tokio::join!(headcount::track(pending::<()>()), headcount::track(pending::<()>())) };
    tokio::spawn(async move {
        two().await;
    });
    tokio::spawn(pending::<()>());
    until(1, 6);
    // Inside a tracked task nothing is added.
    headcount::spawn(async move {
        two().await;
    });
    until(1, 9);
    set.shutdown().await;
    until(1, 5);
    // Its tracked part is over, and the task lives on.
    tokio::spawn(async {
        headcount::track(async {}).await;
        pending::<()>().await;
    });
    until(2, 5);
}
