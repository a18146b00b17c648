//! Publishing the table through the `metrics` facade, to a recorder that the application has set.
//!
//! Nothing is kept registered between two rounds. A recorder may drop a metric that has not changed for a
//! while, and a handle kept beyond that would write to nowhere from then on.

use std::collections::HashMap;
use std::time::Duration;

use metrics::{Key, KeyName, Label, Level, Metadata, Unit, with_recorder};

use super::figures::Figures;
use super::series::SeriesLabels;
use super::table::{Family, TABLE, Values};
use crate::snapshot::Bucket;

/// Samples given to a recorder at once: some record them one by one.
const SLICE: usize = 10_000;

const METADATA: Metadata<'static> = Metadata::new("headcount", Level::INFO, Some("headcount"));

/// What was published so far: histograms take only what is new.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    described: bool,
    recorded: HashMap<(&'static str, SeriesLabels), Vec<(u64, Duration)>>,
}

impl Publisher {
    /// Publishes all figures. Between slices of samples it lets other work of its thread run.
    pub(crate) async fn publish(&mut self, figures: &Figures) {
        if !self.described {
            TABLE.iter().for_each(describe);
            self.described = true;
        }
        for family in TABLE {
            if let Values::Histogram(buckets) = &family.values {
                for series in &figures.series {
                    for (outcome, buckets) in buckets(series) {
                        let label = outcome.map(|outcome| ("outcome".into(), outcome.as_str().into()));
                        let labels = series.labels.iter().cloned().chain(label).collect();
                        self.record(family.name, labels, buckets).await;
                    }
                }
            } else {
                set(family, figures);
            }
        }
    }

    async fn record(&mut self, name: &'static str, labels: SeriesLabels, buckets: &[Bucket]) {
        let key = Key::from_parts(name, facade_labels(&labels));
        let histogram = with_recorder(|recorder| recorder.register_histogram(&key, &METADATA));
        let recorded = self.recorded.entry((name, labels)).or_default();
        recorded.resize(buckets.len(), (0, Duration::ZERO));
        let mut lower_bound = 0.0;
        for (bucket, recorded) in buckets.iter().zip(recorded) {
            let new = Samples::since(recorded, bucket.count, bucket.sum);
            for (value, count) in new.into_iter().flat_map(|new| new.slices(lower_bound, bucket.upper_bound))
            {
                histogram.record_many(value, count);
                tokio::task::yield_now().await;
            }
            lower_bound = bucket.upper_bound;
        }
    }
}

/// New samples of a bucket, of which only number and sum are known.
struct Samples {
    count: u64,
    /// Whole nanoseconds each…
    mean: u64,
    /// …and so many have one more, which keeps the sum exact.
    rest: u64,
}

impl Samples {
    /// What a bucket has beyond what was recorded of it, which it is from now on.
    fn since(recorded: &mut (u64, Duration), count: u64, sum: Duration) -> Option<Self> {
        // The sum may have been read with an end that the number was read before: it comes with that end.
        let new = count.checked_sub(recorded.0).filter(|new| 0 < *new)?;
        let (_, before) = std::mem::replace(recorded, (count, sum));
        Some(Self::new(new, sum.saturating_sub(before)))
    }

    fn new(count: u64, sum: Duration) -> Self {
        let nanoseconds = u64::try_from(sum.as_nanos()).unwrap_or(u64::MAX);
        let mean = nanoseconds.checked_div(count).unwrap_or(0);
        Self { count, mean, rest: nanoseconds - mean * count }
    }

    fn slices(&self, lower_bound: f64, upper_bound: f64) -> impl Iterator<Item = (f64, usize)> + use<> {
        let value = move |nanoseconds: u64| {
            let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
            seconds.clamp(lower_bound, upper_bound)
        };
        let longer = sliced(self.rest).map({
            let value = value(self.mean + 1);
            move |count| (value, count)
        });
        let value = value(self.mean);
        sliced(self.count - self.rest).map(move |count| (value, count)).chain(longer)
    }
}

