//! Exemplars: for each bucket of durations the newest finished task that has a trace id.
//!
//! They are kept from one scrape to the next, since the history may be short and tasks may be many. There are
//! no more than buckets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::series::Series;
use crate::snapshot::traced::{self, Traced};
use crate::snapshot::{Bucket, Outcome};

/// A task of a bucket, which a trace shows in full.
#[derive(Clone, Debug)]
pub(super) struct Exemplar {
    pub(super) trace_id: Arc<str>,
    /// How long it took.
    pub(super) seconds: f64,
    pub(super) at: SystemTime,
    /// Set where each outcome has a histogram of its own.
    outcome: Option<Outcome>,
}

/// The exemplars of all groups.
#[derive(Debug, Default)]
pub(super) struct Exemplars {
    /// For each thread the newest task that was taken in.
    marks: Vec<u64>,
    /// Tasks that wait for the bounds of their group.
    new: Vec<Traced>,
    /// By group; one for each bucket and outcome.
    kept: HashMap<u32, Vec<Exemplar>>,
}

impl Exemplars {
    /// Gathers what has finished since the last scrape. Comes before the reading of the totals, so that these
    /// count each task of an exemplar.
    pub(super) fn gather(&mut self) {
        let Self { marks, new, .. } = self;
        traced::visit_new(marks, |traced| new.push(traced));
    }

    /// Gives each task that was gathered to its bucket.
    pub(super) fn settle(&mut self, series: &[Series]) {
        if self.new.is_empty() {
            return;
        }
        let by_group: HashMap<u32, &Series> = series
            .iter()
            .flat_map(|series| series.groups.iter().map(move |group| (*group, series)))
            .collect();
        for traced in self.new.drain(..) {
            let Some(series) = by_group.get(&traced.group) else { continue };
            let Some((outcome, buckets)) =
                series.histograms.iter().find(|(outcome, _)| outcome.is_none_or(|it| it == traced.outcome))
            else {
                continue;
            };
            let exemplar = Exemplar {
                trace_id: traced.trace_id,
                seconds: traced.duration.as_secs_f64(),
                at: traced.finished_at,
                outcome: *outcome,
            };
            keep(self.kept.entry(traced.group).or_default(), exemplar, buckets);
        }
    }

    /// One for each bucket of a histogram, where there is one.
    pub(super) fn of(
        &self,
        series: &Series,
        outcome: Option<Outcome>,
        buckets: &[Bucket],
    ) -> Vec<Option<&Exemplar>> {
        if self.kept.is_empty() || buckets.is_empty() {
            return Vec::new();
        }
        let mut found = vec![None::<&Exemplar>; buckets.len()];
        let all = series.groups.iter().filter_map(|group| self.kept.get(group)).flatten();
        for exemplar in all.filter(|exemplar| exemplar.outcome == outcome) {
            let place = &mut found[place_of(exemplar.seconds, buckets)];
            if place.is_none_or(|other| other.at < exemplar.at) {
                *place = Some(exemplar);
            }
        }
        found
    }
}

/// In place of an older one of the same bucket.
fn keep(kept: &mut Vec<Exemplar>, new: Exemplar, buckets: &[Bucket]) {
    let place = place_of(new.seconds, buckets);
    let same = |old: &&mut Exemplar| old.outcome == new.outcome && place_of(old.seconds, buckets) == place;
    match kept.iter_mut().find(same) {
        Some(old) if new.at <= old.at => {}
        Some(old) => *old = new,
        None => kept.push(new),
    }
}

fn place_of(seconds: f64, buckets: &[Bucket]) -> usize {
    // The last bucket has no bound, and there is always one.
    buckets.partition_point(|bucket| bucket.upper_bound < seconds).min(buckets.len().saturating_sub(1))
}
