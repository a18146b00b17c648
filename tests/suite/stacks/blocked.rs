//! What the kernel says of tasks that cannot be asked, and what runtimes that they block answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::Duration;

use headcount::snapshot::TaskQuery;
use headcount::{StackResult, State, TaskId};

use super::{id_of, install, stack_of, until_idle};
use crate::support::http::act;
use crate::support::wait::until_yielding;

const PATIENCE: Duration = Duration::from_secs(60);

/// The id of the only task with this name, once it is in a poll or closure.
async fn until_polled(name: &str) -> TaskId {
    until_yielding(|| {
        let page = headcount::snapshot::tasks(&TaskQuery::default().search(name)).unwrap();
        let polled = page.items.iter().find(|task| matches!(task.state, State::Running | State::Blocked));
        polled.map(|task| task.id).ok_or(page.items)
    })
    .await
}

/// The innermost line of the application's.
#[inline(never)]
#[allow(clippy::unused_async, reason = "it blocks instead, as the task that is tested")]
async fn opens_for_ever(path: std::path::PathBuf) {
    drop(std::fs::File::open(path)); // opens
}

/// Ends a loop when it is dropped.
struct Going(Arc<AtomicBool>);

impl Drop for Going {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// What stands behind the text of a thread whose stack can be walked: the line that ends so.
fn place_of(mark: &str) -> String {
    let line = 1 + include_str!("blocked.rs").lines().position(|line| line.ends_with(mark)).unwrap();
    if cfg!(target_arch = "x86_64") {
        format!(" (tests/suite/stacks/blocked.rs:{line})")
    } else {
        String::new()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_task_that_blocks_says_in_what() {
    own_process!();
    let hc = install();
    let path = std::env::temp_dir().join(format!("headcount-fifo-{}", std::process::id()));
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let opened = path.clone();
    let opens = headcount::task("opens").spawn(opens_for_ever(opened));
    // Also where the test fails, since the runtime waits for its worker.
    let going = Going(Arc::new(AtomicBool::new(true)));
    let goes = Arc::clone(&going.0);
    let loops = headcount::task("loops").spawn(async move {
        while goes.load(Relaxed) {
            std::hint::spin_loop();
        }
    });
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let reads = headcount::task("reads").spawn_blocking(move || {
        let _ = std::io::Read::read(&mut &ours, &mut [0]); // reads
    });
    let path_text = path.display().to_string();
    let at = [place_of("// opens"), place_of("// reads")];
    for (name, text, end, state, object) in [
        ("opens", format!("blocked in openat(2) of {path_text}"), &*at[0], 'S', Some(&*path_text)),
        ("loops", "blocked on a processor ".to_owned(), " %", 'R', None),
        ("reads", "blocked in re".to_owned(), &at[1], 'S', Some("a Unix socket")),
    ] {
        let id = until_polled(name).await;
        // A thread that was about to sleep may run for one answer more.
        let began = std::time::Instant::now();
        let stack = loop {
            let stack = headcount::stack(id).await.unwrap();
            assert_eq!(stack.result, StackResult::Blocked, "{name}");
            let is_whole = stack.text.starts_with(&text) && stack.text.ends_with(end);
            if is_whole && stack.thread.as_ref().unwrap().state_code == Some(state) {
                break stack;
            }
            assert!(began.elapsed() < PATIENCE, "{name}: {stack:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        // From the poll on: what runs the task is left out.
        let frames: Vec<_> = stack.branches.iter().flat_map(|branch| &branch.frames).collect();
        assert!(frames.iter().all(|frame| frame.library.as_deref() != Some("tokio")), "{frames:#?}");
        assert_eq!(frames.is_empty(), state == 'R' || end.is_empty());
        let thread = stack.thread.unwrap();
        assert_eq!(thread.object.as_deref(), object, "{name}");
        assert_eq!((thread.call.is_none(), thread.processor_percent.is_some()), (state == 'R', state == 'R'));
        let json =
            act(hc.admin_addr().unwrap(), &format!("/api/v1/tasks/{}/stack", id.get()), "").expect(200);
        assert_eq!(json.json()["thread"]["object"], serde_json::json!(object), "{json:?}");
    }
    drop(going);
    drop(theirs);
    drop(std::fs::OpenOptions::new().write(true).open(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    opens.await.unwrap();
    loops.await.unwrap();
    reads.await.unwrap();
}

/// The only thread of a runtime is inside a poll, and another task of it is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_beside_one_that_blocks_its_runtime_is_not_captured() {
    own_process!();
    let _hc = install();
    let ((begun, begins), (release, held)) = (channel::<()>(), channel::<()>());
    let (waits, blocks) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let thread = std::thread::spawn({
        let (waits, blocks) = (Arc::clone(&waits), Arc::clone(&blocks));
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let beside = headcount::task("beside").spawn({
                    let waits = Arc::clone(&waits);
                    async move { waits.notified().await }
                });
                let holds = headcount::task("holds").spawn(async move {
                    blocks.notified().await;
                    begun.send(()).unwrap();
                    let _ = held.recv();
                });
                holds.await.unwrap();
                waits.notify_one();
                beside.await.unwrap();
            });
        }
    });
    until_idle("beside").await;
    until_idle("holds").await;
    blocks.notify_one();
    begins.recv().unwrap();
    let stack = headcount::stack(id_of("beside")).await.unwrap();
    assert_eq!(stack.result, StackResult::NotCaptured);
    assert_eq!(stack.text, "not captured: its runtime did not poll it within 1 s");
    // What blocks it is named.
    let stack = headcount::stack(id_of("holds")).await.unwrap();
    assert_eq!(stack.result, StackResult::Blocked);
    assert!(stack.text.starts_with("blocked in futex(2)"), "{}", stack.text);
    drop(release);
    thread.join().unwrap();
}

/// Another worker answers for it.
#[tokio::test]
async fn a_task_beside_one_that_blocks_a_worker_is_captured_by_another() {
    own_process!();
    let _hc = install();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let ((begun, begins), (release, held)) = (channel::<()>(), channel::<()>());
    let waits = Arc::new(tokio::sync::Notify::new());
    let beside = headcount::task("beside").spawn_on(
        {
            let waits = Arc::clone(&waits);
            async move { waits.notified().await }
        },
        runtime.handle(),
    );
    until_idle("beside").await;
    let holds = headcount::task("holds").spawn_on(
        async move {
            begun.send(()).unwrap();
            let _ = held.recv();
        },
        runtime.handle(),
    );
    begins.recv().unwrap();
    for _ in 0..20 {
        let stack = stack_of("beside").await;
        assert_eq!(stack.result, StackResult::Waits, "{}", stack.text);
        assert!(stack.text.contains("notify::Notified"), "{}", stack.text);
    }
    drop(release);
    waits.notify_one();
    holds.await.unwrap();
    beside.await.unwrap();
    runtime.shutdown_background();
}

/// What has not begun is answered for at once, and by its reason.
#[tokio::test]
async fn what_has_not_begun_says_what_it_waits_for() {
    own_process!();
    let _hc = install();
    let pool = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (release, held) = channel::<()>();
    let runs = headcount::task("runs").spawn_blocking_on(move || held.recv(), pool.handle());
    until_polled("runs").await;
    let queued = headcount::task("queued").spawn_blocking_on(|| 7, pool.handle());
    static ONE: headcount::Limit = headcount::Limit::new("one", 1);
    let never = Arc::new(tokio::sync::Notify::new());
    let first = headcount::task("first").limit(&ONE).spawn({
        let never = Arc::clone(&never);
        async move { never.notified().await }
    });
    until_idle("first").await;
    let second = headcount::task("second").limit(&ONE).spawn(async { 8 });
    let began = std::time::Instant::now();
    for (name, reason) in [("queued", "a thread of the pool"), ("second", "its limit or its key")] {
        let stack = headcount::stack(id_of(name)).await.unwrap();
        assert_eq!(stack.result, StackResult::NotBegun, "{name}");
        assert_eq!(stack.text, format!("has not begun: it waits for {reason}"));
    }
    // Nothing waits for a poll that does not come.
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    drop(release);
    never.notify_one();
    assert!(runs.await.unwrap().is_err());
    first.await.unwrap();
    assert_eq!((queued.await.unwrap(), second.await.unwrap()), (7, 8));
    pool.shutdown_background();
}
