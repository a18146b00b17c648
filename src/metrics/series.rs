//! The groups of a snapshot as series: labels that every recorder can take, and groups that differ in nothing
//! but their location added up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::snapshot::{
    Bucket, Durations, GroupInfo, Kind, Labels, Outcome, OutcomeCounts, Snapshot, TermsInfo,
};
use headcount_core::internal::service::{GroupTerms, by_group};

/// Label keys and values, `task` and `kind` first, then the application's own by key.
pub(crate) type SeriesLabels = Vec<(Cow<'static, str>, Arc<str>)>;

/// The buckets of one histogram, and its label `outcome` where it has one.
pub(crate) type Histogram = (Option<Outcome>, Vec<Bucket>);

/// The totals of groups with the same labels.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: SeriesLabels,
    /// The ids of its groups.
    pub(crate) groups: Vec<u32>,
    pub(crate) spawned: u64,
    pub(crate) finished: OutcomeCounts,
    pub(crate) live: u64,
    pub(crate) blocked: u64,
    pub(crate) polls: u64,
    pub(crate) slow_polls: u64,
    pub(crate) busy: Duration,
    /// The buckets of all durations, or of those of each outcome, by the setting `duration_outcome`.
    pub(crate) histograms: Vec<Histogram>,
    pub(crate) oldest: Option<SystemTime>,
    pub(crate) abandoned: u64,
    /// Services of these groups that have a run alive, and their restarts.
    pub(crate) service_up: Option<u64>,
    pub(crate) service_restarts: Option<u64>,
    /// The last success of timers of these groups, and their missed ticks.
    pub(crate) timer_last_success: Option<SystemTime>,
    pub(crate) timer_skipped: Option<u64>,
    /// Of groups with a limit, a key or a timeout.
    pub(crate) limited: Option<u64>,
    pub(crate) rejected: Vec<(&'static str, u64)>,
    pub(crate) waits: Vec<Histogram>,
}

/// The groups as series. `abandoned` is what the shutdown abandoned, by group.
pub(super) fn series(snapshot: &Snapshot, abandoned: &HashMap<u32, u64>, by_outcome: bool) -> Vec<Series> {
    let terms = by_group();
    let mut series: Vec<Series> = Vec::with_capacity(snapshot.groups.len());
    let mut known: HashMap<SeriesLabels, usize> = HashMap::with_capacity(snapshot.groups.len());
    for group in &snapshot.groups {
        let labels = labels(group);
        let index = *known.entry(labels.clone()).or_insert(series.len());
        if index == series.len() {
            series.push(Series::new(labels));
        }
        if let Some(terms) = terms.get(&group.id.get()) {
            series[index].add_service_terms(group.kind, terms);
        }
        series[index].add(group, abandoned.get(&group.id.get()).copied().unwrap_or(0), by_outcome);
    }
    series
}

impl Series {
    fn new(labels: SeriesLabels) -> Self {
        Self {
            labels,
            groups: Vec::new(),
            spawned: 0,
            finished: OutcomeCounts::default(),
            live: 0,
            blocked: 0,
            polls: 0,
            slow_polls: 0,
            busy: Duration::ZERO,
            histograms: Vec::new(),
            oldest: None,
            abandoned: 0,
            service_up: None,
            service_restarts: None,
            timer_last_success: None,
            timer_skipped: None,
            limited: None,
            rejected: Vec::new(),
            waits: Vec::new(),
        }
    }

    fn add(&mut self, group: &GroupInfo, abandoned: u64, by_outcome: bool) {
        for &outcome in headcount_core::Outcome::ALL {
            self.finished.add(outcome, group.finished.get(outcome));
        }
        self.groups.push(group.id.get());
        self.spawned += group.spawned;
        self.live += group.live;
        self.blocked += group.blocked;
        self.polls += group.polls;
        self.slow_polls += group.slow_polls;
        self.busy += group.busy;
        self.abandoned += abandoned;
        self.add_durations(&group.durations, by_outcome);
        if let Some(terms) = &group.terms {
            self.add_terms(terms);
        }
        let started = group.oldest.map(|oldest| oldest.started_at);
        self.oldest = self.oldest.into_iter().chain(started).min();
    }

    fn add_service_terms(&mut self, kind: Kind, terms: &GroupTerms) {
        let add = |sum: &mut Option<u64>, value| *sum = Some(sum.unwrap_or(0) + value);
        if kind == Kind::Timer {
            self.timer_last_success = self.timer_last_success.into_iter().chain(terms.last_success).max();
            add(&mut self.timer_skipped, terms.skipped);
        } else {
            add(&mut self.service_up, terms.up);
            add(&mut self.service_restarts, terms.restarts);
        }
    }

    fn add_terms(&mut self, terms: &TermsInfo) {
        *self.limited.get_or_insert_default() += terms.limited;
        for (reason, count) in &terms.rejected {
            match self.rejected.iter_mut().find(|(known, _)| *known == reason.as_str()) {
                Some((_, sum)) => *sum += count,
                None => self.rejected.push((reason.as_str(), *count)),
            }
        }
        add_buckets(&mut self.waits, None, &terms.waited);
    }

    fn add_durations(&mut self, durations: &Durations, by_outcome: bool) {
        if !by_outcome {
            return add_buckets(&mut self.histograms, None, &durations.buckets);
        }
        for (outcome, buckets) in &durations.by_outcome {
            add_buckets(&mut self.histograms, Some(*outcome), buckets);
        }
    }
}

/// A group has the bounds that were set when it began, so those of another may differ: then the next bound
/// counts.
fn add_buckets(histograms: &mut Vec<Histogram>, outcome: Option<Outcome>, buckets: &[Bucket]) {
    let Some((_, sums)) = histograms.iter_mut().find(|(known, _)| *known == outcome) else {
        return histograms.push((outcome, buckets.to_vec()));
    };
    for bucket in buckets {
        let index = sums.partition_point(|own| own.upper_bound < bucket.upper_bound);
        if let Some(sum) = sums.get_mut(index) {
            sum.count += bucket.count;
            sum.sum += bucket.sum;
        }
    }
}

fn labels(group: &GroupInfo) -> SeriesLabels {
    let kind = group.kind.as_str().into();
    let mut all = vec![("task".into(), printable(&group.name)), ("kind".into(), kind)];
    all.extend(own_labels(&group.labels));
    all
}

/// The application's labels, whose keys the registry has made fit and unique, in order. One without a value
/// is left out, since Prometheus takes it for absent.
fn own_labels(labels: &Labels) -> SeriesLabels {
    let with_value = labels.iter().filter(|(_, value)| !value.is_empty());
    let mut own: SeriesLabels =
        with_value.map(|(key, value)| (key.to_owned().into(), printable(value))).collect();
    own.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    own
}

/// A value without control characters other than the line's end, which every format can escape.
fn printable(value: &str) -> Arc<str> {
    let is_odd = |c: char| c.is_control() && c != '\n';
    if !value.contains(is_odd) {
        return value.into();
    }
    let mut text = String::with_capacity(value.len() + 16);
    for c in value.chars() {
        if is_odd(c) {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text.into()
}
