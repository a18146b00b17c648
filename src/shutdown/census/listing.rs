//! What is waited for: one pass over the live tasks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::estimate::{self, Waiting};
use super::{NAMED, Seen, slots};
use crate::clock;
use crate::registry::group::Group;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::slot::Reading;
use crate::snapshot::{Kind, TaskInfo};
use headcount_core::internal::snapshot::read::{Describer, durations_of, is_blocked, usual_of};

/// Odd tasks that a listing names beside the oldest.
const ODD: usize = 10;

/// What the log, the page and the API show of the tasks that are waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// The oldest.
    pub(crate) named: Vec<(Current, TaskInfo)>,
    /// The oldest that block their thread, or have lived longer than is usual for their group.
    pub(crate) odd: Vec<(Current, TaskInfo)>,
    /// All by name, most first.
    pub(crate) by_name: Vec<(String, u64)>,
    /// Those that are not among `named`, by name, most first.
    pub(crate) rest: Vec<(String, u64)>,
    pub(crate) total: u64,
    /// How many of them are requests.
    pub(crate) requests: u64,
    /// Until all have likely ended.
    pub(crate) estimate: Option<Duration>,
}

#[derive(Clone, Copy, Default)]
struct Share {
    count: u64,
    /// The tick at which the youngest was spawned.
    newest: u64,
}

/// The live tasks that are waited for.
pub(crate) fn waited_for() -> Listing {
    let mut describer = Describer::new();
    let (now, blocked_after) = (describer.now, registry().config.blocked_after_ticks());
    let mut oldest = Oldest::new(NAMED);
    let mut odd = Oldest::new(ODD);
    let mut shares: HashMap<u32, Share> = HashMap::new();
    let mut usual: HashMap<u32, Option<Duration>> = HashMap::new();
    let usually_ends_by = |group: u32| {
        let usual = usual_of(registry().group(group), &registry().group(group).totals());
        usual.map(|usual| usual.p95)
    };
    slots::each(|current, task| {
        if !slots::is_still_hoped_for(&task) {
            return;
        }
        let share = shares.entry(task.group()).or_default();
        *share = Share { count: share.count + 1, newest: share.newest.max(task.started) };
        oldest.keep(current, task);
        let usual = usual.entry(task.group()).or_insert_with(|| usually_ends_by(task.group()));
        let is_overdue = usual.is_some_and(|usual| usual < clock::between(task.started, now));
        if is_overdue || is_blocked(&task, now, blocked_after) {
            odd.keep(current, task);
        }
    });
    let groups: Vec<(&'static Group, Share)> =
        shares.iter().map(|(id, share)| (registry().group(*id), *share)).collect();
    let mut describe = |tasks: Oldest| -> Vec<_> {
        tasks.tasks.into_iter().map(|(current, task)| (current, describer.live(&task))).collect()
    };
    let (named, odd) = (describe(oldest), describe(odd));
    Listing {
        rest: by_name(&groups, &named),
        by_name: by_name(&groups, &[]),
        named,
        odd,
        total: groups.iter().map(|(_, share)| share.count).sum(),
        requests: groups
            .iter()
            .filter(|(group, _)| group.kind == Kind::Request)
            .map(|(_, share)| share.count)
            .sum(),
        estimate: estimate(&groups, now),
    }
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
fn by_name(groups: &[(&'static Group, Share)], named: &[(Current, TaskInfo)]) -> Vec<(String, u64)> {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for (group, share) in groups {
        *by_name.entry(&group.name).or_default() += share.count;
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

fn estimate(groups: &[(&'static Group, Share)], now: u64) -> Option<Duration> {
    let histories: Vec<_> = groups.iter().map(|(group, _)| durations_of(group)).collect();
    let waiting: Vec<_> = groups
        .iter()
        .zip(&histories)
        .map(|((_, share), durations)| Waiting {
            count: share.count,
            youngest: clock::between(share.newest, now),
            durations,
        })
        .collect();
    estimate::until_all_ended(&waiting)
}

/// Names and counts of tasks, most first.
pub(crate) fn counted(tasks: &[Seen]) -> Vec<(String, u64)> {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, task) in tasks {
        *by_name.entry(&registry().group(task.group()).name).or_default() += 1;
    }
    most_first(by_name)
}
