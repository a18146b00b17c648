//! What is waited for: one pass over the live tasks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{NAMED, Seen, slots};
use crate::clock;
use crate::forecast::{Forecast, Gatherer, Rank, Row, Rows, Terms};
use crate::registry::group::Group;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::slot::{DETAILS, Reading};
use crate::snapshot::{Kind, OnShutdown, TaskInfo};
use headcount_core::internal::snapshot::read::{Describer, is_blocked, usual_of};

/// Odd tasks that a listing names beside the oldest.
const ODD: usize = 10;

/// What the log, the page and the API show of the tasks that are waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// Those that hold up the stop longest.
    pub(crate) named: Vec<(Current, TaskInfo)>,
    /// What is said of these and of the odd ones, by their ids.
    pub(crate) rows: HashMap<u64, Row>,
    /// The oldest that block their thread, or have lived longer than is usual for their group.
    pub(crate) odd: Vec<(Current, TaskInfo)>,
    /// All by name, most first.
    pub(crate) by_name: Vec<(String, u64)>,
    /// Those that are not among `named`, by name, most first.
    pub(crate) rest: Vec<(String, u64)>,
    pub(crate) total: u64,
    /// How many of them are requests.
    pub(crate) requests: u64,
    /// When all of it ends.
    pub(crate) forecast: Forecast,
}

impl Listing {
    /// Until all that have a forecast have likely ended.
    pub(crate) fn estimate(&self) -> Option<Duration> {
        let done_in = self.forecast.done_in.filter(|_| 0 < self.total)?;
        Duration::try_from_secs_f64(done_in).ok()
    }

    /// What is said of a task.
    pub(crate) fn row(&self, id: u64) -> Option<&Row> {
        self.rows.get(&id)
    }
}

/// Tasks with details that the order takes into account.
const DETAILED: usize = 2048;

/// The live tasks that are waited for.
pub(crate) fn waited_for(terms: Terms) -> Listing {
    let mut describer = Describer::new();
    let (now, blocked_after) = (describer.now, registry().config.blocked_after_ticks());
    let mut odd = Oldest::new(ODD);
    let mut counts: HashMap<u32, u64> = HashMap::new();
    let mut gatherer = Gatherer::new();
    let mut usual: HashMap<u32, Option<Duration>> = HashMap::new();
    let usually_ends_by = |group: u32| {
        let usual = usual_of(registry().group(group), &registry().group(group).totals());
        usual.map(|usual| usual.p95)
    };
    slots::each(|current, task| {
        if !slots::is_still_hoped_for(&task) {
            return;
        }
        *counts.entry(task.group()).or_default() += 1;
        let is_blocked = is_blocked(&task, now, blocked_after);
        gatherer.see(&task, now, is_blocked);
        let usual = usual.entry(task.group()).or_insert_with(|| usually_ends_by(task.group()));
        let is_overdue = usual.is_some_and(|usual| usual < clock::between(task.started, now));
        if is_overdue || is_blocked {
            odd.keep(current, task);
        }
    });
    let load = gatherer.finish();
    let forecast = Forecast::new(&load, &terms);
    let others = load.count(|waited| matches!(waited.policy, OnShutdown::Wait | OnShutdown::Connection));
    let rows = Rows::new(&load, terms, Some(others), forecast.done_in);
    let groups: Vec<(&'static Group, u64)> =
        counts.iter().map(|(id, count)| (registry().group(*id), *count)).collect();
    let mut describe = |tasks: Vec<Seen>| -> Vec<_> {
        tasks.into_iter().map(|(current, task)| (current, describer.live(&task))).collect()
    };
    let (named, odd) = (describe(longest(&rows, now)), describe(odd.tasks));
    let described = named.iter().chain(&odd).map(|(current, task)| (current.id, rows.row(task))).collect();
    Listing {
        rest: by_name(&groups, &named),
        by_name: by_name(&groups, &[]),
        rows: described,
        named,
        odd,
        total: groups.iter().map(|(_, count)| count).sum(),
        requests: groups
            .iter()
            .filter(|(group, _)| group.kind == Kind::Request)
            .map(|(_, count)| count)
            .sum(),
        forecast,
    }
}

/// The tasks that hold up the stop longest, in that order.
fn longest(rows: &Rows<'_>, now: u64) -> Vec<Seen> {
    let blocked_after = registry().config.blocked_after_ticks();
    let mut kept: Vec<(Rank, Seen)> = Vec::with_capacity(NAMED + 1);
    let mut detailed = 0;
    slots::each(|current, task| {
        if !slots::is_still_hoped_for(&task) {
            return;
        }
        detailed += usize::from(task.has(DETAILS));
        let is_blocked = is_blocked(&task, now, blocked_after);
        let rank = rows.rank_of(&task, now, is_blocked, detailed <= DETAILED);
        // Of two that rank alike the older comes first.
        let is_before = |(other, (_, known)): &(Rank, Seen)| {
            rank < *other || (rank == *other && (known.started, known.id()) < (task.started, task.id()))
        };
        let place = kept.partition_point(is_before);
        if place < NAMED {
            kept.truncate(NAMED - 1);
            kept.insert(place, (rank, (current, task)));
        }
    });
    kept.into_iter().map(|(_, seen)| seen).collect()
}

/// A short list in order of age.
struct Oldest {
    tasks: Vec<Seen>,
    at_most: usize,
}

impl Oldest {
    fn new(at_most: usize) -> Self {
        Self { tasks: Vec::with_capacity(at_most + 1), at_most }
    }

    fn keep(&mut self, current: Current, task: Reading) {
        let is_older = |(_, other): &Seen| (other.started, other.id()) < (task.started, task.id());
        let place = self.tasks.partition_point(is_older);
        if place < self.at_most {
            self.tasks.truncate(self.at_most - 1);
            self.tasks.insert(place, (current, task));
        }
    }
}

/// Names and counts, but for the tasks that are named, most first.
fn by_name(groups: &[(&'static Group, u64)], named: &[(Current, TaskInfo)]) -> Vec<(String, u64)> {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for (group, count) in groups {
        *by_name.entry(&group.name).or_default() += count;
    }
    for (_, task) in named {
        if let Some(count) = by_name.get_mut(&*task.name) {
            *count = count.saturating_sub(1);
        }
    }
    most_first(by_name)
}

fn most_first(by_name: BTreeMap<&str, u64>) -> Vec<(String, u64)> {
    let counts = by_name.into_iter().filter(|(_, count)| 0 < *count);
    let mut counts: Vec<_> = counts.map(|(name, count)| (name.to_owned(), count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// Names and counts of tasks, most first.
pub(crate) fn counted(tasks: &[Seen]) -> Vec<(String, u64)> {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, task) in tasks {
        *by_name.entry(&registry().group(task.group()).name).or_default() += 1;
    }
    most_first(by_name)
}
