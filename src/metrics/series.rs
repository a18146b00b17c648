//! The groups of a snapshot as series: labels that every recorder can take, and groups that differ in nothing but
//! their location added up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::snapshot::{Bucket, GroupInfo, Labels, OutcomeCounts, Snapshot};

/// Label keys and values, `task` and `kind` first, then the application's own by key.
pub(crate) type SeriesLabels = Vec<(Cow<'static, str>, Arc<str>)>;

/// The totals of groups with the same labels.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: SeriesLabels,
    pub(crate) spawned: u64,
    pub(crate) finished: OutcomeCounts,
    pub(crate) live: u64,
    pub(crate) blocked: u64,
    pub(crate) polls: u64,
    pub(crate) slow_polls: u64,
    pub(crate) busy: Duration,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) oldest: Option<SystemTime>,
    pub(crate) abandoned: u64,
}

/// The groups as series. `abandoned` is what the shutdown abandoned, by group.
pub(super) fn series(snapshot: &Snapshot, abandoned: &HashMap<u32, u64>) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::with_capacity(snapshot.groups.len());
    let mut known: HashMap<SeriesLabels, usize> = HashMap::with_capacity(snapshot.groups.len());
    for group in &snapshot.groups {
        let labels = labels(group);
        let index = *known.entry(labels.clone()).or_insert(series.len());
        if index == series.len() {
            series.push(Series::new(labels));
        }
        series[index].add(group, abandoned.get(&group.id.get()).copied().unwrap_or(0));
    }
    series
}

impl Series {
    fn new(labels: SeriesLabels) -> Self {
        Self {
            labels,
            spawned: 0,
            finished: OutcomeCounts::default(),
            live: 0,
            blocked: 0,
            polls: 0,
            slow_polls: 0,
            busy: Duration::ZERO,
            buckets: Vec::new(),
            oldest: None,
            abandoned: 0,
        }
    }

    fn add(&mut self, group: &GroupInfo, abandoned: u64) {
        for &outcome in headcount_core::Outcome::ALL {
            self.finished.add(outcome, group.finished.get(outcome));
        }
        self.spawned += group.spawned;
        self.live += group.live;
        self.blocked += group.blocked;
        self.polls += group.polls;
        self.slow_polls += group.slow_polls;
        self.busy += group.busy;
        self.abandoned += abandoned;
        self.add_buckets(&group.durations.buckets);
        let started = group.oldest.map(|oldest| oldest.started_at);
        self.oldest = self.oldest.into_iter().chain(started).min();
    }

    /// A group has the bounds that were set when it began, so those of another may differ: then the next bound counts.
    fn add_buckets(&mut self, buckets: &[Bucket]) {
        if self.buckets.is_empty() {
            self.buckets = buckets.to_vec();
            return;
        }
        for bucket in buckets {
            let index = self.buckets.partition_point(|own| own.upper_bound < bucket.upper_bound);
            if let Some(sum) = self.buckets.get_mut(index) {
                sum.count += bucket.count;
                sum.sum += bucket.sum;
            }
        }
    }
}

fn labels(group: &GroupInfo) -> SeriesLabels {
    let kind = group.kind.as_str().into();
    let mut all = vec![("task".into(), Arc::clone(&group.name)), ("kind".into(), kind)];
    all.extend(own_labels(&group.labels));
    all
}

/// The application's labels: keys of letters, digits and underscores, in order, none twice. One without a value is
/// left out, since Prometheus takes it for absent.
fn own_labels(labels: &Labels) -> SeriesLabels {
    let mut own: SeriesLabels = Vec::with_capacity(labels.len());
    for (key, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        let mut key = label_key(key);
        while own.iter().any(|(other, _)| *other == key) {
            key.to_mut().push('_');
        }
        own.push((key, value.into()));
    }
    own.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    own
}

fn label_key(key: &str) -> Cow<'static, str> {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let key: String = key.chars().map(fit).collect();
    let key = key.trim_start_matches(|c: char| c == '_' || c.is_ascii_digit());
    match key {
        "" => "label".into(),
        "task" | "kind" | "outcome" | "le" | "quantile" => format!("{key}_").into(),
        _ => key.to_owned().into(),
    }
}
