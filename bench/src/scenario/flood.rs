//! A million finished tasks a second for ten seconds, without a scrape: memory must not grow.

use std::time::{Duration, Instant};

use headcount::Headcount;

use crate::memory::resident;
use crate::report::{Goal, Report, Section};
use crate::runtime::Flavor;
use crate::settings::{ANY_PORT, Settings};

const A_SECOND: usize = 1_000_000;
const BURST: usize = 64;

pub fn run(settings: Settings) -> Report {
    let hc = Headcount::builder().admin(ANY_PORT).install().expect("installed once");
    let seconds = if settings.quick { 3 } else { 10 };
    let runtime = Flavor::MultiThread.build();
    let mut rows = Vec::new();
    let mut resident_after = Vec::new();
    for second in 1..=seconds {
        let start = Instant::now();
        runtime.block_on(a_second_of_tasks());
        let took = start.elapsed();
        std::thread::sleep(Duration::from_secs(1).saturating_sub(took));
        resident_after.push(resident());
        rows.push(vec![
            second.to_string(),
            format!("{:.2} M/s", A_SECOND as f64 / took.as_secs_f64().max(1.0) / 1e6),
            format!("{:.1}", resident()),
        ]);
    }
    let growth = resident_after[seconds - 1] - resident_after[0];
    let finished = headcount::snapshot().finished.total();
    assert_eq!(finished, (A_SECOND * seconds) as u64, "every task is counted");
    std::mem::forget(hc);
    Report {
        goals: vec![Goal::new(
            "a million finished tasks a second, no scrape: growth after the first second",
            1.0,
            growth,
            "MiB",
        )],
        sections: vec![Section {
            title: "A million finished tasks a second, no scrape".to_owned(),
            text: format!("{finished} tasks, each counted."),
            head: ["second", "finished", "resident MiB"].map(str::to_owned).to_vec(),
            rows,
        }],
        ..Report::default()
    }
}

/// Two tasks spawn, so that two workers are at work.
async fn a_second_of_tasks() {
    let spawners = [tokio::spawn(bursts(A_SECOND / 2)), tokio::spawn(bursts(A_SECOND / 2))];
    for spawner in spawners {
        spawner.await.expect("the spawner ends");
    }
}

async fn bursts(count: usize) {
    let mut handles = Vec::with_capacity(BURST);
    for start in (0..count).step_by(BURST) {
        handles.extend((start..count.min(start + BURST)).map(|_| headcount::spawn(async {})));
        for handle in handles.drain(..) {
            handle.await.expect("the task ends");
        }
    }
}
