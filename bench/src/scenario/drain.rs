//! A million tasks that each await the shutdown signal: from the trigger to the last end.
//!
//! A shutdown happens once in a process, so each measurement is a process of its own, and those take turns.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use headcount::Headcount;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::process;
use crate::report::{Goal, Report, Section};
use crate::rounds::{Contestant, interleave};
use crate::runtime::Flavor;
use crate::settings::{ANY_PORT, Settings};

/// What one process found, in milliseconds from the trigger.
type Milliseconds = f64;

pub fn run(settings: Settings) -> Report {
    let tasks = settings.scaled(1_000_000);
    let measure = |what: &'static str| {
        move || process::run::<Milliseconds>("headcount-bench", what, settings).expect("the child ends well")
    };
    let contestants = vec![
        Contestant::new("`TaskTracker` and `CancellationToken`", measure("drain-tracker")),
        Contestant::new("the same again", measure("drain-tracker")),
        Contestant::new("headcount", measure("drain-headcount")),
    ];
    let rounds = if settings.quick { 1 } else { 15 };
    let lanes = interleave(contestants, rounds);
    let theirs = f64::midpoint(lanes[0].median, lanes[1].median);
    let rows = lanes.iter().map(|lane| {
        vec![
            lane.subject.clone(),
            format!("{:.0} ({:.2})", lane.median, lane.median / theirs),
            format!("{:.0}", lane.best),
        ]
    });
    Report {
        sections: vec![Section {
            title: format!("{tasks} tasks that each await the shutdown signal"),
            text: "Milliseconds from the trigger to the end of the last task.".to_owned(),
            head: ["", "median", "best"].map(str::to_owned).to_vec(),
            rows: rows.collect(),
        }],
        goals: vec![Goal::new(
            format!("{tasks} tasks drained, times `TaskTracker` and `CancellationToken`"),
            1.3,
            lanes[2].median / theirs,
            "",
        )],
        ..Report::default()
    }
}

/// Knows when the last task ended.
struct Countdown {
    left: AtomicUsize,
    last_end: Mutex<Option<Instant>>,
}

impl Countdown {
    fn new(tasks: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(tasks), last_end: Mutex::new(None) })
    }

    fn one_ended(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            *self.last_end.lock().expect("no panic") = Some(Instant::now());
        }
    }

    fn since(&self, trigger: Instant) -> Milliseconds {
        let last_end = self.last_end.lock().expect("no panic").expect("all have ended");
        (last_end - trigger).as_secs_f64() * 1e3
    }
}

/// One measurement with a tracker and a token.
pub fn tracker(settings: Settings) -> Milliseconds {
    let tasks = settings.scaled(1_000_000);
    let countdown = Countdown::new(tasks);
    let started = Countdown::new(tasks);
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    Flavor::MultiThread.build().block_on(async {
        for _ in 0..tasks {
            let (token, started, countdown) = (token.clone(), Arc::clone(&started), Arc::clone(&countdown));
            tracker.spawn(async move {
                started.one_ended();
                token.cancelled().await;
                countdown.one_ended();
            });
        }
        all_wait(&started).await;
        let trigger = Instant::now();
        token.cancel();
        tracker.close();
        tracker.wait().await;
        countdown.since(trigger)
    })
}

/// One measurement with headcount.
pub fn headcount(settings: Settings) -> Milliseconds {
    let tasks = settings.scaled(1_000_000);
    let countdown = Countdown::new(tasks);
    let started = Countdown::new(tasks);
    let hc = Headcount::builder().admin(ANY_PORT).install().expect("installed once");
    Flavor::MultiThread.build().block_on(async {
        for _ in 0..tasks {
            let (started, countdown) = (Arc::clone(&started), Arc::clone(&countdown));
            headcount::spawn(async move {
                started.one_ended();
                headcount::draining().await;
                countdown.one_ended();
            });
        }
        all_wait(&started).await;
        let trigger = Instant::now();
        headcount::shutdown("the bench is over");
        let report = hc.drain().await;
        assert_eq!(report.abandoned_total, 0, "all ended by themselves");
        countdown.since(trigger)
    })
}

async fn all_wait(started: &Countdown) {
    while 0 < started.left.load(Ordering::Relaxed) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}
