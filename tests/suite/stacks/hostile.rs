//! Futures, processes and programs that do what none should.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use headcount::{Headcount, StackResult};
use tokio::sync::Notify;

use super::{answered, ask, id_of, install, stack_of, until_idle};
use crate::support::wait::until_awaited;

/// Keeps a clone of its waker from each poll, for whatever wakes it then.
struct Keeps {
    kept: Arc<Mutex<Vec<Waker>>>,
    ends: Arc<AtomicBool>,
    polls: Arc<AtomicU64>,
}

impl Future for Keeps {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u64> {
        let polls = self.polls.fetch_add(1, Relaxed) + 1;
        self.kept.lock().unwrap().push(context.waker().clone());
        if self.ends.load(Relaxed) { Poll::Ready(polls) } else { Poll::Pending }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wakers_that_are_kept_and_woken_by_other_threads_are_the_runtimes_own() {
    own_process!();
    let _hc = install();
    let (kept, ends, polls) =
        (Arc::<Mutex<Vec<Waker>>>::default(), Arc::<AtomicBool>::default(), Arc::default());
    let keeps = Keeps { kept: Arc::clone(&kept), ends: Arc::clone(&ends), polls: Arc::clone(&polls) };
    let task = headcount::task("keeps").spawn(keeps);
    let first = stack_of("keeps").await;
    assert_eq!(first.result, StackResult::Waits);
    let goes = Arc::new(AtomicBool::new(true));
    let wakers: Vec<_> = (0..2)
        .map(|_| {
            let (kept, goes) = (Arc::clone(&kept), Arc::clone(&goes));
            std::thread::spawn(move || {
                while goes.load(Relaxed) {
                    // The newest, which is that of a captured poll now and then.
                    let newest = kept.lock().unwrap().last().cloned();
                    newest.into_iter().for_each(Waker::wake);
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    for _ in 0..100 {
        // A busy machine may keep it from its poll; inside one it is often enough.
        let stack = until_awaited(async || {
            let stack = headcount::stack(first.id).await.unwrap();
            if stack.result == StackResult::NotCaptured { Err(stack) } else { Ok(stack) }
        })
        .await;
        assert!(matches!(stack.result, StackResult::Waits | StackResult::Blocked), "{stack:?}");
        assert_eq!(stack.lost, 0);
    }
    // All clones are of one waker, whoever made them.
    {
        let kept = kept.lock().unwrap();
        assert!(kept.iter().all(|waker| waker.will_wake(&kept[0])), "a waker of a capture has got out");
    }
    ends.store(true, Relaxed);
    let ended_after = task.await.unwrap();
    goes.store(false, Relaxed);
    wakers.into_iter().for_each(|thread| thread.join().unwrap());
    // Days later, in a way.
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    kept.into_iter().for_each(Waker::wake);
    assert_eq!(polls.load(Relaxed), ended_after);
    assert!(headcount::stack(first.id).await.unwrap_err().is_unknown());
}

/// Drops what it has, and wakes it, as its thread ends.
#[derive(Default)]
struct WokenAtTheEnd(RefCell<Vec<Waker>>);

impl Drop for WokenAtTheEnd {
    fn drop(&mut self) {
        for waker in self.0.take() {
            drop(waker.clone());
            waker.wake();
        }
    }
}

thread_local!(static KEPT: WokenAtTheEnd = WokenAtTheEnd::default());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waker_may_be_cloned_and_woken_by_a_destructor_of_the_thread() {
    own_process!();
    let _hc = install();
    let never = Arc::new(Notify::new());
    let thread = std::thread::spawn({
        let never = Arc::clone(&never);
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let keeps = std::future::poll_fn(|context| {
                    KEPT.with(|kept| kept.0.borrow_mut().push(context.waker().clone()));
                    Poll::<()>::Pending
                });
                drop(headcount::task("keeps").spawn(keeps));
                never.notified().await;
            });
            // Its wakers outlive it here.
            drop(runtime);
            KEPT.with(|kept| kept.0.borrow().len())
        }
    });
    for _ in 0..3 {
        assert_eq!(stack_of("keeps").await.result, StackResult::Waits);
    }
    never.notify_one();
    assert!(3 < thread.join().unwrap());
    assert_eq!(headcount::snapshot().live, 0);
}

/// Says that it is being polled and waits, from its second poll on.
fn polled_slowly(begun: Sender<()>, go_on: Receiver<()>) -> impl Future<Output = ()> + Send {
    let (mut polls, go_on) = (0, Mutex::new(go_on));
    std::future::poll_fn(move |_| {
        polls += 1;
        if 1 < polls {
            let _ = begun.send(());
            let _ = go_on.lock().unwrap().recv();
        }
        Poll::Pending
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_aborted_in_the_poll_that_asks_it_ends_as_ever() {
    own_process!();
    let _hc = install();
    for _ in 0..10 {
        let ((begun, begins), (go_on, goes_on)) = (channel(), channel());
        let task = headcount::task("slow").spawn(polled_slowly(begun, goes_on));
        let asked = tokio::spawn(headcount::stack(until_idle("slow").await));
        tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
        task.abort();
        go_on.send(()).unwrap();
        drop(go_on);
        assert!(task.await.unwrap_err().is_cancelled());
        let stack = asked.await.unwrap().unwrap();
        // A busy machine may keep it from its poll, or inside it.
        let is_other = matches!(stack.result, StackResult::WentOn | StackResult::Panicked);
        assert!(!is_other, "{stack:?}");
    }
    // The next answer has nothing of those.
    let never = Arc::new(Notify::new());
    drop(headcount::task("after").spawn(async move { never.notified().await }));
    assert_eq!(stack_of("after").await.result, StackResult::Waits);
}

/// The answer comes too late, and what it wrote goes nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_outlives_the_question_is_blocked_and_then_asked_anew() {
    own_process!();
    let _hc = install();
    let ((begun, begins), (go_on, goes_on)) = (channel(), channel());
    let task = headcount::task("slow").spawn(polled_slowly(begun, goes_on));
    let id = until_idle("slow").await;
    // A busy machine may keep it from that poll at first.
    until_awaited(async || {
        let stack = headcount::stack(id).await.unwrap();
        if stack.result == StackResult::NotCaptured { Err(stack) } else { Ok(stack) }
    })
    .await;
    assert_eq!(headcount::stack(id).await.unwrap().result, StackResult::Blocked);
    begins.recv().unwrap();
    drop(go_on);
    until_idle("slow").await;
    assert_eq!(ask(id).await.result, StackResult::Waits);
    task.abort();
}

#[test]
fn a_runtime_that_is_dropped_while_its_tasks_are_asked_is_an_answer() {
    own_process!();
    let _hc = install();
    let asks = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..20 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let never = Arc::new(Notify::new());
        drop(headcount::task("going").spawn_on(async move { never.notified().await }, runtime.handle()));
        asks.block_on(async {
            let asked = tokio::spawn(headcount::stack(until_idle("going").await));
            tokio::task::yield_now().await;
            runtime.shutdown_background();
            match asked.await.unwrap() {
                // A busy machine may keep it from its poll, or inside it.
                Ok(stack) => {
                    let is_other = matches!(stack.result, StackResult::WentOn | StackResult::Panicked);
                    assert!(!is_other, "{stack:?}");
                }
                Err(problem) => assert!(problem.is_unknown(), "{problem}"),
            }
            headcount::idle().await;
        });
    }
}

#[tokio::test]
async fn with_headcount_off_nothing_is_asked() {
    own_process!("HEADCOUNT" = "off", "HEADCOUNT_STACKS" = "request");
    let hc = Headcount::install().unwrap();
    let never = Arc::new(Notify::new());
    let task = headcount::task("waits").spawn({
        let never = Arc::clone(&never);
        async move { never.notified().await }
    });
    tokio::task::yield_now().await;
    assert!(headcount::stack(1).await.unwrap_err().is_off());
    assert_eq!(hc.admin_addr(), None);
    never.notify_one();
    task.await.unwrap();
}

/// What a program without symbols does in the test below.
#[tokio::test]
async fn child_without_symbols() {
    if std::env::var_os("SUITE_STRIPPED").is_none() {
        return;
    }
    let _hc =
        Headcount::builder().admin(None).stacks(headcount::settings::Stacks::Request).install().unwrap();
    let never = Arc::new(Notify::new());
    drop(headcount::task("stripped").spawn(async move { never.notified().await })); // waits
    println!("\nstack {}", stack_of("stripped").await.text);
    println!("id {}", id_of("stripped").get());
}

/// A stripped program gives its file and offsets, which the program with symbols turns into lines.
#[cfg(target_os = "linux")]
#[test]
fn a_program_without_symbols_gives_offsets() {
    own_process!();
    let folder = std::env::temp_dir().join(format!("headcount-stripped-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let (whole, stripped) = (std::env::current_exe().unwrap(), folder.join("shop"));
    let run = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(std::process::Command::new("strip").arg("-o").arg(&stripped).arg(&whole));
    let mut child = std::process::Command::new(&stripped);
    child.args(["--exact", "stacks::hostile::child_without_symbols", "--nocapture", "--test-threads=1"]);
    let said = run(child.env("SUITE_STRIPPED", "yes"));
    std::fs::remove_dir_all(&folder).unwrap();
    let text = said.lines().find_map(|line| line.strip_prefix("stack waits in ")).expect(&said);
    let offsets: Vec<&str> =
        text.split("shop+").skip(1).map(|part| part.split([' ', ')']).next().unwrap()).collect();
    assert!(!offsets.is_empty(), "{text}");
    let lines = run(std::process::Command::new("addr2line").arg("-e").arg(&whole).args(&offsets));
    let source = include_str!("hostile.rs");
    let line = 1 + source.lines().position(|line| line.ends_with("// waits")).unwrap();
    assert!(lines.contains(&format!("tests/suite/stacks/hostile.rs:{line}")), "{text}\n{lines}");
}

/// The waker is cloned by a thread that the poll starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_on_another_thread_is_counted_as_lost() {
    own_process!();
    let _hc = install();
    let kept = Arc::<Mutex<Vec<Waker>>>::default();
    let clones_elsewhere = || {
        let kept = Arc::clone(&kept);
        std::future::poll_fn(move |context| {
            let waker = context.waker();
            std::thread::scope(|scope| {
                scope.spawn(|| kept.lock().unwrap().push(waker.clone()));
            });
            if kept.lock().unwrap().len() < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
    };
    // Where the answer came too late it has been polled all the same, and another is asked.
    let (task, stack) = until_awaited(async || {
        kept.lock().unwrap().clear();
        let task = headcount::task("elsewhere").spawn(clones_elsewhere());
        match headcount::stack(until_idle("elsewhere").await).await.map(answered) {
            Ok(Ok(stack)) => Ok((task, stack)),
            late => {
                task.abort();
                let _ = task.await;
                Err(late)
            }
        }
    })
    .await;
    assert_eq!((stack.result, stack.lost), (StackResult::Waits, 1));
    let wakers = std::mem::take(&mut *kept.lock().unwrap());
    kept.lock().unwrap().extend(wakers.iter().cloned());
    wakers.into_iter().for_each(Waker::wake);
    tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
}
