//! Where tasks wait: what is asked, what is answered, and what must not happen.

#[cfg(target_os = "linux")]
mod blocked;
mod bounds;
mod hostile;
#[path = "../fixtures/src/future/poll_fn.rs"]
mod named_like_a_library;
mod reached;
mod workloads;

use std::net::SocketAddr;
use std::time::Duration;

use headcount::settings::Stacks;
use headcount::snapshot::TaskQuery;
use headcount::{Headcount, StackResult, TaskId, TaskStack};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::support::http::{Answer, act, get, send};
use crate::support::wait::{until, until_awaited, until_yielding};

mod deep {
    #[inline(never)]
    pub(super) async fn outer(receiver: tokio::sync::mpsc::Receiver<u32>) -> u32 {
        inner(receiver).await
    }

    #[inline(never)]
    async fn inner(mut receiver: tokio::sync::mpsc::Receiver<u32>) -> u32 {
        receiver.recv().await.unwrap_or(0)
    }

    /// The line of the await in `inner`.
    pub(super) const LINE: u32 = line!() - 4;
}

fn install() -> Headcount {
    let admin = SocketAddr::from(([127, 0, 0, 1], 0));
    Headcount::builder().admin(admin).stacks(Stacks::Request).install().unwrap()
}

/// The id of the only task with this name.
#[track_caller]
fn id_of(name: &str) -> TaskId {
    let page = headcount::snapshot::tasks(&TaskQuery::default().search(name)).unwrap();
    assert_eq!(page.total, 1, "{name}");
    page.items[0].id
}

/// Waits until a task has been polled and waits.
async fn until_idle(name: &str) -> TaskId {
    until_yielding(|| {
        let page = headcount::snapshot::tasks(&TaskQuery::default().search(name)).unwrap();
        let idle = page.items.iter().find(|task| task.state == headcount::State::Idle);
        idle.map(|task| task.id).ok_or(page.items)
    })
    .await
}

/// What a task answers. A busy machine may keep it from its poll, or inside it, for longer than an answer is
/// waited for; then it is asked anew.
async fn ask(id: TaskId) -> TaskStack {
    until_awaited(async || answered(headcount::stack(id).await.unwrap())).await
}

fn answered(stack: TaskStack) -> Result<TaskStack, Box<TaskStack>> {
    let is_late = matches!(stack.result, StackResult::NotCaptured | StackResult::Blocked);
    if is_late { Err(Box::new(stack)) } else { Ok(stack) }
}

async fn stack_of(name: &str) -> TaskStack {
    ask(until_idle(name).await).await
}

/// What a task answers over HTTP, or all tasks.
#[track_caller]
fn ask_over_http(admin: SocketAddr, path: &str) -> Answer {
    until(|| {
        let answer = act(admin, path, "");
        if answer.status == 429 {
            return Err(answer);
        }
        let answer = answer.expect(200);
        let json = answer.json();
        let all = json["stacks"].as_array().map_or(std::slice::from_ref(&json), |all| all);
        let is_late = all.iter().any(|one| one["result"] == "not_captured" || one["result"] == "blocked");
        if is_late { Err(answer) } else { Ok(answer) }
    })
}

