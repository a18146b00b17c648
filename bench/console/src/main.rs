//! What a console costs, with a client attached that reads all it is told: time of a task from spawn to end and memory after 20,000 of them;
//! and what a yielding task feels of it beside 100,000 live tasks.
//!
//! Each figure is taken in a process of its own, in turns. `console-subscriber`, at its defaults, takes part in a build with
//! `RUSTFLAGS="--cfg tokio_unstable"`.

mod child;
mod client;
mod gaps;
mod spawns;

use std::env;

use child::run;

/// Rounds in which all take turns.
const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => report(),
        ["client", address] => client::read_all(address),
        ["gaps"] => gaps::measure(),
        [subject] => spawns::measure(subject),
        _ => std::process::exit(2),
    }
}

fn report() {
    println!("| 20,000 tasks, client attached | ns per task | MB after |\n|---|---|---|");
    let subjects = spawns::SUBJECTS;
    let mut found = vec![(Vec::new(), Vec::new()); subjects.len()];
    for round in 0..ROUNDS {
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            let figures = run(subjects[index]);
            found[index].0.push(figures[0]);
            found[index].1.push(figures[1]);
        }
    }
    for (subject, (nanos, megabytes)) in subjects.iter().zip(&mut found) {
        println!("| {subject} | {:.0} | {:.1} |", median(nanos), median(megabytes));
    }
    let gaps = run("gaps");
    let [without, with] = gaps[..] else { return };
    println!(
        "\np99.9 of a yielding task's gaps beside 100,000 live tasks: {without:.0} ns without a client,"
    );
    println!("{with:.0} ns with one: {:.2} times", with / without);
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
