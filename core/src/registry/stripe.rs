//! One thread's share of a group's totals.
//!
//! A stripe has one writer, the thread that holds it, which therefore adds with a load and a store. Readers
//! add up all stripes. A thread that ends leaves its stripe, totals and all, to the next one: there are never
//! more stripes than there were threads at once.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::registry::slot::group_bits;
use crate::sync::{AtomicU64, OneWriter, Ordering};

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

/// The share of one thread. Nothing of another thread is on its cache lines, nor on the neighbours that a
/// processor fetches with them.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Stripe {
    // What a task that has nothing special touches, on one line.
    spawned: AtomicU64,
    /// Kind, policy and flags that a task of the group begins with; written when policies are set.
    first_bits: AtomicU64,
    /// The group as its tasks have it.
    group_bits: u64,
    polls: AtomicU64,
    busy_nanos: AtomicU64,
    /// The upper bound of the first bucket.
    first_nanos: u64,
    /// Tasks that ended `ok` within it, which most do: no further memory, no search.
    first_ok: Cell,
    slow_polls: AtomicU64,
    bounds: Arc<Bounds>,
    /// The buckets of each outcome, made when the first task ends with it. One store to a bucket counts a
    /// task as ended. All other figures of ended tasks follow from the buckets, so they agree in every
    /// reading.
    ended: [OnceLock<Box<[Cell]>>; Outcome::COUNT],
    writer: OneWriter,
}

#[derive(Debug)]
struct Cell {
    count: AtomicU64,
    /// Nanoseconds as the bits of an `f64`: exact up to 104 days, and without an end.
    sum: AtomicU64,
}

impl Cell {
    fn new() -> Self {
        Self { count: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    /// Adds as the only writer.
    #[inline]
    fn add(&self, nanos: u64) {
        #[allow(
            clippy::cast_possible_wrap,
            reason = "a signed number becomes an `f64` in one instruction, and fits"
        )]
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed)) + nanos as i64 as f64;
        self.sum.store(sum.to_bits(), Ordering::Relaxed);
        add(&self.count, 1);
    }
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
    // Release: a thread that sees a task's end also sees its spawn, whichever thread counted the spawn.
    total.store(total.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
}

impl Stripe {
    pub fn new(bounds: Arc<Bounds>, group: u32, first_bits: u64) -> Self {
        Self {
            spawned: AtomicU64::new(0),
            first_bits: AtomicU64::new(first_bits),
            group_bits: group_bits(group),
            polls: AtomicU64::new(0),
            busy_nanos: AtomicU64::new(0),
            first_nanos: bounds.nanos.first().copied().unwrap_or(u64::MAX),
            first_ok: Cell::new(),
            slow_polls: AtomicU64::new(0),
            bounds,
            ended: [const { OnceLock::new() }; Outcome::COUNT],
            writer: OneWriter::default(),
        }
    }

    /// Another thread writes from now on.
    pub fn hand_over(&self) {
        self.writer.hand_over();
    }

    #[inline]
    pub fn first_bits(&self) -> u64 {
        self.first_bits.load(Ordering::Relaxed)
    }

    pub fn set_first_bits(&self, bits: u64) {
        self.first_bits.store(bits, Ordering::Release);
    }

    #[inline]
    pub fn group_bits(&self) -> u64 {
        self.group_bits
    }

    /// Whether a duration is of the first bucket.
    #[inline]
    pub fn is_first(&self, nanos: u64) -> bool {
        nanos <= self.first_nanos
    }

    #[inline]
    pub fn count_spawn(&self) {
        self.writer.check();
        add(&self.spawned, 1);
    }

    #[inline]
    pub fn count_slow_poll(&self) {
        self.writer.check();
        add(&self.slow_polls, 1);
    }

    #[inline]
    pub fn count_end(&self, outcome: Outcome, nanos: u64, polls: u64, busy_nanos: u64) {
        self.writer.check();
        add(&self.polls, polls);
        add(&self.busy_nanos, busy_nanos);
        if outcome == Outcome::Ok && self.is_first(nanos) {
            return self.first_ok.add(nanos);
        }
        let cells = self.ended[outcome as usize].get_or_init(|| self.cells());
        cells[self.bounds.bucket_of(nanos)].add(nanos);
    }

    /// [`count_end`](Self::count_end) of a task that was `ok` within the [first](Self::is_first) bucket.
    #[inline]
    pub fn count_first_ok(&self, nanos: u64, polls: u64, busy_nanos: u64) {
        self.writer.check();
        add(&self.polls, polls);
        add(&self.busy_nanos, busy_nanos);
        self.first_ok.add(nanos);
    }

    fn cells(&self) -> Box<[Cell]> {
        std::iter::repeat_with(Cell::new).take(self.bounds.nanos.len() + 1).collect()
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
        if outcome == Outcome::Ok {
            into.counts[0] += self.first_ok.count.load(Ordering::Acquire);
            into.sums[0] += f64::from_bits(self.first_ok.sum.load(Ordering::Relaxed));
        }
        let Some(cells) = self.ended[outcome as usize].get() else { return };
        for (index, cell) in cells.iter().enumerate() {
            into.counts[index] += cell.count.load(Ordering::Acquire);
            into.sums[index] += f64::from_bits(cell.sum.load(Ordering::Relaxed));
        }
    }
}
