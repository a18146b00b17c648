//! From the registry to plain data: the readings behind [`snapshot`](fn@crate::snapshot).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock;
use crate::name::OTHER;
use crate::outcome::{Outcome, OutcomeCounts};
use crate::registry::details::Details;
use crate::registry::group::{Group, LastFailure, Totals};
use crate::registry::history::{Note, Record};
use crate::registry::recent::{self, Recent};
use crate::registry::slot::{DETAILS, LIMITED, NOT_CANCELLABLE, Reading};
use crate::registry::stripe::{Bounds, Ended};
use crate::registry::terms::{GroupTerms, WAIT_BOUNDS};
use crate::registry::timeout::Timeout;
use crate::registry::{Registry, TaskSlot, registry};
use crate::snapshot::quantile::usual;
use crate::snapshot::{
    Bucket, Durations, Failure, FinishedTask, GroupInfo, Kind, Oldest, Pace, Snapshot, State, StateCounts,
    TaskDetails, TaskInfo, TaskLookup, TermsInfo, TimeoutInfo, Usual,
};
use crate::terms::Reason;
use crate::terms::limit::Limit;

/// What live tasks of a group add to its totals.
#[derive(Clone, Copy, Debug, Default)]
struct LiveSums {
    polls: u64,
    busy_ticks: u64,
    oldest_start: u64,
    oldest_id: u64,
    states: StateCounts,
    /// The oldest that waits for its limit or its key, by its start.
    first_in_line: Option<(u64, u64)>,
}

/// Reads totals and groups.
pub fn snapshot() -> Snapshot {
    snapshot_with(|_, _, _| {})
}

/// The same; in the same pass it calls `see` with each live task, the tick of the reading, and whether the
/// task is blocked.
pub fn snapshot_with(see: impl FnMut(&Reading, u64, bool)) -> Snapshot {
    let registry = registry();
    let groups = registry.groups.all();
    let totals: Vec<Totals> = groups.iter().map(|group| group.totals()).collect();
    let now = clock::ticks();
    let mut sums = live_sums(registry, groups.len(), now, see);
    // Behind the totals: what they count is in the rings.
    recent::gather();
    let mut states = StateCounts::default();
    sums.iter().for_each(|sums| states.merge(&sums.states));
    let mut highest = registry.highest.lock();
    let known = highest.len();
    highest.resize(groups.len().max(known), (0, 0));
    let infos: Vec<GroupInfo> = groups
        .iter()
        .zip(totals)
        .map(|(group, totals)| {
            let sums = &mut sums[group.id as usize];
            let highest = &mut highest[group.id as usize];
            let busy = totals.busy_nanos + clock::nanos_between(0, sums.busy_ticks);
            *highest = (highest.0.max(totals.polls + sums.polls), highest.1.max(busy));
            group_info(group, &totals, sums, *highest, now)
        })
        .collect();
    drop(highest);
    summed(registry, infos, states, now)
}

fn live_sums(
    registry: &Registry,
    groups: usize,
    now: u64,
    mut see: impl FnMut(&Reading, u64, bool),
) -> Vec<LiveSums> {
    let blocked_after = registry.config.blocked_after_ticks();
    let mut sums = vec![LiveSums::default(); groups];
    live().for_each(|(_, task)| {
        // A group made since the groups were listed is for the next reading.
        let Some(sums) = sums.get_mut(task.group() as usize) else { return };
        let state = state_of(&task, now, blocked_after);
        see(&task, now, state == State::Blocked);
        sums.polls += task.polls();
        sums.busy_ticks += task.busy_until(now);
        sums.states.add(state);
        if state == State::Limited {
            let this = (task.started, task.id());
            sums.first_in_line = Some(sums.first_in_line.map_or(this, |first| first.min(this)));
        }
        if sums.oldest_id == 0 || task.started < sums.oldest_start {
            (sums.oldest_start, sums.oldest_id) = (task.started, task.id());
        }
    });
    sums
}

/// One pass over all live tasks, each as it is when its turn comes. It stops no other thread.
pub fn live() -> impl Iterator<Item = (TaskSlot, Reading)> {
    registry().slab.slots().filter_map(|slot| Some((slot, slot.read()?)))
}

