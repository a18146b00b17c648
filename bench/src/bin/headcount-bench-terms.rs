//! What limits and timeouts cost, beside what is written for them otherwise: in a binary whose allocator
//! counts. Each subject has a process of its own.

use std::alloc::System;
use std::env;
use std::future::{Future, pending};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use headcount::Limit;
use headcount_bench::memory::resident;
use headcount_bench::process::{CHILD, answer, run};
use headcount_bench::report::{Goal, Report, Section};
use headcount_bench::runtime::{Flavor, beside_a_reader, on_a_worker};
use headcount_bench::settings::Settings;
use headcount_core::internal::registry::timeout::timer_load;
use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;
use tower::{Service, ServiceExt};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The whole scenario, as the main binary asks for it.
const ALL: &str = "terms";

const AT_ONCE: usize = 64;
const QUEUE: usize = 1_000;
static LIMIT: Limit = Limit::new("email", AT_ONCE).queue(QUEUE);

const HOUR: Duration = Duration::from_secs(3600);

/// The name of a part, the title of its row, and what measures it.
type Part<T> = (&'static str, &'static str, fn(Settings) -> T);

/// What is measured of a limit.
const LIMITS: [Part<Limited>; 4] = [
    ("limit-spawn", "`.limit(&L).spawn`", |settings| {
        limited(settings, |done| async move { drop(email(done)) })
    }),
    ("limit-when-free", "`.limit(&L).spawn_when_free`", |settings| {
        limited(settings, |done| async move {
            drop(headcount::task("email").limit(&LIMIT).spawn_when_free(work(done)).await);
        })
    }),
    ("limit-semaphore", "`Semaphore` in each task", |settings| {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        limited(settings, move |done| {
            let places = Arc::clone(&places);
            tokio::spawn(async move {
                let _place = places.acquire().await.expect("it is never closed");
                work(done).await;
            });
            async {}
        })
    }),
    ("limit-tower", "tower's `ConcurrencyLimit` in each task", |settings| {
        let service = tower::ServiceBuilder::new().concurrency_limit(AT_ONCE).service_fn(|done| async move {
            work(done).await;
            Ok::<(), std::convert::Infallible>(())
        });
        limited(settings, move |done| {
            let mut service = service.clone();
            tokio::spawn(async move { service.ready().await?.call(done).await });
            async {}
        })
    }),
];

/// What is measured of timeouts.
const TIMEOUTS: [Part<Timed>; 3] = [
    ("timeout-none", "`tokio::spawn`, no timeout", |settings| timed(settings, |_, work| tokio::spawn(work))),
    ("timeout-tokio", "`tokio::time::timeout` in each task", |settings| {
        timed(settings, |after, work| {
            tokio::spawn(async move {
                let _ = timeout(after, work).await;
            })
        })
    }),
    ("timeout-headcount", "`.timeout(…).spawn`", |settings| {
        timed(settings, |after, work| headcount::task("email").timeout(after).spawn(work))
    }),
];

