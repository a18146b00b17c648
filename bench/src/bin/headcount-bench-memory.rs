//! Bytes held for each live task, by an allocator that counts: in a binary of its own, so that nothing else
//! pays for it.

use std::alloc::System;

use headcount_bench::population;
use headcount_bench::process;
use headcount_bench::report::{Column, Compare, Report};
use headcount_bench::rounds::{Measure, everyone, once};
use headcount_bench::runtime::Flavor;
use headcount_bench::subject::{ByHand, Subject};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

struct LiveBytes {
    tasks: usize,
}

impl Measure for LiveBytes {
    fn measure<S: Subject>(&self, subject: S) -> f64 {
        let runtime = Flavor::MultiThread.build();
        // The first task pays for tables that serve all tasks.
        population::of_all_sizes(subject, &runtime, 8);
        let before = held();
        population::of_all_sizes(subject, &runtime, self.tasks);
        (held() - before) / self.tasks as f64
    }
}

fn held() -> f64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

fn main() {
    ByHand::install();
    let quick = std::env::args().any(|argument| argument == "--quick");
    let what = LiveBytes { tasks: if quick { 100_000 } else { 1_000_000 } };
    let column = Column {
        table: Flavor::MultiThread.title().to_owned(),
        head: "bytes a live task".to_owned(),
        compare: Compare::Difference,
        lanes: once(everyone(&what)),
    };
    let goals =
        column.goal("more bytes a live task, all allocations counted", 80.0, "").into_iter().collect();
    process::answer(&Report { columns: vec![column], goals, sections: Vec::new() });
}