fn place(line: u32) -> String {
    format!("(tests/suite/stacks.rs:{line})")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_says_where_it_waits() {
    own_process!();
    let hc = install();
    let (sender, receiver) = mpsc::channel(1);
    let task = headcount::task("deep").spawn(deep::outer(receiver));
    let stack = stack_of("deep").await;
    assert_eq!(stack.result, StackResult::Waits);
    let text = format!(
        "waits in suite::stacks::deep::outer → suite::stacks::deep::inner → Receiver::recv {}",
        place(deep::LINE)
    );
    assert_eq!(stack.text, text, "{stack:#?}");
    assert_eq!(stack.branches.len(), 1);
    assert_eq!(stack.branches[0].frames[2].library.as_deref(), Some("tokio"));

    // The same over HTTP: the last answer, one more, all frames, and the whole process.
    let admin = hc.admin_addr().unwrap();
    let path = format!("/api/v1/tasks/{}/stack", stack.id.get());
    assert_eq!(get(admin, &path).expect(200).json()["text"], text);
    assert_eq!(ask_over_http(admin, &path).json()["text"], text);
    let whole = ask_over_http(admin, &format!("{path}?whole=true")).json();
    let frames = whole["branches"][0]["frames"].as_array().unwrap();
    assert!(3 < frames.len() && frames.iter().any(|frame| frame["library"] == "headcount"), "{whole:#}");
    assert_eq!(get(admin, "/api/v1/stacks").status, 404);
    let all = ask_over_http(admin, "/api/v1/stacks").json();
    let found = all["stacks"].as_array().unwrap().iter().find(|stack| stack["text"] == text.as_str());
    assert_eq!(found.unwrap()["names"][0], "deep", "{all:#}");
    assert_eq!(get(admin, "/api/v1/stacks").expect(200).json()["asked"], all["asked"]);
    act(admin, "/api/v1/tasks/999999/stack", "").expect_problem(404, "999999");

    // It went on as if nothing had been asked.
    sender.send(7).await.unwrap();
    assert_eq!(task.await.unwrap(), 7);
}

/// The first answer reads the debug information of this binary, some 200 MB, on a thread of headcount's own.
#[tokio::test]
async fn the_first_answer_holds_no_task_up() {
    own_process!();
    let _hc = install();
    let (_sender, receiver) = mpsc::channel(1);
    drop(headcount::task("deep").spawn(deep::outer(receiver)));
    let id = until_idle("deep").await;
    let asked = tokio::spawn(headcount::stack(id));
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let waits_itself = std::thread::spawn(move || longest_pause(&ends));
    let began = std::time::Instant::now();
    let (mut last, mut longest) = (began, Duration::ZERO);
    while !asked.is_finished() {
        tokio::task::yield_now().await;
        let now = std::time::Instant::now();
        longest = longest.max(now - last);
        last = now;
    }
    let took = began.elapsed();
    drop(end);
    asked.await.unwrap().unwrap();
    // Named on this thread, the only one of the runtime, it would be nearly all of the time. The machine
    // itself may keep a thread waiting for a while, which another thread sees too.
    let allowed = (took / 2).max(Duration::from_millis(500)) + waits_itself.join().unwrap();
    assert!(longest < allowed, "{longest:?} of {took:?}, where {allowed:?} are allowed");
    assert_eq!(ask(id).await.result, StackResult::Waits);
}

/// How long the machine kept a thread waiting that has nothing to do, until a channel was closed.
fn longest_pause(ends: &std::sync::mpsc::Receiver<()>) -> Duration {
    let (mut last, mut longest) = (std::time::Instant::now(), Duration::ZERO);
    while ends.recv_timeout(Duration::from_millis(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        let now = std::time::Instant::now();
        longest = longest.max(now - last);
        last = now;
    }
    longest
}

/// A future whose polls do what these say, in turn; the last goes on for ever. It keeps no waker.
struct Polls(Vec<fn() -> std::task::Poll<u32>>);

impl Future for Polls {
    type Output = u32;

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<u32> {
        let next = if 1 < self.0.len() { self.0.remove(0) } else { self.0[0] };
        next()
    }
}

const fn waits() -> std::task::Poll<u32> {
    std::task::Poll::Pending
}

/// A task whose second poll is the last, and what it answers. Where that came too late it has been polled
/// all the same, and another is asked.
async fn of_last_poll(
    name: &'static str,
    last: fn() -> std::task::Poll<u32>,
) -> (JoinHandle<u32>, TaskStack) {
    until_awaited(async || {
        let task = headcount::task(name).spawn(Polls(vec![waits, last]));
        match headcount::stack(until_idle(name).await).await.map(answered) {
            Ok(Ok(stack)) => Ok((task, stack)),
            late => {
                task.abort();
                let _ = task.await;
                Err(late)
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_task_does_in_the_poll_that_asks_it_is_the_answer() {
    own_process!();
    let _hc = install();
    let (ready, stack) = of_last_poll("ready", || std::task::Poll::Ready(7)).await;
    assert_eq!((stack.result, &*stack.text), (StackResult::WentOn, "went on meanwhile"));
    assert_eq!(ready.await.unwrap(), 7);

    // Without the panic hook, which may write a trace for longer than an answer is waited for.
    let panic = || std::panic::resume_unwind(Box::new("on purpose"));
    let (panics, stack) = of_last_poll("panics", panic).await;
    assert_eq!(stack.result, StackResult::Panicked);
    assert!(panics.await.unwrap_err().is_panic());

    // It keeps no waker, so nothing says where it waits.
    let silent = headcount::task("silent").spawn(Polls(vec![waits]));
    let stack = stack_of("silent").await;
    assert_eq!((stack.result, &*stack.text), (StackResult::Waits, "waits, and nothing says where"));
    let id = id_of("silent");
    silent.abort();
    assert!(silent.await.unwrap_err().is_cancelled());
    assert!(headcount::stack(id).await.unwrap_err().is_unknown());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_end_while_they_are_asked_end_as_ever() {
    own_process!();
    let _hc = install();
    for round in 0..60_u64 {
        let (sender, receiver) = oneshot::channel::<u64>();
        let task = headcount::task("short").spawn(receiver);
        let id = until_idle("short").await;
        let asked = tokio::spawn(headcount::stack(id));
        match round % 3 {
            0 => {
                let _ = sender.send(round);
                assert_eq!(task.await.unwrap(), Ok(round));
            }
            1 => {
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }
            _ => {
                drop(sender);
                assert!(task.await.unwrap().is_err());
            }
        }
        match asked.await.unwrap() {
            // A busy machine may keep it from its poll, or inside it.
            Ok(stack) => {
                let is_other = matches!(stack.result, StackResult::Panicked | StackResult::NotBegun);
                assert!(!is_other, "{stack:?}");
            }
            Err(problem) => assert!(problem.is_unknown(), "{problem}"),
        }
    }
    headcount::idle().await;
    // Nothing keeps what has ended, and the counts are exact.
    let snapshot = headcount::snapshot();
    let group = snapshot.groups.iter().find(|group| &*group.name == "short").unwrap();
    assert_eq!((group.live, group.finished.total()), (0, 60));
}

#[test]
#[allow(clippy::async_yields_async, reason = "the task is awaited later, on purpose")]
fn a_runtime_that_does_not_run_is_an_answer() {
    own_process!();
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _hc = install();
    let (sender, receiver) = oneshot::channel::<u32>();
    let task = other.block_on(async {
        let task = headcount::task("parked").spawn(async move { receiver.await.unwrap_or(0) });
        until_idle("parked").await;
        task
    });
    // Nothing runs the other runtime now.
    let id = id_of("parked");
    let stack = runtime.block_on(headcount::stack(id)).unwrap();
    assert_eq!(stack.result, StackResult::NotCaptured);
    assert_eq!(stack.text, "not captured: its runtime did not poll it within 1 s");
    // It runs again, and is none the worse.
    other.block_on(until_awaited(async || {
        // In another task, or the current-thread runtime would run nothing but this future.
        let stack = runtime.spawn(headcount::stack(id)).await.unwrap().unwrap();
        if stack.result == StackResult::Waits { Ok(()) } else { Err(stack) }
    }));
    sender.send(7).unwrap();
    assert_eq!(other.block_on(task).unwrap(), 7);
    // A runtime that is gone takes its tasks along.
    let gone = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    gone.block_on(async {
        drop(headcount::task("gone").spawn(std::future::pending::<()>()));
        until_idle("gone").await
    });
    let id = id_of("gone");
    drop(gone);
    assert!(runtime.block_on(headcount::stack(id)).unwrap_err().is_unknown());
}

#[test]
fn a_task_of_a_local_set_is_asked_too() {
    own_process!();
    let _hc = install();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let text = local.block_on(&runtime, async {
        let never = std::rc::Rc::new(tokio::sync::Notify::new());
        drop(headcount::task("local").spawn_local(async move { never.notified().await }));
        stack_of("local").await.text
    });
    assert!(text.contains("a_task_of_a_local_set_is_asked_too → notify::Notified"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_are_a_tree_and_one_is_no_cause() {
    own_process!();
    let hc = install();
    let (_sender, mut receiver) = mpsc::channel::<u32>(1);
    drop(headcount::task("branches").spawn(async move {
        tokio::select! {
            () = headcount::draining() => {}
            _ = receiver.recv() => {}
            () = tokio::time::sleep(Duration::from_secs(3600)) => {}
        }
    }));
    let stack = stack_of("branches").await;
    assert!(!stack.text.contains("draining"), "{stack:#?}");
    assert!(stack.text.contains("Receiver::recv") && stack.text.contains("Sleep"), "{}", stack.text);
    let branches = &stack.branches[0].branches;
    assert_eq!((branches.len(), branches.iter().filter(|branch| branch.draining).count()), (3, 1));
    let path = format!("/api/v1/tasks/{}/stack", stack.id.get());
    let json = ask_over_http(hc.admin_addr().unwrap(), &path).json();
    assert_eq!(json["branches"][0]["branches"].as_array().unwrap().len(), 3);

    drop(headcount::task("only-draining").spawn(async { headcount::draining().await }));
    let stack = stack_of("only-draining").await;
    assert!(stack.text.starts_with("waits for draining() in ") && stack.branches[0].draining, "{stack:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tracked_future_is_asked_through_the_task_around_it() {
    own_process!();
    let _hc = install();
    let (_sender, receiver) = oneshot::channel::<u32>();
    drop(headcount::task("outer").spawn(async move {
        let _ = headcount::task("inner").track(receiver).await;
    }));
    let inner = stack_of("inner").await;
    assert_eq!(inner.result, StackResult::Waits);
    assert!(inner.text.contains("oneshot::Receiver"), "{}", inner.text);
    assert!(stack_of("outer").await.text.contains("oneshot::Receiver"));
}

#[tokio::test]
async fn without_the_setting_nothing_is_asked() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    drop(headcount::task("waits").spawn(std::future::pending::<()>()));
    let id = until_idle("waits").await;
    let problem = headcount::stack(id).await.unwrap_err();
    assert!(problem.is_off() && problem.to_string().contains("HEADCOUNT_STACKS=request"));
    for path in ["/api/v1/stacks".to_owned(), format!("/api/v1/tasks/{}/stack", id.get())] {
        act(admin, &path, "").expect_problem(405, "HEADCOUNT_STACKS=request");
        get(admin, &path).expect_problem(404, "HEADCOUNT_STACKS=request");
    }
    assert_eq!(get(admin, "/api/v1/summary").json()["permissions"], serde_json::json!([]));
}

#[tokio::test]
async fn asking_has_the_guards_of_an_action() {
    own_process!();
    let hc = install();
    let admin = hc.admin_addr().unwrap();
    assert_eq!(get(admin, "/api/v1/summary").json()["permissions"], serde_json::json!(["stacks"]));
    let instance = get(admin, "/livez").header("headcount-instance").unwrap().to_owned();
    send(admin, "POST", "/api/v1/stacks", &[], "").expect_problem(412, "If-Match");
    let foreign = [("If-Match", &*instance), ("Sec-Fetch-Site", "cross-site")];
    send(admin, "POST", "/api/v1/stacks", &foreign, "").expect_problem(403, "own page");
    send(admin, "POST", "/api/v1/stacks", &[("Host", "shop.example")], "").expect_problem(421, "Host");
    send(admin, "POST", "/api/v1/stacks", &[("If-Match", &instance)], "").expect(200);
    // So many a second; the rest is refused and counted.
    let mut refused = 0;
    while refused == 0 {
        let answers = (0..300).map(|_| headcount::stack(999_999));
        let answers = futures_util::future::join_all(answers).await;
        refused = answers
            .iter()
            .filter(|answer| answer.as_ref().is_err_and(headcount::StackError::is_busy))
            .count();
    }
    let list = until_yielding(|| {
        let answer = act(admin, "/api/v1/stacks", "");
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer) }
    })
    .await;
    assert!(refused as u64 <= list["refused"].as_u64().unwrap(), "{list:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_stacks_have_no_paths() {
    own_process!();
    let admin = SocketAddr::from(([127, 0, 0, 1], 0));
    let builder = Headcount::builder().admin(admin).stacks(Stacks::Request);
    let hc = builder.hide([headcount::settings::Hide::Stacks]).install().unwrap();
    let (_sender, receiver) = mpsc::channel(1);
    drop(headcount::task("deep").spawn(deep::outer(receiver)));
    let stack = stack_of("deep").await;
    assert!(stack.text.ends_with("deep::inner → Receiver::recv"), "{}", stack.text);
    let path = format!("/api/v1/tasks/{}/stack?whole=true", stack.id.get());
    let whole = ask_over_http(hc.admin_addr().unwrap(), &path);
    assert!(!whole.text().contains(".rs") && whole.text().contains("Receiver::recv"), "{}", whole.text());
}
