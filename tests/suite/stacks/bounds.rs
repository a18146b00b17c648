//! How much is asked, kept and left out.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use headcount::StackResult;
use tokio::sync::{Notify, mpsc};

use super::{ask, ask_over_http, deep, install, stack_of, until_idle};
use crate::support::http::{act, get, send};
use crate::support::wait::until;

#[test]
fn of_a_million_tasks_some_of_each_group_are_asked() {
    own_process!();
    let hc = install();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let never = std::sync::Arc::new(tokio::sync::Notify::new());
    for _ in 0..1_000_000 {
        let never = never.clone();
        drop(headcount::task("crowd").spawn(async move { never.notified().await }));
    }
    let (_sender, receiver) = mpsc::channel(1);
    drop(headcount::task("one").spawn(deep::outer(receiver)));
    runtime.block_on(until_idle("one"));
    until(|| {
        let list = act(hc.admin_addr().unwrap(), "/api/v1/stacks", "").expect(200).json();
        let (tasks, asked) = (list["tasks"].as_u64().unwrap(), list["asked"].as_u64().unwrap());
        assert!(1_000_001 <= tasks && 0 < asked && asked <= 1_000, "{tasks} {asked}");
        let text = list.to_string();
        if text.contains("deep::inner") && text.contains("notify::Notified") { Ok(()) } else { Err(text) }
    });
}

/// A future that clones its waker so often, so deep in calls.
fn clones(times: usize, depth: usize) -> impl Future<Output = ()> {
    #[inline(never)]
    fn down(depth: usize, work: &dyn Fn()) -> usize {
        if depth == 0 {
            work();
            return 0;
        }
        std::hint::black_box(down(depth - 1, work) + 1)
    }
    std::future::poll_fn(move |context| {
        down(depth, &|| (0..times).for_each(|_| drop(context.waker().clone())));
        Poll::Pending
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_out_is_counted_in_each_answer() {
    own_process!();
    let hc = install();
    let admin = hc.admin_addr().unwrap();
    let tasks =
        [headcount::task("often").spawn(clones(5_000, 1)), headcount::task("deep").spawn(clones(1, 1_000))];
    let (often, deep) = (stack_of("often").await, stack_of("deep").await);
    assert!(0 < often.lost && often.lost < 5_000 && !often.cut, "{} {}", often.lost, often.cut);
    assert!(deep.lost == 0 && deep.cut);
    let json = ask_over_http(admin, &format!("/api/v1/tasks/{}/stack", often.id.get())).json();
    assert_eq!(json["lost"], often.lost);

    let list = ask_over_http(admin, "/api/v1/stacks").json();
    assert_eq!((&list["lost"], &list["cut"]), (&often.lost.into(), &1.into()), "{list:#}");
    let of = |name: &str| {
        list["stacks"].as_array().unwrap().iter().find(|folded| folded["names"][0] == name).unwrap()
    };
    assert_eq!((&of("often")["lost"], &of("often")["cut"]), (&often.lost.into(), &0.into()));
    assert_eq!((&of("deep")["lost"], &of("deep")["cut"]), (&0.into(), &1.into()));
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Twenty clients at once, each of all tasks and of single ones: what is refused says so, and the rest is
/// right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_asked_by_twenty_clients_all_answer() {
    own_process!();
    const CLIENTS: usize = 20;
    let hc = install();
    let admin = hc.admin_addr().unwrap();
    let never = Arc::new(Notify::new());
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let never = Arc::clone(&never);
            headcount::task("crowd").spawn(async move { never.notified().await })
        })
        .collect();
    until_idle("crowd").await;
    // The first answer reads the debug information.
    let id = until_idle("crowd").await.get();
    act(admin, &format!("/api/v1/tasks/{id}/stack"), "").expect(200);
    let instance = get(admin, "/livez").header("headcount-instance").unwrap().to_owned();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let client = |number: usize| {
            let instance = &instance;
            scope.spawn(move || {
                let path = format!("/api/v1/tasks/{}/stack", id + number as u64);
                ["/api/v1/stacks", &path].map(|path| send(admin, "POST", path, &[("If-Match", instance)], ""))
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    // A busy machine may keep some from their polls, or inside them.
    let is_known = |result: &serde_json::Value| {
        ["waits", "blocked", "not_captured"].iter().any(|known| *result == *known)
    };
    let (mut answered, mut refused, mut whole) = (0, 0, 0);
    for answer in answers.into_iter().flatten() {
        if answer.status == 429 {
            refused += 1;
            continue;
        }
        let json = answer.expect(200).json();
        answered += 1;
        match json["asked"].as_u64() {
            Some(asked) => {
                let folds = json["stacks"].as_array().unwrap();
                assert!(folds.iter().all(|folded| is_known(&folded["result"])), "{json:#}");
                let sum: u64 = folds.iter().map(|folded| folded["count"].as_u64().unwrap()).sum();
                assert!(sum == asked && asked <= 1_000, "{json:#}");
                whole += usize::from(sum == 1_000 && folds.iter().all(|folded| folded["result"] == "waits"));
            }
            None => assert!(is_known(&json["result"]), "{json:#}"),
        }
    }
    assert_eq!(answered + refused, 2 * CLIENTS);
    assert!(0 < whole && whole <= answered, "{whole} of {answered}");
    let list = ask_over_http(admin, "/api/v1/stacks").json();
    assert_eq!(list["asked"], 1_000, "{list:#}");
    let counted = act(admin, "/api/v1/stacks", "").expect(200).json()["refused"].as_u64().unwrap();
    assert!(refused as u64 <= counted, "{refused} {counted}");
    never.notify_waiters();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Closures that block for long hold up no dump: nothing waits for a poll of theirs.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_block_do_not_hold_up_the_others() {
    own_process!();
    let hc = install();
    let admin = hc.admin_addr().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let blocks: Vec<_> = (0..40)
        .map(|_| {
            let held = Arc::clone(&held);
            headcount::task("blocks").spawn_blocking(move || assert!(held.lock().unwrap().recv().is_err()))
        })
        .collect();
    let never = Arc::new(Notify::new());
    for _ in 0..600 {
        let never = Arc::clone(&never);
        drop(headcount::task("crowd").spawn(async move { never.notified().await }));
    }
    let id = until_idle("crowd").await;
    assert_eq!(ask(id).await.result, StackResult::Waits);
    let list = act(admin, "/api/v1/stacks", "").expect(200).json();
    assert_eq!((&list["tasks"], &list["asked"]), (&640.into(), &640.into()), "{list:#}");
    // The threads of some may not have come to their wait.
    until(|| {
        let list = act(admin, "/api/v1/stacks", "").expect(200).json();
        let folds = list["stacks"].as_array().unwrap();
        let is_blocked = |folded: &serde_json::Value| {
            folded["result"] == "blocked" && folded.to_string().contains("blocked in futex(2)")
        };
        if folds.iter().any(is_blocked) { Ok(()) } else { Err(list) }
    });
    drop(release);
    for task in blocks {
        task.await.unwrap();
    }
    let began = Instant::now();
    act(admin, "/api/v1/stacks", "").expect(200);
    assert!(began.elapsed() < Duration::from_secs(60));
}
