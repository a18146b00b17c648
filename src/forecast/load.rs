//! What a forecast is made from, gathered in one pass over the live tasks.
//!
//! Tasks that differ from their group, since they block, come on, or have a grace or a timeout, are kept
//! one by one, up to [`SINGLES`]. Of all others the ages are counted, and what is left of their timeouts: a
//! million tasks become a few hundred entries.

use std::sync::Arc;

use headcount_core::internal::registry::recent;
use headcount_core::internal::snapshot::read;

use super::lifetimes::{Lifetimes, Stretch};
use super::outlook::{Waited, left_of};
use crate::clock;
use crate::registry::details::Details;
use crate::registry::registry;
use crate::registry::slot::{ABANDONED, DETAILS, LIMITED, NOT_CANCELLABLE, Reading};
use crate::snapshot::{Kind, OnShutdown, Snapshot};

/// Tasks kept one by one.
const SINGLES: usize = 1024;
/// Ages of a crowd that are kept as they are.
const EXACT: usize = 64;
/// Of a crowd's tasks beyond this many, each [`SHARE`]th age stands for all between: the tasks come nearly in
/// the order of their spawns, so their ages are close.
const CROWDED: usize = 1024;
const SHARE: u32 = 16;

const NANOS: f64 = 1e9;

/// The tasks that a stop waits for, and what is known of their groups.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) waited: Vec<Waited>,
    /// By their ids; `None` for those without a task.
    pub(crate) groups: Vec<Option<GroupFacts>>,
}

impl Load {
    /// What a pass over the live tasks finds.
    pub(crate) fn read() -> Self {
        let mut gatherer = Gatherer::new();
        let now = clock::ticks();
        let blocked_after = registry().config.blocked_after_ticks();
        read::live()
            .for_each(|(_, task)| gatherer.see(&task, now, read::is_blocked(&task, now, blocked_after)));
        gatherer.finish()
    }

    /// The groups of these tasks alone, for a list of them.
    pub(crate) fn of_groups(ids: impl Iterator<Item = u32>) -> Self {
        recent::gather();
        let mut groups: Vec<Option<GroupFacts>> = Vec::new();
        for id in ids {
            let place = id as usize;
            groups.resize_with(groups.len().max(place + 1), || None);
            groups[place].get_or_insert_with(|| GroupFacts::read(id, Vec::new()));
        }
        Self { waited: Vec::new(), groups }
    }

    pub(crate) fn group(&self, id: u32) -> Option<&GroupFacts> {
        self.groups.get(id as usize)?.as_ref()
    }

    /// How many tasks of a policy there are.
    pub(crate) fn count(&self, admits: impl Fn(&Waited) -> bool) -> u64 {
        self.waited.iter().filter(|waited| admits(waited)).map(|waited| waited.count).sum::<f64>().round()
            as u64
    }
}

/// Totals and groups, and what a stop waits for, in one pass.
pub(crate) fn snapshot() -> (Snapshot, Load) {
    let mut gatherer = Gatherer::new();
    let snapshot = read::snapshot_with(|task, now, is_blocked| gatherer.see(task, now, is_blocked));
    (snapshot, gatherer.finish())
}

/// What the tasks of a group have in common.
#[derive(Clone, Debug)]
pub(crate) struct GroupFacts {
    pub(crate) name: Arc<str>,
    pub(crate) curve: Option<Arc<Lifetimes>>,
}

/// Takes in the live tasks of a pass.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    singles: Vec<Waited>,
    /// By [`place`](Key::place).
    crowds: Vec<Crowd>,
}

/// What the tasks of a crowd have in common.
#[derive(Clone, Copy, Debug)]
struct Key {
    group: u32,
    policy: OnShutdown,
    cancellable: bool,
    listens: bool,
    /// It has begun, and may have a timeout.
    timed: bool,
}

impl Key {
    const VARIANTS: usize = 32;

    fn place(self) -> usize {
        let policy = match self.policy {
            OnShutdown::Cancel => 8,
            OnShutdown::Last => 16,
            OnShutdown::Connection => 24,
            _ => 0,
        };
        let flags =
            usize::from(self.cancellable) + 2 * usize::from(self.listens) + 4 * usize::from(self.timed);
        Self::VARIANTS * self.group as usize + policy + flags
    }

