//! How long tasks of a group usually take, from their buckets.

use std::time::Duration;

use crate::registry::stripe::{Bounds, Ended};
use crate::snapshot::Usual;

/// Fewer finished tasks say nothing about the next.
const ENOUGH: u64 = 5;

/// Median and tails, where enough tasks finished to say.
pub(crate) fn usual(ended: &Ended, bounds: &Bounds) -> Option<Usual> {
    let count = ended.total();
    if count < ENOUGH {
        return None;
    }
    let at = |quantile| Duration::from_secs_f64(estimate(ended, bounds, quantile * count as f64));
    Some(Usual { count, p50: at(0.50), p95: at(0.95), p99: at(0.99) })
}

/// The duration, in seconds, of the task at a rank.
///
/// Inside its bucket durations are taken as uniform around the mean, which is known, and not across the whole bucket as Prometheus' `histogram_quantile`
/// does: a thousand tasks of 10 µs in a bucket that ends at 5 ms are then seen as what they are.
fn estimate(ended: &Ended, bounds: &Bounds, rank: f64) -> f64 {
    let mut below = 0.0;
    for (bucket, count) in ended.counts.iter().map(|count| *count as f64).enumerate() {
        if 0.0 < count && rank <= below + count {
            let (low, high) = spread(ended, bounds, bucket);
            return low + (high - low) * (rank - below) / count;
        }
        below += count;
    }
    0.0
}

/// The widest range inside a bucket whose middle is the bucket's mean.
fn spread(ended: &Ended, bounds: &Bounds, bucket: usize) -> (f64, f64) {
    let bound = |index: usize| bounds.seconds().get(index).copied();
    let low = bucket.checked_sub(1).and_then(bound).unwrap_or(0.0);
    let mean = ended.sums[bucket] / 1e9 / ended.counts[bucket] as f64;
    let reach = (mean - low).min(bound(bucket).unwrap_or(f64::INFINITY) - mean).max(0.0);
    (mean - reach, mean + reach)
}
