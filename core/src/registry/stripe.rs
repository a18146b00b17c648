//! One thread's share of a group's totals.
//!
//! A stripe has one writer, the thread that holds it, which therefore adds with a load and a store. Readers add up all stripes.
//! A thread that ends leaves its stripe, totals and all, to the next one: there are never more stripes than there were threads at once.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::sync::{AtomicU64, Ordering};

/// The upper bounds of a group's duration buckets.
#[derive(Debug)]
pub struct Bounds {
    seconds: Vec<f64>,
    nanos: Vec<u64>,
}

impl Bounds {
    /// From ascending seconds; the last bucket, without a bound, is implied.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn new(seconds: Vec<f64>) -> Self {
        let nanos = seconds.iter().map(|bound| (bound * 1e9).round() as u64).collect();
        Self { seconds, nanos }
    }

    pub fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    #[inline]
    fn bucket_of(&self, nanos: u64) -> usize {
        // Most tasks are short, and a search would cost them as much as the rest of their end.
        match self.nanos.first() {
            Some(first) if *first < nanos => self.nanos.partition_point(|bound| *bound < nanos),
            _ => 0,
        }
    }
}

/// The share of one thread.
#[derive(Debug)]
#[repr(align(128))]
pub struct Stripe {
    spawned: AtomicU64,
    polls: AtomicU64,
    slow_polls: AtomicU64,
    busy_nanos: AtomicU64,
    bounds: Arc<Bounds>,
    /// For each outcome its buckets, made when the first task ends so. That a task ended is told by one store, to a bucket: all
    /// other figures of ended tasks follow from the buckets, and so agree in every reading.
    ended: [OnceLock<Box<[Cell]>>; Outcome::COUNT],
}

#[derive(Debug)]
struct Cell {
    count: AtomicU64,
    /// Nanoseconds as the bits of an `f64`: exact up to 104 days, and without an end.
    sum: AtomicU64,
}

/// What ended tasks of a group add up to: one entry a bucket.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    pub counts: Vec<u64>,
    pub sums: Vec<f64>,
}

impl Ended {
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn merge(&mut self, other: &Self) {
        self.counts.resize(other.counts.len().max(self.counts.len()), 0);
        self.sums.resize(self.counts.len(), 0.0);
        for (index, count) in other.counts.iter().enumerate() {
            self.counts[index] += count;
            self.sums[index] += other.sums[index];
        }
    }

    pub fn sum_of(&self, bucket: usize) -> Duration {
        Duration::from_secs_f64(self.sums[bucket] / 1e9)
    }
}

/// Adds as the only writer.
#[inline]
fn add(total: &AtomicU64, amount: u64) {
    // Release: who sees that a task ended sees that it was spawned, whichever thread counted that.
    total.store(total.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
}

impl Stripe {
    pub fn new(bounds: Arc<Bounds>) -> Self {
        Self {
            spawned: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            slow_polls: AtomicU64::new(0),
            busy_nanos: AtomicU64::new(0),
            bounds,
            ended: [const { OnceLock::new() }; Outcome::COUNT],
        }
    }

    #[inline]
    pub fn count_spawn(&self) {
        add(&self.spawned, 1);
    }

    #[inline]
    pub fn count_slow_poll(&self) {
        add(&self.slow_polls, 1);
    }

    #[inline]
    pub fn count_end(&self, outcome: Outcome, nanos: u64, polls: u64, busy_nanos: u64) {
        add(&self.polls, polls);
        add(&self.busy_nanos, busy_nanos);
        let cells = self.ended[outcome as usize].get_or_init(|| self.cells());
        let cell = &cells[self.bounds.bucket_of(nanos)];
        let sum = f64::from_bits(cell.sum.load(Ordering::Relaxed)) + nanos as f64;
        cell.sum.store(sum.to_bits(), Ordering::Relaxed);
        add(&cell.count, 1);
    }

    fn cells(&self) -> Box<[Cell]> {
        let cell = || Cell { count: AtomicU64::new(0), sum: AtomicU64::new(0) };
        std::iter::repeat_with(cell).take(self.bounds.nanos.len() + 1).collect()
    }

    pub fn spawned(&self) -> u64 {
        self.spawned.load(Ordering::Acquire)
    }

    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }

    pub fn slow_polls(&self) -> u64 {
        self.slow_polls.load(Ordering::Acquire)
    }

    pub fn busy_nanos(&self) -> u64 {
        self.busy_nanos.load(Ordering::Acquire)
    }

    /// Adds what ended so to `into`.
    pub fn add_ended(&self, outcome: Outcome, into: &mut Ended) {
        into.counts.resize(self.bounds.nanos.len() + 1, 0);
        into.sums.resize(self.bounds.nanos.len() + 1, 0.0);
        let Some(cells) = self.ended[outcome as usize].get() else { return };
        for (index, cell) in cells.iter().enumerate() {
            into.counts[index] += cell.count.load(Ordering::Acquire);
            into.sums[index] += f64::from_bits(cell.sum.load(Ordering::Relaxed));
        }
    }
}
