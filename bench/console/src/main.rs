//! What a console costs, with a client attached that reads all updates: time of a task from spawn to end
//! and memory after 20,000 of them; time of a task while they are spawned without pause; and what a yielding
//! task feels of it beside 100,000 live tasks.
//!
//! `headcount-bench-console [TWIN]` prints the tables as Markdown. Each figure is taken in a process of its
//! own, in turns. `console-subscriber`, at its defaults, takes part where TWIN is given: this program, built
//! with `RUSTFLAGS="--cfg tokio_unstable"`.

mod child;
mod client;
mod gaps;
#[path = "../../src/machine.rs"]
mod machine;
mod report;
mod spawns;

use std::env;
use std::path::Path;

/// The allocator that the figures were taken with.
const ALLOCATOR: &str = "glibc's";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => report::print(None),
        ["client", address] => client::read_all(address, false),
        ["client", address, "look"] => client::read_all(address, true),
        ["gaps"] => gaps::measure(),
        [subject] if spawns::SUBJECTS.contains(&subject) => spawns::measure(subject),
        [twin] => report::print(Some(Path::new(twin))),
        _ => std::process::exit(2),
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
