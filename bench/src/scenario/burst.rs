//! Spawn 64 tasks on a worker, then await them all: the other workers steal.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::RATIO_GOAL;
use crate::report::{Compare, Report};
use crate::rounds::{Measure, column};
use crate::runtime::{Flavor, on_a_worker};
use crate::settings::Settings;
use crate::subject::{ByHand, Subject};

const SIZE: usize = 64;

struct Burst {
    runtime: Runtime,
    bursts: usize,
}

impl Measure for Burst {
    fn measure<S: Subject>(&self, subject: S) -> f64 {
        let bursts = self.bursts;
        on_a_worker(&self.runtime, async move {
            let mut handles = Vec::with_capacity(SIZE);
            let start = Instant::now();
            for _ in 0..bursts {
                handles.extend((0..SIZE).map(|_| subject.spawn(async {})));
                for handle in handles.drain(..) {
                    handle.await.expect("the task ends");
                }
            }
            start.elapsed().as_nanos() as f64 / (bursts * SIZE) as f64
        })
    }
}

pub fn run(settings: Settings) -> Report {
    ByHand::install();
    let mut report = Report::default();
    for flavor in Flavor::ALL {
        let what = Burst { runtime: flavor.build(), bursts: settings.scaled(2_000) };
        let column = column(flavor.title(), "burst of 64", Compare::Ratio, &what, settings);
        let goal = format!("burst of 64, times `tokio::spawn`, {}", flavor.workers());
        report.goals.extend(column.goal(&goal, RATIO_GOAL, ""));
        report.columns.push(column);
    }
    report
}
