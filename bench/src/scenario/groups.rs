//! Bursts of tasks of 200 groups: ten places with twenty names each.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::places::{MOST, spawn_from_a_place};
use crate::report::{Compare, Report};
use crate::rounds::{Measure, column};
use crate::runtime::{Flavor, on_a_worker};
use crate::settings::Settings;
use crate::subject::{ByHand, Subject};

const TABLE: &str = "200 groups, multi-thread runtime";

struct Groups {
    runtime: Runtime,
    rounds: usize,
}

impl Measure for Groups {
    fn measure<S: Subject>(&self, subject: S) -> f64 {
        let rounds = self.rounds;
        on_a_worker(&self.runtime, async move {
            let mut handles = Vec::with_capacity(MOST);
            let start = Instant::now();
            for _ in 0..rounds {
                handles.extend((0..MOST).map(|index| spawn_from_a_place(subject, index, async {})));
                for handle in handles.drain(..) {
                    handle.await.expect("the task ends");
                }
            }
            start.elapsed().as_nanos() as f64 / (rounds * MOST) as f64
        })
    }
}

pub fn run(settings: Settings) -> Report {
    ByHand::install();
    headcount::Headcount::builder()
        .max_groups(MOST + 100)
        .install()
        .map(std::mem::forget)
        .expect("installed once");
    let what = Groups { runtime: Flavor::MultiThread.build(), rounds: settings.scaled(600) };
    let column = column(TABLE, "bursts of 200", Compare::Ratio, &what, settings);
    let groups = headcount::snapshot().groups.len();
    assert!(MOST <= groups, "{groups} groups, so some were folded into one");
    Report { columns: vec![column], ..Report::default() }
}
