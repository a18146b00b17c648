//! Spawn a task that does nothing, await it, again.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::RATIO_GOAL;
use crate::report::{Compare, Report};
use crate::rounds::{Measure, column};
use crate::runtime::{Flavor, on_a_worker};
use crate::settings::Settings;
use crate::subject::{ByHand, Subject};

struct SpawnAwait {
    runtime: Runtime,
    tasks: usize,
}

impl Measure for SpawnAwait {
    fn measure<S: Subject>(&self, subject: S) -> f64 {
        let tasks = self.tasks;
        on_a_worker(&self.runtime, async move {
            let start = Instant::now();
            for _ in 0..tasks {
                subject.spawn(async {}).await.expect("the task ends");
            }
            start.elapsed().as_nanos() as f64 / tasks as f64
        })
    }
}

pub fn run(settings: Settings) -> Report {
    ByHand::install();
    let mut report = Report::default();
    for flavor in Flavor::ALL {
        let what = SpawnAwait { runtime: flavor.build(), tasks: settings.scaled(100_000) };
        let column = column(flavor.title(), "spawn + await", Compare::Ratio, &what, settings);
        let goal = format!("spawn + await, times `tokio::spawn`, {}", flavor.workers());
        report.goals.extend(column.goal(&goal, RATIO_GOAL, ""));
        report.columns.push(column);
    }
    report
}
