//! Very many tasks and very many threads: memory stays flat and no count is lost. `HEADCOUNT_TEST_SPAWNS`
//! sets how many.

use std::sync::atomic::{AtomicBool, Ordering};

use headcount::snapshot::GroupInfo;

/// Tasks in the loop: few in an unoptimized build, where each costs ten times as much.
fn spawns() -> u64 {
    let given = std::env::var("HEADCOUNT_TEST_SPAWNS").ok().and_then(|number| number.parse().ok());
    given.unwrap_or(if cfg!(debug_assertions) { 200_000 } else { 10_000_000 })
}

fn group(name: &str) -> GroupInfo {
    headcount::snapshot().groups.into_iter().find(|group| &*group.name == name).unwrap()
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// What memory may grow by once everything has been used for a while.
const SLACK: u64 = 16 << 20;

fn assert_flat(before: u64, what: &str) {
    let grown = resident().saturating_sub(before);
    assert!(grown < SLACK, "{what}: {} MiB more", grown >> 20);
}

/// One test, so that nothing else uses memory meanwhile.
#[test]
fn memory_is_flat_and_counts_are_exact() {
    own_process!();
    many_spawns();
    many_threads();
}

fn many_spawns() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let burst = |tasks: u64| {
        runtime.block_on(async {
            let spawn =
                |number| headcount::task("looped").field("number", number).spawn(async move { number });
            for start in (0..tasks).step_by(1_000) {
                let handles: Vec<_> = (start..(start + 1_000).min(tasks)).map(spawn).collect();
                for handle in handles {
                    handle.await.unwrap();
                }
            }
        });
    };
    let total = spawns();
    let first = total / 10;
    burst(first);
    let before = resident();
    burst(total - first);
    assert_flat(before, "spawns");
    let group = group("looped");
    assert_eq!(
        (group.spawned, group.finished.ok, group.finished.total(), group.live),
        (total, total, total, 0)
    );
    assert_eq!(group.durations.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), total);
    assert_eq!(group.polls, total);
}

/// Threads that come and go, each with a task of each sort, while somebody reads.
fn many_threads() {
    const THREADS: u64 = 3_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let handle = runtime.handle();
    let done = AtomicBool::new(false);
    let run = |count: u64| {
        for _ in 0..count / 10 {
            std::thread::scope(|scope| {
                for _ in 0..10 {
                    scope.spawn(|| {
                        let spawned = headcount::task("of-a-thread").spawn_on(async {}, handle);
                        drop(headcount::task("of-a-thread-dropped").track(std::future::pending::<()>()));
                        handle.block_on(spawned).unwrap();
                    });
                }
            });
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let snapshot = headcount::snapshot();
                assert_eq!(snapshot.spawned, snapshot.finished.total() + snapshot.live);
                let now = (snapshot.spawned, snapshot.finished.total());
                assert!(last.0 <= now.0 && last.1 <= now.1, "backwards: {last:?}, {now:?}");
                last = now;
            }
        });
        run(THREADS / 3);
        let before = resident();
        run(THREADS - THREADS / 3);
        assert_flat(before, "threads");
        done.store(true, Ordering::Relaxed);
    });
    let (ended, dropped) = (group("of-a-thread"), group("of-a-thread-dropped"));
    assert_eq!((ended.spawned, ended.finished.ok, ended.live), (THREADS, THREADS, 0));
    assert_eq!((dropped.spawned, dropped.finished.cancelled, dropped.live), (THREADS, THREADS, 0));
}
