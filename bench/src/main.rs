//! Runs all scenarios, or those named, and prints the tables as Markdown.
//!
//! `headcount-bench [--quick] [SCENARIO]…`

use std::env;
use std::process::ExitCode;

use headcount_bench::report::Report;
use headcount_bench::scenario::{ALL, PARTS};
use headcount_bench::settings::Settings;
use headcount_bench::{machine, process};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The scenario that lives in a binary with an allocator that counts.
const MEMORY: &str = "memory";
/// The same of limits and timeouts.
const TERMS: &str = "terms";

const HEAD: &str = "# What it costs

Written by `scripts/bench`; `bench/README.md` says how it is measured. Times are nanoseconds for each task or poll, medians
over 15 rounds in which all subjects take turns. In brackets: times bare tokio, or more than it. Bare tokio is there
twice, to show how far equal things differ here; the comparison is with the mean of the two.
";

const FAST_HEAD: &str = "# The same with mimalloc

A fast allocator takes a good part of what a task costs without headcount, so the same work of headcount is a larger part.
";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let settings = Settings { quick: take(&mut arguments, "--quick") };
    if take(&mut arguments, process::CHILD) {
        return child(&arguments, settings);
    }
    let mut scenarios: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    scenarios.insert(4, MEMORY);
    scenarios.push(TERMS);
    if let Some(unknown) = arguments.iter().find(|wanted| !scenarios.contains(&wanted.as_str())) {
        eprintln!("{unknown}: no such scenario; there are {}", scenarios.join(", "));
        return ExitCode::from(2);
    }
    scenarios.retain(|name| arguments.is_empty() || arguments.iter().any(|wanted| wanted == name));
    report(&scenarios, settings)
}

fn report(scenarios: &[&str], settings: Settings) -> ExitCode {
    let machine = machine::describe();
    let mut report = Report::default();
    let mut failed = false;
    for name in scenarios {
        eprintln!("{name}");
        let program = match *name {
            MEMORY => "headcount-bench-memory",
            TERMS => "headcount-bench-terms",
            _ => "headcount-bench",
        };
        match process::run::<Report>(program, name, settings) {
            Ok(found) => report.append(found),
            Err(error) => {
                eprintln!("{error}");
                failed = true;
            }
        }
    }
    let head = if cfg!(feature = "mimalloc") { FAST_HEAD } else { HEAD };
    println!("{head}\n{machine}\n{}", report.markdown());
    ExitCode::from(u8::from(failed))
}

fn child(names: &[String], settings: Settings) -> ExitCode {
    let Some(name) = names.first() else { return ExitCode::from(2) };
    if let Some((_, run)) = ALL.iter().find(|(known, _)| known == name) {
        process::answer(&run(settings));
    } else if let Some((_, run)) = PARTS.iter().find(|(known, _)| known == name) {
        run(settings);
    } else {
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

fn take(arguments: &mut Vec<String>, flag: &str) -> bool {
    let before = arguments.len();
    arguments.retain(|argument| argument != flag);
    arguments.len() < before
}
