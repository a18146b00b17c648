//! Who is waited for: one pass over the live tasks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::estimate::{self, Waiting};
use crate::clock;
use crate::registry::group::Group;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::slot::{ABANDONED, Reading};
use crate::snapshot::{Kind, OnShutdown, TaskInfo};
use headcount_core::internal::snapshot::read::{Describer, durations_of};

/// Tasks that a listing names; the others are counted by group.
pub(crate) const NAMED: usize = 20;

/// What the log, the page and the API show of the tasks that are waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// The oldest.
    pub(crate) named: Vec<(Current, TaskInfo)>,
    /// The others by name, most first.
    pub(crate) rest: Vec<(String, u64)>,
    pub(crate) total: u64,
    /// How many of them are requests.
    pub(crate) requests: u64,
    /// Until all have likely ended.
    pub(crate) estimate: Option<Duration>,
}

/// Live tasks that pass, all of them.
pub(crate) fn all(admits: impl Fn(&Reading) -> bool) -> Vec<(Current, Reading)> {
    let mut found = Vec::new();
    registry().slab.slots().for_each(|slot| {
        if let Some(task) = slot.read().filter(&admits) {
            found.push((Current { slot, id: task.id() }, task));
        }
    });
    found
}

/// Whether a task is waited for.
pub(crate) fn is_waited_for(task: &Reading) -> bool {
    matches!(task.policy(), OnShutdown::Wait | OnShutdown::Last)
}

/// Whether it is waited for to end by itself.
fn is_still_hoped_for(task: &Reading) -> bool {
    is_waited_for(task) && !task.has(ABANDONED)
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
    let mut oldest: Vec<(Current, Reading)> = Vec::with_capacity(NAMED + 1);
    let mut shares: HashMap<u32, Share> = HashMap::new();
    registry().slab.slots().for_each(|slot| {
        let Some(task) = slot.read().filter(is_still_hoped_for) else { return };
        let share = shares.entry(task.group()).or_default();
        *share = Share { count: share.count + 1, newest: share.newest.max(task.started) };
        keep_oldest(&mut oldest, Current { slot, id: task.id() }, task);
    });
    let groups: Vec<(&'static Group, Share)> =
        shares.iter().map(|(id, share)| (registry().group(*id), *share)).collect();
    let named: Vec<_> = oldest.into_iter().map(|(current, task)| (current, describer.live(&task))).collect();
    Listing {
        rest: rest(&groups, &named),
        named,
        total: groups.iter().map(|(_, share)| share.count).sum(),
        requests: groups
            .iter()
            .filter(|(group, _)| group.kind == Kind::Request)
            .map(|(_, share)| share.count)
            .sum(),
        estimate: estimate(&groups, describer.now),
    }
}

/// Keeps a short list in order of age.
fn keep_oldest(oldest: &mut Vec<(Current, Reading)>, current: Current, task: Reading) {
    let place = oldest.partition_point(|(_, other)| (other.started, other.id()) < (task.started, task.id()));
    if place < NAMED {
        oldest.truncate(NAMED - 1);
        oldest.insert(place, (current, task));
    }
}

fn rest(groups: &[(&'static Group, Share)], named: &[(Current, TaskInfo)]) -> Vec<(String, u64)> {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for (group, share) in groups {
        *by_name.entry(&group.name).or_default() += share.count;
    }
    for (_, task) in named {
        if let Some(count) = by_name.get_mut(&*task.name) {
            *count = count.saturating_sub(1);
        }
    }
    let others = by_name.into_iter().filter(|(_, count)| 0 < *count);
    let mut rest: Vec<_> = others.map(|(name, count)| (name.to_owned(), count)).collect();
    rest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    rest
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

/// Names and counts of tasks beyond those that are named, most first.
pub(crate) fn counted(tasks: &[(Current, Reading)]) -> Vec<(String, u64)> {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, task) in tasks {
        *by_name.entry(&registry().group(task.group()).name).or_default() += 1;
    }
    let mut counts: Vec<_> = by_name.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}
