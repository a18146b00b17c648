//! How long tasks of a group usually take.

use std::time::Duration;

use crate::registry::recent::Recent;
use crate::registry::stripe::{Bounds, Ended};
use crate::snapshot::Usual;

/// Fewer finished tasks say nothing about the next.
const ENOUGH: u64 = 5;
/// So many of the newest say enough, however many there were before.
const MANY: u64 = 1000;
const QUANTILES: [f64; 3] = [0.50, 0.95, 0.99];

/// Median and tails, where enough tasks finished to say: of the newest durations, or bounds where too few of
/// them are known.
pub(crate) fn usual(ended: &Ended, bounds: &Bounds, recent: Option<&Recent>) -> Option<Usual> {
    let count = ended.total();
    if count < ENOUGH {
        return None;
    }
    let known = recent.filter(|recent| are_representative(recent.ok(), count));
    let [p50, p95, p99] = match known {
        Some(recent) => recent.quantiles(QUANTILES),
        None => QUANTILES.map(|quantile| bound(ended, bounds, quantile * count as f64)),
    };
    Some(Usual { count, p50, p95, p99, at_most: known.is_none() })
}

/// Whether the durations that are known stand for all. A task counts as ended a moment before its duration is
/// known.
fn are_representative(known: u64, count: u64) -> bool {
    let missing = count.min(MANY).saturating_sub(known);
    ENOUGH <= known && missing <= 2 + count.min(MANY) / 50
}

/// What the task at a rank did not exceed: the bound of its bucket, or less where the bucket's mean tells.
fn bound(ended: &Ended, bounds: &Bounds, rank: f64) -> Duration {
    let mut below = 0.0;
    for (bucket, count) in ended.counts.iter().map(|count| *count as f64).enumerate() {
        if 0.0 < count && rank <= below + count {
            return Duration::try_from_secs_f64(longest(ended, bounds, bucket)).unwrap_or(Duration::MAX);
        }
        below += count;
    }
    Duration::ZERO
}

/// The longest that a task of a bucket can have taken, in seconds: the bound, or what its mean leaves for one
/// if all others took the least.
fn longest(ended: &Ended, bounds: &Bounds, bucket: usize) -> f64 {
    let bound = |index: usize| bounds.seconds().get(index).copied();
    let low = bucket.checked_sub(1).and_then(bound).unwrap_or(0.0);
    let count = ended.counts[bucket] as f64;
    let mean = ended.sums[bucket] / 1e9 / count;
    bound(bucket).unwrap_or(f64::INFINITY).min(low + count * (mean - low).max(0.0))
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_said_where_the_durations_are_not_known() {
        let bounds = Bounds::new(vec![1.0, 120.0, 300.0]);
        let ended = Ended { counts: vec![0, 0, 40, 0], sums: vec![0.0, 0.0, 40.0 * 200.5e9, 0.0] };
        let unknown = usual(&ended, &bounds, None).unwrap();
        assert!(unknown.at_most);
        assert_eq!((unknown.p50, unknown.p99), (Duration::from_secs(300), Duration::from_secs(300)));
        let few = Ended { counts: vec![0, 0, 5, 0], sums: vec![0.0, 0.0, 5.0 * 121e9, 0.0] };
        assert_eq!(usual(&few, &bounds, None).unwrap().p99, Duration::from_secs(125));
        let four = Ended { counts: vec![4, 0, 0, 0], sums: vec![4e9, 0.0, 0.0, 0.0] };
        assert_eq!(usual(&four, &bounds, None), None);
    }

    #[test]
    fn most_of_the_durations_must_be_known() {
        assert!(
            are_representative(5, 5) && are_representative(1000, 1_000_000) && are_representative(98, 100)
        );
        assert!(
            !are_representative(4, 6) && !are_representative(500, 1_000_000) && !are_representative(50, 100)
        );
    }
}
