//! When the tasks that are left will likely have ended.

use std::time::Duration;

use crate::snapshot::{Bucket, Durations};

/// Fewer finished tasks than this say nothing of the next.
const ENOUGH: u64 = 5;

/// Tasks of one group that are waited for.
#[derive(Clone, Debug)]
pub(crate) struct Waiting<'a> {
    pub(crate) count: u64,
    /// The age of the youngest, which is likely the last to end.
    pub(crate) youngest: Duration,
    pub(crate) durations: &'a Durations,
}

/// How long until all have likely ended; `None` if for one group the history does not tell.
///
/// Of `n` tasks that each end as the group's finished ones did, given how old they are already, the last ends at about the
/// quantile `n / (n + 1)`: the mean rank of the largest of `n` samples.
pub(crate) fn until_all_ended(groups: &[Waiting<'_>]) -> Option<Duration> {
    groups.iter().map(remaining).try_fold(Duration::ZERO, |longest, group| Some(longest.max(group?)))
}

fn remaining(group: &Waiting<'_>) -> Option<Duration> {
    let finished: u64 = group.durations.buckets.iter().map(|bucket| bucket.count).sum();
    if finished < ENOUGH {
        return None;
    }
    let share = group.count as f64 / (group.count as f64 + 1.0);
    quantile_beyond(group.durations, group.youngest, share).map(|end| end.saturating_sub(group.youngest))
}

/// The quantile of those durations that are longer than `age`; `None` if there are none.
///
/// Within a bucket durations are taken as spread evenly. The last bucket, without a bound, gives its mean.
fn quantile_beyond(durations: &Durations, age: Duration, share: f64) -> Option<Duration> {
    let age = age.as_secs_f64();
    let mut lower = 0.0;
    let mut parts = Vec::new();
    for bucket in durations.buckets.iter().filter(|bucket| 0 < bucket.count || bucket.upper_bound.is_finite())
    {
        if let Some(part) = beyond(bucket, lower, age) {
            parts.push(part);
        }
        lower = bucket.upper_bound;
    }
    let total: f64 = parts.iter().map(|part| part.weight).sum();
    let mut wanted = share * total;
    for part in parts {
        if wanted <= part.weight {
            let seconds = part.from + (part.to - part.from) * (wanted / part.weight);
            return Duration::try_from_secs_f64(seconds).ok();
        }
        wanted -= part.weight;
    }
    None
}

/// A stretch of durations, and how many lie in it.
struct Stretch {
    from: f64,
    to: f64,
    weight: f64,
}

fn beyond(bucket: &Bucket, lower: f64, age: f64) -> Option<Stretch> {
    let count = bucket.count as f64;
    if bucket.count == 0 || bucket.upper_bound <= age {
        return None;
    }
    if bucket.upper_bound.is_infinite() {
        let mean = bucket.sum.as_secs_f64() / count;
        return (age < mean).then_some(Stretch { from: mean, to: mean, weight: count });
    }
    let from = lower.max(age);
    let weight = count * (bucket.upper_bound - from) / (bucket.upper_bound - lower);
    Some(Stretch { from, to: bucket.upper_bound, weight })
}

#[cfg(test)]
mod tests {
    use headcount_core::internal::samples;

    use super::*;

    fn durations(counts: [u64; 4]) -> Durations {
        let bounds = [1.0, 2.0, 10.0, f64::INFINITY];
        let bucket =
            |(count, bound): (u64, f64)| samples::bucket(bound, count, Duration::from_secs(count * 30));
        samples::durations(counts.into_iter().zip(bounds).map(bucket).collect())
    }

    fn waiting(count: u64, age: f64, durations: &Durations) -> Waiting<'_> {
        Waiting { count, youngest: Duration::from_secs_f64(age), durations }
    }

    #[track_caller]
    fn near(left: Option<Duration>, seconds: f64) {
        assert!((left.unwrap().as_secs_f64() - seconds).abs() < 1e-6, "{left:?} is not {seconds}");
    }

    #[test]
    fn few_say_nothing() {
        assert_eq!(until_all_ended(&[waiting(1, 0.0, &durations([0, 4, 0, 0]))]), None);
    }

    #[test]
    fn one_task_ends_at_the_median_of_what_its_age_leaves() {
        near(until_all_ended(&[waiting(1, 0.0, &durations([0, 100, 0, 0]))]), 1.5);
        near(until_all_ended(&[waiting(1, 1.5, &durations([0, 100, 0, 0]))]), 0.25);
    }

    #[test]
    fn many_end_later_than_one() {
        near(until_all_ended(&[waiting(9, 0.0, &durations([0, 100, 0, 0]))]), 1.9);
    }

    #[test]
    fn the_slowest_group_decides() {
        let (fast, slow) = (durations([100, 0, 0, 0]), durations([0, 0, 100, 0]));
        near(until_all_ended(&[waiting(1, 0.0, &fast), waiting(1, 0.0, &slow)]), 6.0);
    }

    #[test]
    fn nothing_is_said_of_a_task_older_than_all_before() {
        assert_eq!(until_all_ended(&[waiting(1, 11.0, &durations([0, 0, 100, 0]))]), None);
        assert_eq!(until_all_ended(&[]), Some(Duration::ZERO));
    }

    #[test]
    fn beyond_the_last_bound_it_is_the_mean() {
        near(until_all_ended(&[waiting(1, 20.0, &durations([0, 0, 0, 5]))]), 10.0);
        assert_eq!(until_all_ended(&[waiting(1, 31.0, &durations([0, 0, 0, 5]))]), None);
    }
}