#[inline]
pub fn state_of(task: &Reading, now: u64, blocked_after: u64) -> State {
    if task.has(LIMITED) {
        State::Limited
    } else if task.is_queued() {
        State::Queued
    } else if is_blocked(task, now, blocked_after) {
        State::Blocked
    } else if task.polling_since().is_some() {
        State::Running
    } else {
        State::Idle
    }
}

#[inline]
pub fn is_blocked(task: &Reading, now: u64, blocked_after: u64) -> bool {
    let polling = task.polling_since();
    polling.is_some_and(|since| blocked_after < now.saturating_sub(since)) && task.kind() != Kind::Blocking
}

fn group_info(group: &Group, totals: &Totals, live: &LiveSums, highest: (u64, u64), now: u64) -> GroupInfo {
    let mut finished = OutcomeCounts::default();
    let mut all = Ended::default();
    for &outcome in Outcome::ALL {
        let ended = &totals.ended[outcome as usize];
        finished.add(outcome, ended.total());
        all.merge(ended);
    }
    let alive = totals.spawned - finished.total();
    GroupInfo {
        id: group.id.into(),
        name: group.name.clone(),
        kind: group.kind,
        labels: group.labels.clone(),
        location: group.location.clone(),
        live: alive,
        blocked: live.states.blocked.min(alive),
        spawned: totals.spawned,
        finished,
        polls: highest.0,
        slow_polls: totals.slow_polls,
        busy: Duration::from_nanos(highest.1),
        durations: Durations {
            by_outcome: by_outcome(totals, &group.bounds),
            ..durations(&all, &group.bounds)
        },
        usual: usual_of(group, totals),
        oldest: (live.oldest_id != 0 && 0 < alive).then(|| oldest(live.oldest_start, live.oldest_id, now)),
        last_failure: group.last_failure.lock().as_ref().map(failure_info),
        terms: group.terms.get().map(|terms| terms_info(group, terms, live, now)),
    }
}

fn terms_info(group: &Group, terms: &GroupTerms, live: &LiveSums, now: u64) -> TermsInfo {
    let (timeout, limit) = (group.timeout(), group.limit());
    let bounds = WAIT_BOUNDS.into_iter().chain([f64::INFINITY]);
    let bucket = |(upper_bound, (count, sum))| Bucket { upper_bound, count, sum };
    TermsInfo {
        timeout: timeout.map(|(timeout, _)| timeout),
        timeout_set_by: timeout.map(|(_, set_by)| set_by),
        limit: limit.map(|limit| limit.at_once() as u64),
        queue: limit.map(|limit| limit.queue_length() as u64),
        limit_set_by: limit.map(Limit::set_by),
        queued: limit.map_or(0, Limit::queued),
        limited: live.states.limited,
        first_in_line: live.first_in_line.map(|(start, id)| oldest(start, id, now)),
        rejected: Reason::ALL.iter().map(|reason| (*reason, terms.rejected(*reason))).collect(),
        waited: bounds.zip(terms.waits().read()).map(bucket).collect(),
        on_shutdown: group.newest_policy(),
        grace: group.newest_grace(),
    }
}

/// What readers see of a timeout.
pub fn timeout_info(timeout: &Timeout, until: u64) -> TimeoutInfo {
    TimeoutInfo { allowed: timeout.allowed, elapsed: timeout.elapsed(until), overdue: timeout.is_overdue }
}

pub fn usual_of(group: &Group, totals: &Totals) -> Option<Usual> {
    let ended = &totals.ended[Outcome::Ok as usize];
    let usual_with = |recent: Option<&Recent>| usual(ended, &group.bounds, recent);
    recent::read(group.id, |recent| usual_with(Some(recent))).unwrap_or_else(|| usual_with(None))
}

