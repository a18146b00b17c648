//! Workloads whose results are known, asked all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use headcount::StackResult;
use tokio::sync::{Mutex, mpsc};

use super::{install, stack_of};
use crate::support::http::{get, send};

/// Dumps, while all workloads run again and again.
const DUMPS: u64 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_more_changes_no_result() {
    own_process!();
    let hc = install();
    let admin = hc.admin_addr().unwrap();
    // The first answer reads the debug information, which takes a while.
    drop(headcount::task("first").spawn(async { tokio::time::sleep(Duration::from_secs(3600)).await }));
    assert_eq!(stack_of("first").await.result, StackResult::Waits);
    let (dumps, goes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
    let asker = std::thread::spawn({
        let (dumps, goes) = (Arc::clone(&dumps), Arc::clone(&goes));
        let instance = get(admin, "/livez").header("headcount-instance").unwrap().to_owned();
        move || {
            while goes.load(Relaxed) {
                let all = send(admin, "POST", "/api/v1/stacks", &[("If-Match", &instance)], "").expect(200);
                assert!(0 < all.json()["asked"].as_u64().unwrap());
                dumps.fetch_add(1, Relaxed);
                // So many are allowed in a second.
                std::thread::sleep(Duration::from_millis(8));
            }
        }
    });
    let mut rounds = 0;
    while rounds == 0 || dumps.load(Relaxed) < DUMPS {
        assert!(!asker.is_finished(), "{:?}", asker.join());
        rounds += 1;
        assert_eq!(pipeline().await, 4_950);
        assert_eq!(locks().await, 400);
        assert_eq!(selects().await, (50, 50));
        assert_eq!(unordered().await, 45);
        assert_eq!(timers().await, 10);
        assert_eq!(rendezvous().await, 64);
    }
    goes.store(false, Relaxed);
    asker.join().unwrap();
    let failed: u64 =
        headcount::snapshot().groups.iter().map(|group| group.finished.panic + group.finished.error).sum();
    assert_eq!(failed, 0);
}

/// Three stages with small channels between them.
async fn pipeline() -> u64 {
    let (first, mut second) = mpsc::channel(2);
    let (third, mut last) = mpsc::channel(3);
    headcount::spawn(async move {
        for number in 0..100_u64 {
            first.send(number).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    headcount::spawn(async move {
        while let Some(number) = second.recv().await {
            third.send(number).await.unwrap();
        }
    });
    let sum = headcount::spawn(async move {
        let mut sum = 0;
        while let Some(number) = last.recv().await {
            sum += number;
        }
        sum
    });
    sum.await.unwrap()
}

/// Tasks that take two locks in one order, and a semaphore.
async fn locks() -> u64 {
    let shared = Arc::new((Mutex::new(0_u64), Mutex::new(0_u64), tokio::sync::Semaphore::new(2)));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let shared = shared.clone();
            headcount::spawn(async move {
                for _ in 0..25 {
                    let _permit = shared.2.acquire().await.unwrap();
                    let (mut one, mut two) = (shared.0.lock().await, shared.1.lock().await);
                    *one += 1;
                    tokio::task::yield_now().await;
                    *two += 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let both = (*shared.0.lock().await, *shared.1.lock().await);
    both.0 + both.1
}

/// Receives from two channels in turn as they come, each message once.
async fn selects() -> (u32, u32) {
    let ((one, mut ones), (two, mut twos)) = (mpsc::channel::<()>(1), mpsc::channel::<()>(1));
    for sender in [one, two] {
        headcount::spawn(async move {
            for _ in 0..50 {
                sender.send(()).await.unwrap();
            }
        });
    }
    let counts = headcount::spawn(async move {
        let mut counts = (0, 0);
        let (mut first, mut second) = (true, true);
        while first || second {
            tokio::select! {
                one = ones.recv(), if first => match one {
                    Some(()) => counts.0 += 1,
                    None => first = false,
                },
                two = twos.recv(), if second => match two {
                    Some(()) => counts.1 += 1,
                    None => second = false,
                },
            }
        }
        counts
    });
    counts.await.unwrap()
}

/// Futures in a container, of which some need several polls.
async fn unordered() -> u64 {
    use futures_util::stream::{FuturesUnordered, StreamExt};

    let sum = headcount::spawn(async {
        let mut all: FuturesUnordered<_> = (0..10_u64)
            .map(|number| async move {
                for _ in 0..number {
                    tokio::task::yield_now().await;
                }
                number
            })
            .collect();
        let mut sum = 0;
        while let Some(number) = all.next().await {
            sum += number;
        }
        sum
    });
    sum.await.unwrap()
}

/// Ticks are neither lost nor doubled.
async fn timers() -> u32 {
    let ticks = headcount::spawn(async {
        let (began, mut ticks) = (tokio::time::Instant::now(), 0);
        let mut every = tokio::time::interval(Duration::from_millis(3));
        while ticks < 10 {
            every.tick().await;
            ticks += 1;
        }
        assert!(Duration::from_millis(27) <= began.elapsed());
        ticks
    });
    ticks.await.unwrap()
}

/// Two tasks that notify each other in turn.
async fn rendezvous() -> u64 {
    let both = Arc::new((tokio::sync::Notify::new(), tokio::sync::Notify::new()));
    let there = both.clone();
    headcount::spawn(async move {
        for _ in 0..64 {
            there.0.notified().await;
            there.1.notify_one();
        }
    });
    let back = headcount::spawn(async move {
        let mut rounds = 0;
        for _ in 0..64 {
            both.0.notify_one();
            both.1.notified().await;
            rounds += 1;
        }
        rounds
    });
    back.await.unwrap()
}
