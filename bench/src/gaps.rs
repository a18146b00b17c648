//! What tasks feel of a reader: spawn times and a yielding task's gaps, without it and beside it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Instant;

use tokio::runtime::Runtime;

use crate::report::{Goal, Section};
use crate::rounds::median;
use crate::runtime::on_a_worker;
use crate::settings::Settings;

/// What reads while tasks run.
pub struct Reader<'a> {
    pub title: String,
    pub name: &'static str,
    /// One reading; called without pause.
    pub read: &'a (dyn Fn() + Sync),
    /// How many times longer than usual tasks are watched, for one that reads seldom.
    pub longer: usize,
}

/// What works on another thread, and what the tasks felt in each round.
struct Beside<'a> {
    name: &'static str,
    step: Option<&'a (dyn Fn() + Sync)>,
    spawns: Tail,
    gaps: Tail,
}

/// The p50 and p99.9 of each round.
#[derive(Default)]
struct Tail {
    p50: Vec<f64>,
    p999: Vec<f64>,
}

/// Medians over the rounds, in nanoseconds.
struct Felt {
    name: &'static str,
    spawn: (f64, f64),
    gap: (f64, f64),
}

/// Measures with nothing beside the tasks, beside a thread that only computes, and beside the reader.
pub fn measure(reader: &Reader<'_>, runtime: &Runtime, settings: Settings) -> (Section, Vec<Goal>) {
    let mut besides = [
        Beside::new("nothing", None),
        Beside::new("a thread that only computes", Some(&compute)),
        Beside::new(reader.name, Some(reader.read)),
    ];
    for round in 0..=settings.rounds() {
        for turn in 0..besides.len() {
            let index = (round + turn) % besides.len();
            besides[index].round(runtime, reader.longer, settings, 0 < round);
        }
    }
    let [nobody, computing, reading] = besides.map(Beside::felt);
    let goal = |what: &str, ratio: f64| {
        Goal::new(format!("{}: p99.9 of {what}, times without", reader.title), 1.2, ratio, "")
    };
    let goals = vec![
        goal("spawn times", reading.spawn.1 / nobody.spawn.1),
        goal("a yielding task's gaps", reading.gap.1 / nobody.gap.1),
    ];
    let section = Section {
        title: reader.title.clone(),
        text: "Nanoseconds, medians over the rounds; in brackets the ratio to the row \"nothing\"."
            .to_owned(),
        head: ["beside the tasks", "spawn p50", "spawn p99.9", "gap p50", "gap p99.9"]
            .map(str::to_owned)
            .to_vec(),
        rows: [&nobody, &computing, &reading].map(|felt| felt.row(&nobody)).to_vec(),
    };
    (section, goals)
}

impl<'a> Beside<'a> {
    fn new(name: &'static str, step: Option<&'a (dyn Fn() + Sync)>) -> Self {
        Self { name, step, spawns: Tail::default(), gaps: Tail::default() }
    }

    fn round(&mut self, runtime: &Runtime, longer: usize, settings: Settings, counts: bool) {
        let stop = AtomicBool::new(false);
        let (spawns, gaps) = thread::scope(|scope| {
            if let Some(step) = self.step {
                let stop = &stop;
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        step();
                    }
                });
            }
            let spawns = spawn_times(runtime, longer * settings.scaled(200_000));
            let gaps = gap_times(runtime, longer * settings.scaled(1_000_000));
            stop.store(true, Ordering::Relaxed);
            (spawns, gaps)
        });
        if counts {
            self.spawns.add(spawns);
            self.gaps.add(gaps);
        }
    }

    fn felt(mut self) -> Felt {
        Felt { name: self.name, spawn: self.spawns.medians(), gap: self.gaps.medians() }
    }
}

impl Felt {
    fn row(&self, nobody: &Self) -> Vec<String> {
        vec![
            self.name.to_owned(),
            format!("{:.0}", self.spawn.0),
            format!("{:.0} ({:.2})", self.spawn.1, self.spawn.1 / nobody.spawn.1),
            format!("{:.0}", self.gap.0),
            format!("{:.0} ({:.2})", self.gap.1, self.gap.1 / nobody.gap.1),
        ]
    }
}

impl Tail {
    fn add(&mut self, mut samples: Vec<u32>) {
        samples.sort_unstable();
        self.p50.push(f64::from(samples[samples.len() / 2]));
        self.p999.push(f64::from(samples[samples.len() - samples.len() / 1_000]));
    }

    fn medians(&mut self) -> (f64, f64) {
        (median(&mut self.p50), median(&mut self.p999))
    }
}

fn compute() {
    let mut value = 1_u64;
    for _ in 0..10_000 {
        value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

fn spawn_times(runtime: &Runtime, count: usize) -> Vec<u32> {
    on_a_worker(runtime, async move {
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            let handle = headcount::spawn(async {});
            samples.push(start.elapsed().as_nanos() as u32);
            handle.await.expect("the task ends");
        }
        samples
    })
}

fn gap_times(runtime: &Runtime, count: usize) -> Vec<u32> {
    let gaps = Gaps { last: Instant::now(), samples: Vec::with_capacity(count) };
    on_a_worker(runtime, async move { headcount::spawn(gaps).await.expect("the task ends") })
}

/// Yields until its vector is full of the times between its polls.
struct Gaps {
    last: Instant,
    samples: Vec<u32>,
}

impl Future for Gaps {
    type Output = Vec<u32>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<u32>> {
        let now = Instant::now();
        let gap = now - self.last;
        self.last = now;
        self.samples.push(gap.as_nanos() as u32);
        if self.samples.len() == self.samples.capacity() {
            return Poll::Ready(std::mem::take(&mut self.samples));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