fn sliced(count: u64) -> impl Iterator<Item = usize> {
    let slice = move |from| usize::try_from(count - from).unwrap_or(SLICE).min(SLICE);
    (0..count).step_by(SLICE).map(slice)
}

fn describe(family: &Family) {
    let name = KeyName::from(facade_name(family));
    let help = family.help.into();
    with_recorder(|recorder| match family.values {
        Values::Counter(_)
        | Values::SomeCounter(_)
        | Values::Outcomes(_)
        | Values::Labelled(..)
        | Values::ProcessCounter(_) => {
            recorder.describe_counter(name, None, help);
        }
        Values::Gauge(_) | Values::SomeGauge(_) | Values::Seconds(_) | Values::ProcessGauge(_) => {
            recorder.describe_gauge(name, None, help);
        }
        Values::Histogram(_) => recorder.describe_histogram(name, Some(Unit::Seconds), help),
    });
}

fn set(family: &Family, figures: &Figures) {
    let name = facade_name(family);
    let series = figures.series.iter();
    match &family.values {
        Values::Counter(value) => series.for_each(|s| counter(name, facade_labels(&s.labels), value(s))),
        Values::SomeCounter(value) => {
            let some = series.filter_map(|s| Some((s, value(s)?)));
            some.for_each(|(s, value)| counter(name, facade_labels(&s.labels), value));
        }
        Values::SomeGauge(value) => {
            let some = series.filter_map(|s| Some((s, value(s)?)));
            some.for_each(|(s, value)| gauge(name, facade_labels(&s.labels), value));
        }
        Values::Seconds(value) => {
            series.for_each(|s| gauge(name, facade_labels(&s.labels), value(s).as_secs_f64()));
        }
        Values::Gauge(value) => {
            series.for_each(|s| gauge(name, facade_labels(&s.labels), value(s).unwrap_or(f64::NAN)));
        }
        Values::Outcomes(counts) => {
            for series in series {
                for &outcome in headcount_core::Outcome::ALL {
                    let mut labels = facade_labels(&series.labels);
                    labels.push(Label::new("outcome", outcome.as_str()));
                    counter(name, labels, counts(series).get(outcome));
                }
            }
        }
        Values::Labelled(label, counts) => {
            for series in series {
                for (name_of, count) in counts(series) {
                    let mut labels = facade_labels(&series.labels);
                    labels.push(Label::new(*label, *name_of));
                    counter(name, labels, *count);
                }
            }
        }
        Values::ProcessCounter(value) => counter(name, Vec::new(), value(figures)),
        Values::ProcessGauge(value) => gauge(name, Vec::new(), value(figures).unwrap_or(f64::NAN)),
        Values::Histogram(_) => {}
    }
}

fn counter(name: &'static str, labels: Vec<Label>, value: u64) {
    let key = Key::from_parts(name, labels);
    with_recorder(|recorder| recorder.register_counter(&key, &METADATA)).absolute(value);
}

fn gauge(name: &'static str, labels: Vec<Label>, value: f64) {
    let key = Key::from_parts(name, labels);
    with_recorder(|recorder| recorder.register_gauge(&key, &METADATA)).set(value);
}

fn facade_name(family: &Family) -> &'static str {
    match family.values {
        Values::Seconds(_) => family.name.trim_end_matches("_total"),
        _ => family.name,
    }
}

fn facade_labels(labels: &SeriesLabels) -> Vec<Label> {
    labels.iter().map(|(key, value)| Label::new(key.clone(), value.as_ref().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_was_read_before_its_number_comes_with_it() {
        let seconds = Duration::from_secs;
        let mut recorded = (1, seconds(1));
        assert!(Samples::since(&mut recorded, 1, seconds(4)).is_none());
        assert_eq!(recorded, (1, seconds(1)));
        let new = Samples::since(&mut recorded, 2, seconds(4)).unwrap();
        assert_eq!(new.slices(0.0, 10.0).collect::<Vec<_>>(), [(3.0, 1)]);
        assert!(Samples::since(&mut recorded, 2, seconds(4)).is_none());
    }
}
