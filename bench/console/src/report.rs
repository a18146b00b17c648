//! The order of the measurements, and the tables.

use std::path::{Path, PathBuf};

use crate::child::{run, this};
use crate::spawns::{CONSOLE, LOOK, SPAWN, SUBSCRIBER, TOKIO, TOKIO_AGAIN};
use crate::{machine, median};

/// Rounds in which all take turns.
const ROUNDS: usize = 7;

const HEAD: &str = "# What a console costs

Written by `scripts/bench-console`; `bench/README.md` says how it is measured. Times are nanoseconds, medians over 7 rounds in which all
subjects take turns, each in a process of its own. In brackets: more than bare `tokio::spawn`, which is there twice, to show how far equal
things differ here; the comparison is with the mean of the two.
";

const TASKS: &str = "## 20,000 tasks, a client attached

A task yields once and ends; a worker spawns 64, awaits them, and again. `console-subscriber` is at its defaults, in a build with
`--cfg tokio_unstable`; the others are of stock stable. Megabytes are what the process has more once the client has the first update, and `without pause` is
the mean of three seconds of the same, in which the console makes three passes.

|  | ns per task | best round | without pause | MB more |
| --- | --- | --- | --- | --- |";

/// What was found of one subject.
struct Row {
    subject: &'static str,
    program: PathBuf,
    /// For each round: nanoseconds per task, nanoseconds without pause, megabytes.
    rounds: Vec<[f64; 3]>,
}

impl Row {
    fn new(subject: &'static str, program: &Path) -> Self {
        Self { subject, program: program.to_owned(), rounds: Vec::new() }
    }

    fn measure(&mut self) {
        let figures = run(&self.program, self.subject);
        self.rounds.push([figures[0], figures[1], figures[2]]);
    }

    fn column(&self, column: usize) -> Vec<f64> {
        self.rounds.iter().map(|round| round[column]).collect()
    }

    fn median(&self, column: usize) -> f64 {
        median(&mut self.column(column))
    }

    fn best(&self) -> f64 {
        self.column(0).into_iter().fold(f64::INFINITY, f64::min)
    }
}

/// Measures all, and prints the file; progress goes to stderr.
pub(crate) fn print(twin: Option<&Path>) {
    // The load is that of before.
    let machine = machine::describe();
    let mut rows = rows(twin);
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        for turn in 0..rows.len() {
            let index = (round + turn) % rows.len();
            rows[index].measure();
        }
    }
    eprintln!("gaps");
    let gaps = run(&this(), "gaps");
    println!("{HEAD}\n{machine}\n{}\n{}\n{}", goals(&rows, &gaps), tasks(&rows), gaps_text(&gaps));
}

fn rows(twin: Option<&Path>) -> Vec<Row> {
    let ours = [TOKIO, TOKIO_AGAIN, SPAWN, CONSOLE, LOOK];
    let mut rows: Vec<Row> = ours.iter().map(|subject| Row::new(subject, &this())).collect();
    rows.extend(twin.map(|twin| Row::new(SUBSCRIBER, twin)));
    rows
}

/// The mean of the rows of bare tokio.
fn bare(rows: &[Row], figure: impl Fn(&Row) -> f64) -> f64 {
    f64::midpoint(figure(&rows[0]), figure(&rows[1]))
}

fn tasks(rows: &[Row]) -> String {
    let short = |row: &Row| row.median(0);
    let long = |row: &Row| row.median(1);
    let bare = [bare(rows, short), bare(rows, Row::best), bare(rows, long)];
    let mut text = TASKS.to_owned();
    for row in rows {
        let times = [row.median(0), row.best(), row.median(1)];
        let [short, best, long] = [0, 1, 2].map(|column| beside(times[column], bare[column]));
        text.push_str(&format!("\n| {} | {short} | {best} | {long} | {:.1} |", row.subject, row.median(2)));
    }
    text + "\n"
}

fn beside(nanos: f64, bare: f64) -> String {
    if nanos.is_nan() { "–".to_owned() } else { format!("{nanos:.0} ({:+.0})", nanos - bare) }
}

fn gaps_text(gaps: &[f64]) -> String {
    format!(
        "## A yielding task beside 100,000 live ones

In brackets: times those without a client.

|  | p99.9 of its gaps |
| --- | --- |
| no client | {:.0} (1.00) |
| a client attached | {:.0} ({:.2}) |",
        gaps[0],
        gaps[1],
        gaps[1] / gaps[0]
    )
}

fn goals(rows: &[Row], gaps: &[f64]) -> String {
    let console = rows.iter().find(|row| row.subject == CONSOLE).expect("it was measured");
    let goals = [
        (
            "a task with the console and a client, more than `tokio::spawn`",
            300.0,
            console.median(0) - bare(rows, |row| row.median(0)),
            "ns",
        ),
        ("the same without pause", 300.0, console.median(1) - bare(rows, |row| row.median(1)), "ns"),
        ("memory after 20,000 finished tasks", 8.0, console.median(2), "MB"),
        (
            "p99.9 of a yielding task's gaps beside 100,000 live tasks, times those without a client",
            1.2,
            gaps[1] / gaps[0],
            "",
        ),
    ];
    let mut text = "## Goals\n\n| goal | at most | measured |  |\n| --- | --- | --- | --- |\n".to_owned();
    for (what, limit, measured, unit) in goals {
        let digits = if limit < 100.0 { 2 } else { 0 };
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let verdict = if measured <= limit { "met" } else { "**missed**" };
        text.push_str(&format!("| {what} | {limit}{unit} | {measured:.digits$}{unit} | {verdict} |\n"));
    }
    text
}