/// How long a group's tasks took that ended by themselves, by the buckets: bounds in seconds around each
/// bucket's mean, and how many.
pub fn lifetimes_of(group: &Group) -> Vec<(f64, f64, f64)> {
    let totals = group.totals();
    let mut natural = Ended::default();
    let ends = Outcome::ALL.iter().filter(|outcome| recent::is_natural(**outcome));
    ends.for_each(|outcome| natural.merge(&totals.ended[*outcome as usize]));
    let bound = |index: usize| group.bounds.seconds().get(index).copied();
    let stretch = |index: usize| {
        let (count, low) =
            (natural.counts[index] as f64, index.checked_sub(1).and_then(bound).unwrap_or(0.0));
        let mean = natural.sums[index] / 1e9 / count;
        // The widest range inside the bucket whose middle is the mean.
        let reach = (mean - low).min(bound(index).unwrap_or(f64::INFINITY) - mean).max(0.0);
        (mean - reach, mean + reach, count)
    };
    (0..natural.counts.len()).filter(|index| 0 < natural.counts[*index]).map(stretch).collect()
}

fn durations(ended: &Ended, bounds: &Bounds) -> Durations {
    let upper = bounds.seconds().iter().copied().chain([f64::INFINITY]);
    let bucket =
        |(index, upper_bound)| Bucket { upper_bound, count: ended.counts[index], sum: ended.sum_of(index) };
    Durations { buckets: upper.enumerate().map(bucket).collect(), by_outcome: Vec::new() }
}

fn by_outcome(totals: &Totals, bounds: &Bounds) -> Vec<(Outcome, Vec<Bucket>)> {
    let ended = |outcome: &Outcome| &totals.ended[*outcome as usize];
    let occurred = Outcome::ALL.iter().filter(|outcome| ended(outcome).total() != 0);
    occurred.map(|outcome| (*outcome, durations(ended(outcome), bounds).buckets)).collect()
}

fn oldest(start: u64, id: u64, now: u64) -> Oldest {
    Oldest { id: id.into(), started_at: clock::wall(start), age: clock::between(start, now) }
}

fn failure_info(failure: &LastFailure) -> Failure {
    Failure {
        at: clock::wall(failure.at),
        task: failure.task.into(),
        outcome: failure.outcome,
        message: failure.message.clone(),
    }
}

fn summed(registry: &Registry, groups: Vec<GroupInfo>, states: StateCounts, now: u64) -> Snapshot {
    let mut finished = OutcomeCounts::default();
    for &outcome in Outcome::ALL {
        finished.add(outcome, groups.iter().map(|group| group.finished.get(outcome)).sum());
    }
    // A task may be named so by a user, but then it has a place.
    let overflow = groups.iter().filter(|group| &*group.name == OTHER && group.location.is_empty());
    let dropped = finished.total().saturating_sub(registry.config.history() as u64);
    Snapshot {
        taken_at: clock::wall(now),
        states,
        live: groups.iter().map(|group| group.live).sum(),
        blocked: groups.iter().map(|group| group.blocked).sum(),
        spawned: groups.iter().map(|group| group.spawned).sum(),
        groups_overflowed: overflow.map(|group| group.spawned).sum(),
        // A longer history set later brings nothing back.
        history_dropped: registry.history_dropped.fetch_max(dropped, Ordering::Relaxed).max(dropped),
        late_spawns: registry.admission.late(),
        log_lines_suppressed: registry.suppressed.load(Ordering::Relaxed),
        carriers_dropped: registry.carriers.dropped(),
        finished,
        groups,
    }
}

/// Turns readings into [`TaskInfo`]s: holds what they have in common.
#[derive(Debug)]
pub struct Describer {
    registry: &'static Registry,
    pub groups: Vec<&'static Group>,
    /// Of the groups met so far.
    usual: HashMap<u32, Option<Usual>>,
    pub now: u64,
    blocked_after: u64,
}

impl Describer {
    pub fn new() -> Self {
        let registry = registry();
        let groups = registry.groups.all();
        recent::gather();
        Self {
            registry,
            usual: HashMap::new(),
            groups,
            now: clock::ticks(),
            blocked_after: registry.config.blocked_after_ticks(),
        }
    }

