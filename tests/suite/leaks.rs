//! `assert_no_leaks`: finds what a block left, only that, and says where it comes from.

#![allow(clippy::async_yields_async, reason = "what is leaked is not awaited")]

use std::future::pending;
use std::time::Duration;

use futures_util::FutureExt;
use headcount::testing::assert_no_leaks;

async fn complaint(block: impl Future<Output = ()>) -> String {
    let checked = std::panic::AssertUnwindSafe(assert_no_leaks(block)).catch_unwind().await;
    *checked.expect_err("something leaked").downcast::<String>().unwrap()
}

#[tokio::test]
async fn a_block_that_leaves_nothing_gives_its_output() {
    own_process!();
    let answer = assert_no_leaks(async {
        let child = headcount::spawn(async { headcount::spawn(async { 41 }).await.unwrap() });
        child.await.unwrap() + headcount::spawn_blocking(|| 1).await.unwrap()
    });
    assert_eq!(answer.await, 42);
}

#[tokio::test]
async fn what_is_left_is_named_with_place_and_age() {
    own_process!();
    let line = line!() + 2;
    let text = complaint(async {
        headcount::task("leaked").spawn(pending::<()>());
    })
    .await;
    assert!(text.starts_with("1 task(s) left alive:\n  leaked #"), "{text}");
    assert!(text.ends_with(&format!("s old ({}:{line})", file!())), "{text}");
    let age: f64 = text.split(' ').find_map(|word| word.strip_suffix('s')?.parse().ok()).unwrap();
    assert!((0.1..10.0).contains(&age), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descendants_of_all_kinds_count() {
    own_process!();
    let (release, is_released) = std::sync::mpsc::channel::<()>();
    let text = complaint(async {
        let child = headcount::task("child").spawn(async {
            headcount::task("grandchild").spawn(pending::<()>());
        });
        let (spawned, has_spawned) = tokio::sync::oneshot::channel();
        headcount::task("closure").spawn_blocking(move || {
            headcount::task("of-closure").spawn(pending::<()>());
            spawned.send(()).unwrap();
            is_released.recv().unwrap_err();
        });
        child.await.unwrap();
        has_spawned.await.unwrap();
    })
    .await;
    for name in ["grandchild #", "closure #", "of-closure #"] {
        assert!(text.contains(name), "{text}");
    }
    assert!(!text.contains(" child #"), "it has ended: {text}");
    drop(release);
}

#[tokio::test]
async fn only_descendants_count() {
    own_process!();
    let before = headcount::task("before").spawn(pending::<()>());
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let beside = async {
        sender.send(()).unwrap();
        headcount::task("beside").spawn(pending::<()>())
    };
    let (handle, ()) = tokio::join!(beside, assert_no_leaks(async { receiver.await.unwrap() }));
    handle.abort();
    before.abort();
}

#[tokio::test]
async fn one_that_was_aborted_is_no_leak() {
    own_process!();
    assert_no_leaks(async { headcount::spawn(pending::<()>()).abort() }).await;
}

/// The clock of tokio stands still while the check waits in real time.
#[tokio::test(start_paused = true)]
async fn with_paused_time() {
    own_process!();
    let began = tokio::time::Instant::now();
    let text = complaint(async {
        headcount::task("sleeps").spawn(tokio::time::sleep(Duration::from_secs(5000)));
    })
    .await;
    assert!(text.contains("sleeps #"), "{text}");
    assert!(
        began.elapsed() <= Duration::from_millis(110),
        "the check moved the clock by {:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn with_paused_time_what_ends_in_a_moment_is_no_leak() {
    own_process!();
    assert_no_leaks(async {
        headcount::task("brief").spawn(tokio::time::sleep(Duration::from_millis(10)));
        headcount::task("chain").spawn(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            headcount::spawn(tokio::time::sleep(Duration::from_millis(20)));
        });
    })
    .await;
}

/// Many checks at once, on many threads: each sees its own.
#[test]
fn in_parallel() {
    own_process!();
    let check = |leaks: bool| {
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for _ in 0..20 {
                    let block = async move {
                        headcount::task("mine").spawn(tokio::task::yield_now()).await.unwrap();
                        if leaks {
                            headcount::task("parallel-leak").spawn(pending::<()>());
                        }
                    };
                    if leaks {
                        let text = complaint(block).await;
                        assert!(text.starts_with("1 task(s)"), "{text}");
                        break;
                    }
                    assert_no_leaks(block).await;
                }
            });
        }
    };
    let threads: Vec<_> = (0..8).map(|number| std::thread::spawn(check(number % 2 == 0))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_panic_of_the_block_is_its_own() {
    own_process!();
    let block = async {
        headcount::spawn(pending::<()>());
        panic!("mine");
    };
    let checked = std::panic::AssertUnwindSafe(assert_no_leaks::<_>(block)).catch_unwind().await;
    let payload = checked.unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "mine");
}

#[tokio::test]
async fn a_check_inside_that_is_given_up_hides_nothing_from_the_one_outside() {
    own_process!();
    let text = complaint(async {
        let inside = assert_no_leaks(async {
            headcount::task("left-inside").spawn(pending::<()>());
            pending::<()>().await;
        });
        assert!(inside.now_or_never().is_none());
    })
    .await;
    assert!(text.contains("left-inside #"), "{text}");
}

/// Between two runs too, when no task of it lives.
#[tokio::test(start_paused = true)]
async fn a_service_counts_until_it_is_over() {
    own_process!();
    let hour = Duration::from_secs(3600);
    let line = line!() + 2;
    let text = complaint(async move {
        headcount::every(hour, "hourly").run(|| async {}).unwrap();
        headcount::service("consumer", pending::<()>).spawn().unwrap();
        tokio::task::yield_now().await;
    })
    .await;
    assert!(text.starts_with("1 task(s) and 1 service(s) left alive:\n  consumer #"), "{text}");
    let (_, timer) = text.split_once("\n  hourly waiting, ").expect(&text);
    assert!(timer.ends_with(&format!(" old ({}:{line})", file!())), "{text}");

    // One whose first run has not begun.
    let text = complaint(async { drop(headcount::service("at-once", pending::<()>).spawn().unwrap()) }).await;
    assert!(text.contains("left alive:\n  at-once "), "{text}");

    // What a run spawned is of the block too.
    let text = complaint(async {
        let run = || async {
            headcount::task("of-the-run").spawn(pending::<()>());
        };
        headcount::service("once", run).spawn().unwrap().ended().await;
    });
    assert!(text.await.starts_with("1 task(s) left alive:\n  of-the-run #"));

    assert_no_leaks(async move {
        let timer = headcount::every(hour, "hourly").run(|| async {}).unwrap();
        let service = headcount::service("consumer", pending::<()>).spawn().unwrap();
        tokio::task::yield_now().await;
        timer.stop();
        service.stop();
    })
    .await;
}