    fn at(place: usize) -> Self {
        let policy = match place % Self::VARIANTS / 8 {
            1 => OnShutdown::Cancel,
            2 => OnShutdown::Last,
            3 => OnShutdown::Connection,
            _ => OnShutdown::Wait,
        };
        let group = u32::try_from(place / Self::VARIANTS).unwrap_or(u32::MAX);
        let (cancellable, listens, timed) = (place % 2 == 1, place / 2 % 2 == 1, place / 4 % 2 == 1);
        Self { group, policy, cancellable, listens, timed }
    }
}

/// Ages in nanoseconds: the first as they are, then counted by their place on the scale.
#[derive(Debug, Default)]
struct Crowd {
    /// Each with its task, and what is left of its timeout.
    exact: Vec<(u64, u64, Option<f64>)>,
    places: Vec<u32>,
    /// What is left of timeouts, by the same places; empty where none is timed.
    lefts: Vec<Left>,
    counted: usize,
    /// Tasks that no place counts yet.
    skipped: u32,
}

/// What is left of the timeouts of those tasks of a place that were looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    seconds: f64,
    timed: u32,
    looked_at: u32,
}

impl Left {
    fn add(&mut self, left: Option<f64>) {
        self.looked_at += 1;
        self.timed += u32::from(left.is_some());
        self.seconds += left.unwrap_or_default();
    }

    /// That of one of them, if most have one.
    fn mean(&self) -> Option<f64> {
        (self.looked_at < 2 * self.timed).then(|| self.seconds / f64::from(self.timed))
    }
}

impl Gatherer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes in a task, if a stop waits for it.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "called for each live task of each scrape")]
    pub(crate) fn see(&mut self, task: &Reading, now: u64, is_blocked: bool) {
        let policy = task.policy();
        if policy == OnShutdown::Detach || task.has(ABANDONED) {
            return;
        }
        if (is_blocked || task.has(DETAILS)) && self.singles.len() < SINGLES {
            self.keep(task, now, is_blocked);
            return;
        }
        let (cancellable, listens) = (!task.has(NOT_CANCELLABLE), task.listens());
        let timed = task.has(DETAILS) && !task.has(LIMITED);
        let key = Key { group: task.group(), policy, cancellable, listens, timed };
        let place = key.place();
        if self.crowds.len() <= place {
            self.crowds.resize_with(place + 1, Crowd::default);
        }
        self.crowds[place].add(task, timed, now);
    }

    #[cold]
    fn keep(&mut self, task: &Reading, now: u64, is_blocked: bool) {
        self.singles.push(single(task, now, is_blocked, true));
    }

    /// Reads the lifetimes of the groups that were seen.
    pub(crate) fn finish(self) -> Load {
        let mut waited = self.singles;
        for (place, crowd) in self.crowds.iter().enumerate() {
            crowd.waited_into(Key::at(place), &mut waited);
        }
        let mut ages: Vec<Vec<(f64, f64)>> = Vec::new();
        for waited in &waited {
            let place = waited.group as usize;
            ages.resize_with(ages.len().max(place + 1), Vec::new);
            ages[place].push((waited.age, waited.count));
        }
        recent::gather();
        let facts = |(group, ages): (usize, Vec<(f64, f64)>)| {
            let group = u32::try_from(group).ok()?;
            (!ages.is_empty()).then(|| GroupFacts::read(group, ages))
        };
        Load { waited, groups: ages.into_iter().enumerate().map(facts).collect() }
    }
}

/// A task with all that is known of it.
pub(crate) fn single(task: &Reading, now: u64, is_blocked: bool, looks: bool) -> Waited {
    let seconds = |ticks| clock::nanos_between(ticks, now) as f64 / NANOS;
    let details = (looks && task.has(DETAILS)).then(|| {
        registry().details.read(task.id(), |details| {
            let timeout = details.timeout.as_ref().map(|timeout| read::timeout_info(timeout, now));
            (details.progress, read::pace_of(details, task.started, now), details.grace, timeout)
        })
    });
    let (progress, pace, grace, timeout) = details.flatten().unwrap_or_default();
    Waited {
        group: task.group(),
        task: Some(task.id()),
        count: 1.0,
        age: seconds(task.started),
        policy: task.policy(),
        cancellable: !task.has(NOT_CANCELLABLE),
        listens: task.listens(),
        blocked: is_blocked.then(|| seconds(task.since())),
        progress,
        pace,
        grace: grace.map(|grace| grace.as_secs_f64()),
        timeout: timeout.and_then(left_of),
    }
}