    pub fn group(&self, task: &Reading) -> &'static Group {
        let known = self.groups.get(task.group() as usize).copied();
        known.unwrap_or_else(|| self.registry.group(task.group()))
    }

    fn usual(&mut self, group: &Group) -> Option<Usual> {
        *self.usual.entry(group.id).or_insert_with(|| usual_of(group, &group.totals()))
    }

    pub fn state(&self, task: &Reading) -> State {
        state_of(task, self.now, self.blocked_after)
    }

    /// A live task.
    pub fn live(&mut self, task: &Reading) -> TaskInfo {
        let details = self.details(task);
        self.describe(task, details.as_deref(), self.now)
    }

    pub fn details(&self, task: &Reading) -> Option<Box<Details>> {
        if !task.has(DETAILS) {
            return None;
        }
        self.registry.details.read(task.id(), |details| Box::new(details.clone()))
    }

    /// A finished task.
    pub fn finished(&mut self, record: &Record, note: Option<&Arc<Note>>) -> FinishedTask {
        let details = note.and_then(|note| note.details.as_deref());
        FinishedTask {
            task: self.describe(&record.task, details, record.ended),
            outcome: record.outcome,
            duration: clock::between(record.task.started, record.ended),
            finished_at: clock::wall(record.ended),
            message: note.and_then(|note| note.message.clone()),
        }
    }

    fn describe(&mut self, task: &Reading, details: Option<&Details>, until: u64) -> TaskInfo {
        let group = self.group(task);
        TaskInfo {
            id: task.id().into(),
            name: group.name.clone(),
            kind: group.kind,
            labels: group.labels.clone(),
            fields: details.map(|details| details.fields.clone()).unwrap_or_default(),
            trace_id: details.and_then(|details| details.trace_id.clone()),
            state: self.state(task),
            state_for: clock::between(task.since(), until),
            cancellable: !task.has(NOT_CANCELLABLE),
            started_at: clock::wall(task.started),
            age: clock::between(task.started, until),
            busy: Duration::from_nanos(clock::nanos_between(0, task.busy_until(until))),
            polls: task.polls(),
            status: details.and_then(Details::status).cloned(),
            progress: details.and_then(|details| details.progress),
            pace: details.and_then(|details| pace_of(details, task.started, until)),
            location: group.location.clone(),
            parent: task.parent().map(Into::into),
            children: 0,
            on_shutdown: task.policy(),
            listens: task.listens(),
            grace: details.and_then(|details| details.grace),
            timeout: details.and_then(|details| Some(timeout_info(details.timeout.as_ref()?, until))),
            group: group.id.into(),
            usual: self.usual(group),
        }
    }
}

/// A progress that a task sets so soon after its spawn says where the task begins, not how fast it is.
const AT_ONCE: Duration = Duration::from_millis(100);

/// How fast a task comes on: from the first progress that it set to the last, or from its spawn where it set
/// one alone, and not at once.
pub fn pace_of(details: &Details, started: u64, now: u64) -> Option<Pace> {
    let (progress, steps) = (details.progress?, details.steps?);
    let (from, before) = match steps.first_at < steps.last_at {
        true => (steps.first_at, steps.first_done),
        false if clock::between(started, steps.last_at) < AT_ONCE => return None,
        false => (started, 0),
    };
    let done = progress.done.checked_sub(before).filter(|done| 0 < *done)?;
    let seconds = clock::between(from, steps.last_at).as_secs_f64();
    let reported_ago = clock::between(steps.last_at, now);
    (0.0 < seconds).then(|| Pace { per_second: done as f64 / seconds, reported_ago })
}

/// A task by its id, with the statuses it had.
pub fn lookup(id: u64) -> Option<TaskDetails> {
    let mut describer = Describer::new();
    let registry = registry();
    if let Some(task) =
        registry.find(id).and_then(|current| current.slot.read()).filter(|task| task.id() == id)
    {
        let details = describer.details(&task);
        let statuses = statuses(details.as_deref());
        return Some(TaskDetails { task: TaskLookup::Live(describer.live(&task)), statuses });
    }
    let (record, note) = registry.histories.find(id, registry.config.history())?;
    let statuses = statuses(note.as_ref().and_then(|note| note.details.as_deref()));
    let task = TaskLookup::Finished(describer.finished(&record, note.as_ref()));
    Some(TaskDetails { task, statuses })
}

fn statuses(details: Option<&Details>) -> Vec<(std::time::SystemTime, Arc<str>)> {
    let statuses = details.into_iter().flat_map(|details| &details.statuses);
    statuses.map(|(at, status)| (clock::wall(*at), status.clone())).collect()
}
