//! How long the newest tasks of each group took, gathered from the rings of the history at each reading.
//!
//! The end of a task pays nothing for this: the rings hold its group, its times and its outcome already. Each
//! reading takes in what the rings got since the one before. Between two readings a ring may be overwritten;
//! what is lost then is lost for all groups alike, so the sample stays fair.
//!
//! A group keeps the places of its newest [`KEPT`] durations on a scale whose steps are at most 1.6 % wide,
//! and how many there are in each step: at most 28 kB a group, whatever the number of threads. Ends that say
//! nothing of how long a task would have taken, such as cancelled ones, are left out.

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::outcome::Outcome;
use crate::registry::registry;

/// Durations kept of a group.
const KEPT: usize = 8192;
/// Steps between a power of two and the next.
const STEPS: u64 = 64;
/// Powers of two on the scale: up to 52 days.
const POWERS: u64 = 46;
#[allow(clippy::cast_possible_truncation, reason = "a small number")]
pub const PLACES: usize = (POWERS * STEPS) as usize;

/// Where a duration stands on the scale.
#[allow(clippy::cast_possible_truncation, reason = "at most PLACES")]
pub fn place_of(nanos: u64) -> u16 {
    if nanos < STEPS {
        return nanos as u16;
    }
    let power = u64::from(nanos.ilog2() - STEPS.ilog2());
    let place = (power + 1) * STEPS + (nanos >> power) - STEPS;
    place.min(PLACES as u64 - 1) as u16
}

/// The duration at which a place begins.
pub fn begin_of(place: usize) -> u64 {
    let place = place as u64;
    match place.checked_sub(STEPS) {
        None => place,
        Some(rest) => (STEPS + rest % STEPS) << (rest / STEPS),
    }
}

/// Beside a place: the task ended ok.
const OK: u16 = 1 << 15;

/// The newest durations of one group.
#[derive(Debug, Default)]
pub struct Recent {
    /// Their places, as they came; once full, a ring.
    places: Vec<u16>,
    next: usize,
    /// How many there are at each place, and how many of these ended ok.
    counts: Vec<u16>,
    ok: Vec<u16>,
    ok_total: u64,
}

/// A stretch of durations in nanoseconds, and how many tasks took that long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub from: f64,
    pub to: f64,
    pub count: f64,
}

impl Recent {
    fn add(&mut self, nanos: u64, is_ok: bool) {
        let entry = place_of(nanos) | if is_ok { OK } else { 0 };
        if self.counts.is_empty() {
            self.counts = vec![0; PLACES];
            self.ok = vec![0; PLACES];
        }
        if self.places.len() < KEPT {
            self.places.push(entry);
        } else {
            let oldest = std::mem::replace(&mut self.places[self.next], entry);
            self.next = (self.next + 1) % KEPT;
            let place = usize::from(oldest & !OK);
            self.counts[place] -= 1;
            self.ok[place] -= oldest / OK;
            self.ok_total -= u64::from(oldest / OK);
        }
        let place = usize::from(entry & !OK);
        self.counts[place] += 1;
        self.ok[place] += entry / OK;
        self.ok_total += u64::from(entry / OK);
    }

    /// How many of them ended ok.
    pub fn ok(&self) -> u64 {
        self.ok_total
    }

    /// The durations at these quantiles, which ascend, of those that ended ok: the nearest rank, true to its
    /// step.
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> [Duration; N] {
        let ranks = quantiles.map(|quantile| (quantile * self.ok_total as f64).ceil().max(1.0));
        let mut found = [Duration::ZERO; N];
        let (mut below, mut answered) = (0.0, 0);
        for stretch in stretches(&self.ok) {
            while answered < N && ranks[answered] <= below + stretch.count {
                let share = (ranks[answered] - below - 0.5) / stretch.count;
                let nanos = stretch.from + (stretch.to - stretch.from) * share;
                found[answered] = Duration::from_secs_f64(nanos / 1e9);
                answered += 1;
            }
            below += stretch.count;
        }
        found
    }

    /// What there is of any outcome, shortest first.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> + '_ {
        stretches(&self.counts)
    }
}

fn stretches(counts: &[u16]) -> impl Iterator<Item = Stretch> + '_ {
    let taken = counts.iter().enumerate().filter(|(_, count)| 0 < **count);
    taken.map(|(place, count)| Stretch {
        from: begin_of(place) as f64,
        to: begin_of(place + 1) as f64,
        count: f64::from(*count),
    })
}