fn main() -> ExitCode {
    let quick = env::args().any(|argument| argument == "--quick");
    let settings = Settings { quick };
    let Some(wanted) = env::args().skip_while(|argument| argument != CHILD).nth(1) else {
        return ExitCode::from(2);
    };
    if wanted == ALL {
        answer(&all(settings));
    } else if let Some((.., measure)) = LIMITS.iter().find(|(name, ..)| *name == wanted) {
        answer(&measure(settings));
    } else if let Some((.., measure)) = TIMEOUTS.iter().find(|(name, ..)| *name == wanted) {
        answer(&measure(settings));
    } else {
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

fn all(settings: Settings) -> Report {
    let program = "headcount-bench-terms";
    let limited: Vec<(&str, Limited)> = LIMITS
        .iter()
        .map(|(part, title, _)| (*title, run(program, part, settings).expect("the part answers")))
        .collect();
    let timed: Vec<(&str, Timed)> = TIMEOUTS
        .iter()
        .map(|(part, title, _)| (*title, run(program, part, settings).expect("the part answers")))
        .collect();
    let (spawn, ours) = (&limited[0].1, &timed[2].1);
    let million = settings.scaled(1_000_000);
    let pending = settings.scaled(100_000);
    Report {
        goals: vec![
            Goal::new(format!("{million} above a limit: growth after the first tenth"), 1.0, spawn.growth, "MiB"),
            Goal::new(
                format!("{pending} timeouts pending and as many cancelled: heap, times that of the pending"),
                2.0,
                ours.after / ours.live,
                "",
            ),
            Goal::new("the timer's thread woke meanwhile", 1.0, ours.wakes as f64, "times"),
            Goal::new("the latest of 200 timeouts, idle", 10.0, ours.latest.unwrap_or(f64::INFINITY), "ms late"),
        ],
        sections: vec![
            Section {
                title: format!("{million} spawned above a limit of {AT_ONCE} with a queue of {QUEUE}"),
                text: "From one task that never waits, but for `spawn_when_free`. Each task yields once. The allocator \
                       counts, which costs all alike."
                    .to_owned(),
                head: ["", "ns a spawn", "ran", "rejected", "resident MiB after a tenth", "most", "growth"]
                    .map(str::to_owned)
                    .to_vec(),
                rows: limited.iter().map(|(title, limited)| limited.row(title)).collect(),
            },
            Section {
                title: format!("{pending} timeouts of an hour pending, and as many cancelled"),
                text: "Heap by an allocator that counts everything. Late: 200 timeouts of 5 to 200 ms on a runtime that does \
                       nothing else, from when each was due to when the task was dropped."
                    .to_owned(),
                head: ["", "bytes a live task", "heap after, times that", "ns each to spawn and cancel", "late: median, ms", "latest"]
                    .map(str::to_owned)
                    .to_vec(),
                rows: timed.iter().map(|(title, timed)| timed.row(title)).collect(),
            },
        ],
        ..Report::default()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Limited {
    nanos: f64,
    ran: u64,
    rejected: u64,
    first: f64,
    most: f64,
    growth: f64,
}

impl Limited {
    fn row(&self, title: &str) -> Vec<String> {
        vec![
            title.to_owned(),
            format!("{:.0}", self.nanos),
            self.ran.to_string(),
            self.rejected.to_string(),
            format!("{:.1}", self.first),
            format!("{:.1}", self.most),
            format!("{:+.1}", self.growth),
        ]
    }
}

/// What each task does.
async fn work(done: &'static AtomicU64) {
    yield_now().await;
    done.fetch_add(1, Relaxed);
}

fn email(done: &'static AtomicU64) -> JoinHandle<()> {
    headcount::task("email").limit(&LIMIT).spawn(work(done))
}

/// Spawns a million, and waits until each has run or was rejected.
fn limited<F>(settings: Settings, mut spawn: impl FnMut(&'static AtomicU64) -> F + Send + 'static) -> Limited
where
    F: Future<Output = ()> + Send,
{
    static RAN: AtomicU64 = AtomicU64::new(0);
    let count = settings.scaled(1_000_000);
    let runtime = Flavor::MultiThread.build();
    let rejected = || headcount::snapshot().finished.rejected;
    let (nanos, first, most) = on_a_worker(&runtime, async move {
        let (mut first, mut most, mut took) = (0.0, 0.0_f64, Duration::ZERO);
        for tenth in 0..10 {
            let began = Instant::now();
            for _ in 0..count / 10 {
                spawn(&RAN).await;
            }
            took += began.elapsed();
            first = if tenth == 0 { resident() } else { first };
            most = most.max(resident());
        }
        (took.as_nanos() as f64 / count as f64, first, most)
    });
    while RAN.load(Relaxed) + rejected() < count as u64 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // A moment for what would be counted twice.
    std::thread::sleep(Duration::from_millis(100));
    let (ran, rejected) = (RAN.load(Relaxed), rejected());
    assert_eq!(ran + rejected, count as u64, "each has run or was rejected, once");
    let tracked = headcount::snapshot();
    assert!(tracked.spawned == 0 || tracked.spawned == count as u64 && tracked.finished.ok == ran);
    Limited { nanos, ran, rejected, first, most: most.max(resident()), growth: most - first }
}

#[derive(Debug, Serialize, Deserialize)]
struct Timed {
    /// Bytes held by the live tasks.
    live: f64,
    /// Of one of them.
    each: f64,
    /// Bytes held once as many others were cancelled.
    after: f64,
    nanos: f64,
    wakes: u64,
    /// Milliseconds after a timeout was due; `None` without one.
    median: Option<f64>,
    latest: Option<f64>,
}

impl Timed {
    fn row(&self, title: &str) -> Vec<String> {
        let late = |late: Option<f64>| late.map_or_else(|| "–".to_owned(), |late| format!("{late:.2}"));
        vec![
            title.to_owned(),
            format!("{:.0}", self.each),
            format!("{:.2}", self.after / self.live),
            format!("{:.0}", self.nanos),
            late(self.median),
            late(self.latest),
        ]
    }
}

fn held() -> f64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn timed(
    settings: Settings,
    spawn: impl Fn(Duration, Work) -> JoinHandle<()> + Copy + Send + 'static,
) -> Timed {
    let count = settings.scaled(100_000);
    let runtime = Flavor::MultiThread.build();
    let forever = || -> Work { Box::pin(pending()) };
    let found = on_a_worker(&runtime, async move {
        // The first pays for tables that serve all.
        drop(spawn(HOUR, forever()));
        yield_now().await;
        let before = held();
        let mut tasks: Vec<JoinHandle<()>> = Vec::with_capacity(count);
        tasks.extend((0..count).map(|_| spawn(HOUR, forever())));
        // Until each was polled once, and so has its timer.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let live = held() - before;
        let (_, woken) = timer_load();
        let began = Instant::now();
        for _ in 0..count / 100 {
            let batch: Vec<_> = (0..100).map(|_| spawn(HOUR, forever())).collect();
            yield_now().await;
            batch.iter().for_each(JoinHandle::abort);
            for task in batch {
                let _ = task.await;
            }
        }
        let nanos = began.elapsed().as_nanos() as f64 / count as f64;
        let (after, wakes) = (held() - before, timer_load().1 - woken);
        let each = (live - size_of::<JoinHandle<()>>() as f64 * count as f64) / count as f64;
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            let _ = task.await;
        }
        Timed { live, each, after, nanos, wakes, median: None, latest: None }
    });
    drop(runtime);
    let (median, latest) = lateness(spawn);
    Timed { median, latest, ..found }
}

/// Written down when the task is dropped.
struct Due {
    at: Instant,
    late: Arc<Mutex<Vec<f64>>>,
}

impl Drop for Due {
    fn drop(&mut self) {
        let late = self.at.elapsed().as_secs_f64() * 1e3;
        self.late.lock().expect("nothing panics with it").push(late);
    }
}

/// How late timeouts are where nothing else runs, in milliseconds: the median and the latest.
fn lateness(
    spawn: impl Fn(Duration, Work) -> JoinHandle<()> + Copy + Send + 'static,
) -> (Option<f64>, Option<f64>) {
    const COUNT: usize = 200;
    let runtime = beside_a_reader();
    let late = Arc::new(Mutex::new(Vec::new()));
    on_a_worker(&runtime, {
        let late = Arc::clone(&late);
        async move {
            let spawned: Vec<_> = (1..=COUNT)
                .map(|number| {
                    let after = Duration::from_micros(1_000 * number as u64 + 5_000);
                    let due = Due { at: Instant::now() + after, late: Arc::clone(&late) };
                    let work = async move {
                        let _due = due;
                        pending::<()>().await;
                    };
                    spawn(after, Box::pin(work))
                })
                .collect();
            tokio::time::sleep(Duration::from_millis(600)).await;
            // What has no timeout is not late.
            spawned.iter().filter(|task| !task.is_finished()).for_each(JoinHandle::abort);
        }
    });
    let mut late = std::mem::take(&mut *late.lock().expect("nothing panics with it"));
    late.sort_by(f64::total_cmp);
    // Without a timeout all were aborted at the end.
    let had_one = late.last().is_some_and(|latest| *latest < 300.0);
    let at = |place: usize| late.get(place).copied().filter(|_| had_one);
    (at(late.len() / 2), at(late.len() - 1))
}
