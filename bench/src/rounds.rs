//! Rounds: a bit of every subject in each, in an order that rotates.

use crate::report::{Column, Compare, HEADCOUNT, Lane};
use crate::settings::Settings;
use crate::subject::{
    AwaitTree, Bare, ByHand, Headcount, Monitor, Readings, ReadingsAndHandle, Subject, Tracker,
};

/// Something that can be done with any subject, and gives one figure.
pub trait Measure {
    /// Does it with `subject`: nanoseconds or bytes for each task or poll.
    fn measure<S: Subject>(&self, subject: S) -> f64;
}

/// A subject of the rounds: its name, and what gives one figure of it.
pub struct Contestant<'a> {
    name: &'static str,
    measure: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(name: &'static str, measure: impl FnMut() -> f64 + 'a) -> Self {
        Self { name, measure: Box::new(measure) }
    }
}

/// All subjects. Bare tokio is there twice, to show how far equal things differ.
pub fn everyone<M: Measure>(what: &M) -> Vec<Contestant<'_>> {
    vec![
        Contestant::new("`tokio::spawn`", || what.measure(Bare)),
        Contestant::new("`tokio::spawn` again", || what.measure(Bare)),
        Contestant::new("three readings of the clock, nothing kept", || what.measure(Readings)),
        Contestant::new("the readings and an abort handle, nothing kept", || what.measure(ReadingsAndHandle)),
        Contestant::new("`TaskTracker`: a count", || what.measure(Tracker)),
        Contestant::new("`TaskMonitor`: times of all together", || what.measure(Monitor)),
        Contestant::new("`await-tree`: a named tree", || what.measure(AwaitTree)),
        Contestant::new("by hand: `DashMap` and 4 macros", || what.measure(ByHand)),
        Contestant::new(HEADCOUNT, || what.measure(Headcount)),
    ]
}

/// The column of a table that measures everyone at `what` in rounds.
pub fn column(table: &str, head: &str, compare: Compare, what: &impl Measure, settings: Settings) -> Column {
    let lanes = interleave(everyone(what), settings.rounds());
    Column { table: table.to_owned(), head: head.to_owned(), compare, lanes }
}

/// Runs every contestant once, for what a first run would spoil.
pub fn once(contestants: Vec<Contestant<'_>>) -> Vec<Lane> {
    contestants.into_iter().map(|mut each| Lane::of(each.name, vec![(each.measure)()])).collect()
}

/// Runs every contestant once in each round, after one round that does not count.
pub fn interleave(mut contestants: Vec<Contestant<'_>>, rounds: usize) -> Vec<Lane> {
    let count = contestants.len();
    let mut samples = vec![Vec::with_capacity(rounds); count];
    for round in 0..=rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            let sample = (contestants[index].measure)();
            if 0 < round {
                samples[index].push(sample);
            }
        }
    }
    contestants.iter().zip(samples).map(|(contestant, samples)| Lane::of(contestant.name, samples)).collect()
}

impl Lane {
    fn of(subject: &str, mut samples: Vec<f64>) -> Self {
        let median = median(&mut samples);
        Self { subject: subject.to_owned(), median, best: samples[0] }
    }
}

/// The median; leaves the samples sorted.
pub fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    if samples.len() % 2 == 1 { samples[middle] } else { f64::midpoint(samples[middle - 1], samples[middle]) }
}
