//! How much is asked, kept and left out.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use headcount::StackResult;
use tokio::sync::{Notify, mpsc};

use super::{deep, install, stack_of, until_idle};
use crate::support::http::{act, get, send};

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
    let list = act(hc.admin_addr().unwrap(), "/api/v1/stacks", "").expect(200).json();
    let (tasks, asked) = (list["tasks"].as_u64().unwrap(), list["asked"].as_u64().unwrap());
    assert!(1_000_001 <= tasks && 0 < asked && asked <= 1_000, "{tasks} {asked}");
    let text = list.to_string();
    assert!(text.contains("deep::inner") && text.contains("notify::Notified"), "{text}");
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
    let json = act(admin, &format!("/api/v1/tasks/{}/stack", often.id.get()), "").expect(200).json();
    assert_eq!(json["lost"], often.lost);

    let list = act(admin, "/api/v1/stacks", "").expect(200).json();
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
    let (mut answered, mut refused) = (0, 0);
    for answer in answers.into_iter().flatten() {
        if answer.status == 429 {
            refused += 1;
            continue;
        }
        let json = answer.expect(200).json();
        answered += 1;
        match json["asked"].as_u64() {
            Some(asked) => {
                assert_eq!(asked, 1_000);
                let waits =
                    json["stacks"].as_array().unwrap().iter().filter(|folded| folded["result"] == "waits");
                assert_eq!(
                    waits.map(|folded| folded["count"].as_u64().unwrap()).sum::<u64>(),
                    1_000,
                    "{json:#}"
                );
            }
            None => assert_eq!(json["result"], "waits", "{json:#}"),
        }
    }
    assert_eq!(answered + refused, 2 * CLIENTS);
    assert!(0 < answered);
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
    assert_eq!(headcount::stack(id).await.unwrap().result, StackResult::Waits);
    let list = act(admin, "/api/v1/stacks", "").expect(200).json();
    assert_eq!((&list["tasks"], &list["asked"]), (&640.into(), &640.into()), "{list:#}");
    let blocked = list["stacks"].as_array().unwrap().iter().filter(|folded| folded["result"] == "blocked");
    let text = list.to_string();
    assert!(text.contains("blocked in futex(2)"), "{text}");
    assert!(0 < blocked.map(|folded| folded["count"].as_u64().unwrap()).sum::<u64>());
    drop(release);
    for task in blocks {
        task.await.unwrap();
    }
    let began = Instant::now();
    act(admin, "/api/v1/stacks", "").expect(200);
    assert!(began.elapsed() < Duration::from_secs(60));
}
