//! A summary of 1,000,000 live tasks: how long it takes, and whether tasks feel it.

use std::hint::black_box;
use std::time::Instant;

use crate::gaps::{self, Reader};
use crate::population;
use crate::report::{Goal, Report, Section};
use crate::rounds::median;
use crate::runtime::beside_a_reader;
use crate::settings::Settings;

pub fn run(settings: Settings) -> Report {
    let live = settings.scaled(1_000_000);
    let runtime = beside_a_reader();
    population::in_groups(&runtime, live);
    let milliseconds = time_of_a_snapshot(settings);
    let title = format!("A summary of {live} live tasks");
    let read = || drop(black_box(headcount::snapshot()));
    let reader = Reader { title: title.clone(), name: "`snapshot()` without pause", read: &read, longer: 1 };
    let (section, mut goals) = gaps::measure(&reader, &runtime, settings);
    goals.insert(0, Goal::new(title, 10.0, milliseconds, "ms"));
    let text = format!("One `snapshot()` takes {milliseconds:.2} ms. {}", section.text);
    runtime.shutdown_background();
    Report { sections: vec![Section { text, ..section }], goals, ..Report::default() }
}

fn time_of_a_snapshot(settings: Settings) -> f64 {
    let mut samples: Vec<f64> = (0..settings.rounds())
        .map(|_| {
            let start = Instant::now();
            black_box(headcount::snapshot());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    median(&mut samples)
}