/// Whether an end with this outcome shows how long such a task takes.
pub const fn is_natural(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ok | Outcome::Error | Outcome::Panic | Outcome::Timeout)
}

/// The newest durations of all groups.
#[derive(Debug, Default)]
pub struct Durations {
    /// For each ring of the history the identity of the newest record taken in.
    marks: Vec<u64>,
    /// By the ids of the groups.
    groups: Vec<Recent>,
}

/// Takes in what has ended since the reading before. Costs a look at each ring, and some nanoseconds for each
/// new end.
pub fn gather() {
    let registry = registry();
    let Durations { marks, groups } = &mut *registry.durations.lock();
    registry.histories.visit_new(marks, |record| {
        if is_natural(record.outcome) {
            let nanos = clock::nanos_between(record.task.started, record.ended);
            let group = record.task.group() as usize;
            if groups.len() <= group {
                groups.resize_with(group + 1, Recent::default);
            }
            groups[group].add(nanos, record.outcome == Outcome::Ok);
        }
    });
}

/// Reads the durations of a group, as far as they are [gathered](gather).
pub fn read<R>(group: u32, read: impl FnOnce(&Recent) -> R) -> Option<R> {
    registry().durations.lock().groups.get(group as usize).map(read)
}

/// The durations of a group as plain data.
pub fn stretches_of(group: u32) -> Arc<[Stretch]> {
    read(group, |recent| recent.stretches().collect()).unwrap_or_else(|| [].into())
}

#[cfg(all(test, not(headcount_loom)))]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_cmp, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn places_ascend_and_are_narrow() {
        for place in 0..PLACES - 1 {
            let (begin, end) = (begin_of(place), begin_of(place + 1));
            assert!(begin < end && usize::from(place_of(begin)) == place);
            assert_eq!(usize::from(place_of(end - 1)), place);
            let width = (end - begin) as f64 / begin.max(1) as f64;
            assert!(begin < STEPS || width <= 0.016, "{begin} to {end}");
        }
        assert_eq!(usize::from(place_of(u64::MAX)), PLACES - 1);
    }

    #[test]
    fn quantiles_are_those_of_the_durations() {
        for count in [5, 20, 333, 5000] {
            let mut recent = Recent::default();
            // Spread over six orders of magnitude.
            let mut nanos: Vec<u64> =
                (0..count).map(|n| 1000 + (1.003_f64.powi(n % 4600) * 1e3) as u64).collect();
            nanos.iter().for_each(|nanos| recent.add(*nanos, true));
            nanos.sort_unstable();
            let found = recent.quantiles([0.5, 0.95, 0.99]);
            for (quantile, found) in [0.5, 0.95, 0.99].into_iter().zip(found) {
                let rank = (quantile * f64::from(count)).ceil() as usize;
                let (found, truth) = (found.as_nanos() as f64, nanos[rank - 1] as f64);
                assert!((found / truth - 1.0).abs() < 0.02, "p{quantile} of {count}: {found} is not {truth}");
            }
        }
    }

    #[test]
    fn only_the_newest_count() {
        let mut recent = Recent::default();
        (0..KEPT).for_each(|_| recent.add(1_000_000_000, true));
        (0..KEPT).for_each(|_| recent.add(5_000_000, true));
        assert_eq!(recent.ok(), KEPT as u64);
        let [p99] = recent.quantiles([0.99]);
        assert!(Duration::from_millis(4) < p99 && p99 < Duration::from_millis(6), "{p99:?}");
    }

    #[test]
    fn failures_count_as_lifetimes_and_not_as_usual() {
        let mut recent = Recent::default();
        (0..9).for_each(|_| recent.add(2_000_000_000, true));
        (0..90).for_each(|_| recent.add(5_000_000, false));
        assert_eq!(recent.ok(), 9);
        let [p50] = recent.quantiles([0.5]);
        assert!(Duration::from_millis(1_980) < p50 && p50 < Duration::from_millis(2_020), "{p50:?}");
        assert_eq!(recent.stretches().map(|stretch| stretch.count).sum::<f64>(), 99.0);
    }

    #[test]
    fn a_group_takes_little_room() {
        let mut recent = Recent::default();
        (0..20_000).for_each(|n| recent.add(n * 1_000, true));
        let bytes = 2 * (recent.places.capacity() + recent.counts.capacity() + recent.ok.capacity());
        assert!(bytes * 205 <= 8 << 20, "{bytes} bytes a group");
    }
}
