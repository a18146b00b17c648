//! Spawn from a thread that belongs to no runtime, 1,024 tasks at a time, and wait for them there.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::report::{Compare, Report};
use crate::rounds::{Measure, column};
use crate::runtime::Flavor;
use crate::settings::Settings;
use crate::subject::{ByHand, Subject};

const SIZE: usize = 1_024;

struct Outside {
    runtime: Runtime,
    bursts: usize,
}

impl Measure for Outside {
    fn measure<S: Subject>(&self, subject: S) -> f64 {
        let mut handles = Vec::with_capacity(SIZE);
        let start = Instant::now();
        for _ in 0..self.bursts {
            handles.extend((0..SIZE).map(|_| subject.spawn_on(async {}, self.runtime.handle())));
            self.runtime.block_on(async {
                for handle in handles.drain(..) {
                    handle.await.expect("the task ends");
                }
            });
        }
        start.elapsed().as_nanos() as f64 / (self.bursts * SIZE) as f64
    }
}

pub fn run(settings: Settings) -> Report {
    ByHand::install();
    let mut report = Report::default();
    for flavor in Flavor::ALL {
        let what = Outside { runtime: flavor.build(), bursts: settings.scaled(100) };
        let column = column(flavor.title(), "from outside", Compare::Ratio, &what, settings);
        if flavor == Flavor::MultiThread {
            report.goals.extend(column.goal("from outside the runtime, times `tokio::spawn`", 1.15, ""));
        }
        report.columns.push(column);
    }
    report
}