/// What is left of the timeout of a task, in seconds: it counts from the admission, unlike the age.
fn left_for(task: &Reading, now: u64) -> Option<f64> {
    let info = |details: &Details| details.timeout.as_ref().map(|timeout| read::timeout_info(timeout, now));
    registry().details.read(task.id(), info).flatten().and_then(left_of)
}

impl Crowd {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "called for each live task of each scrape")]
    fn add(&mut self, task: &Reading, timed: bool, now: u64) {
        self.skipped += 1;
        if CROWDED <= self.counted && self.skipped < SHARE {
            return;
        }
        self.count(task, timed, now);
    }

    #[inline(never)]
    fn count(&mut self, task: &Reading, timed: bool, now: u64) {
        let nanos = clock::nanos_between(task.started, now);
        let left = if timed { left_for(task, now) } else { None };
        if self.exact.len() < EXACT {
            self.skipped = 0;
            self.exact.push((task.id(), nanos, left));
            return;
        }
        if self.places.is_empty() {
            self.places = vec![0; recent::PLACES];
            self.lefts = vec![Left::default(); if timed { recent::PLACES } else { 0 }];
        }
        self.counted += 1;
        let place = usize::from(recent::place_of(nanos));
        self.places[place] += std::mem::take(&mut self.skipped);
        if let Some(lefts) = self.lefts.get_mut(place) {
            lefts.add(left);
        }
    }

    fn waited_into(&self, key: Key, waited: &mut Vec<Waited>) {
        let of = |task, age: f64, count, timeout| Waited {
            group: key.group,
            task,
            count,
            age: age / NANOS,
            policy: key.policy,
            cancellable: key.cancellable,
            listens: key.listens,
            blocked: None,
            progress: None,
            pace: None,
            grace: None,
            timeout,
        };
        waited.extend(self.exact.iter().map(|(id, nanos, left)| of(Some(*id), *nanos as f64, 1.0, *left)));
        // Fewer than SHARE tasks that no place counts yet: they go to the youngest.
        let mut rest = self.skipped;
        let counted = self.places.iter().enumerate().filter(|(_, count)| 0 < **count);
        waited.extend(counted.map(|(place, count)| {
            let (from, to) = (recent::begin_of(place), recent::begin_of(place + 1));
            let (age, left) =
                (f64::midpoint(from as f64, to as f64), self.lefts.get(place).and_then(Left::mean));
            of(None, age, f64::from(*count + std::mem::take(&mut rest)), left)
        }));
    }
}

impl GroupFacts {
    /// `ages` of its live tasks, in any order.
    pub(crate) fn read(group: u32, ages: Vec<(f64, f64)>) -> Self {
        let known = registry().group(group);
        // The ends of a service are failures: when a stop ends it, they do not say.
        let curve = if known.kind == Kind::Service { None } else { curve(group, ages) };
        Self { name: known.name.clone(), curve: curve.map(Arc::new) }
    }
}

/// The curve of a group: of its newest ends, or of its buckets where the history holds too few.
fn curve(group: u32, mut ages: Vec<(f64, f64)>) -> Option<Lifetimes> {
    ages.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let recent: Vec<Stretch> = recent::stretches_of(group)
        .iter()
        .map(|stretch| Stretch { from: stretch.from / NANOS, to: stretch.to / NANOS, count: stretch.count })
        .collect();
    let known: f64 = recent.iter().map(|stretch| stretch.count).sum();
    let buckets = read::lifetimes_of(registry().group(group));
    let ended: f64 = buckets.iter().map(|(_, _, count)| count).sum();
    if known < super::lifetimes::ENOUGH {
        let buckets = buckets.into_iter().map(|(from, to, count)| Stretch { from, to, count });
        return Lifetimes::new(&buckets.collect::<Vec<_>>(), &ages);
    }
    // The newest ends stand for all of them, and so many of the live tasks belong to each.
    let share = (known / ended.max(known)).min(1.0);
    ages.iter_mut().for_each(|(_, count)| *count *= share);
    Lifetimes::new(&recent, &ages)
}
