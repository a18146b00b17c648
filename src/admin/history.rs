//! The server's own memory of its figures: a minute by the second for rates, ten minutes by five seconds for
//! charts.
//!
//! Its size depends on the number of groups alone, and that is bounded.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use super::wire::{GroupTrend, Rates, Trends, time};
use crate::attention::rejected_of;
use crate::process::workers;
use crate::snapshot::{GroupInfo, Kind, Snapshot};

const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const SAMPLES: usize = 61;
const POINT_EVERY: Duration = Duration::from_secs(5);
const POINTS: usize = 120;

/// Over what rates are taken.
const RATE_WINDOW: Duration = Duration::from_secs(10);
/// Over what shares of failures are taken.
const SHARE_WINDOW: Duration = Duration::new(60, 0);

/// Rounds come a little early or late; this early is still in time.
const TOLERANCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct History {
    /// Threads that poll, at the last sample: what busy time is a share of.
    workers: usize,
    samples: VecDeque<Sample>,
    points: VecDeque<Point>,
    last_point: Option<(Instant, Totals)>,
}

#[derive(Debug)]
struct Sample {
    at: Instant,
    all: Totals,
    groups: HashMap<u32, Totals>,
}

#[derive(Debug)]
struct Point {
    at: SystemTime,
    live: u64,
    finished_per_second: f64,
    failed_per_second: f64,
    busy_share: f64,
    groups: HashMap<u32, GroupPoint>,
}

/// One point of a group.
#[derive(Clone, Copy, Debug, Default)]
struct GroupPoint {
    live: u64,
    /// In all, from which the rate of the next point follows.
    finished: u64,
    finished_per_second: f64,
}

/// What a rate is the difference of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) live: u64,
    pub(super) spawned: u64,
    pub(super) finished: u64,
    pub(super) failed: u64,
    pub(super) polls: u64,
    pub(super) slow_polls: u64,
    /// For a limit that was reached.
    pub(super) rejected: u64,
    /// In polls: closures have threads of their own.
    pub(super) polling: Duration,
}

impl Totals {
    pub(super) fn of_all(snapshot: &Snapshot) -> Self {
        let groups = || snapshot.groups.iter();
        let sum = |value: fn(&GroupInfo) -> u64| groups().map(value).sum();
        Self {
            live: snapshot.live,
            spawned: snapshot.spawned,
            finished: snapshot.finished.total(),
            failed: snapshot.finished.error + snapshot.finished.panic,
            polls: sum(|group| group.polls),
            slow_polls: sum(|group| group.slow_polls),
            rejected: sum(rejected_of),
            polling: groups().map(polling).sum(),
        }
    }

    pub(super) fn of_group(group: &GroupInfo) -> Self {
        Self {
            live: group.live,
            spawned: group.spawned,
            finished: group.finished.total(),
            failed: group.finished.error + group.finished.panic,
            polls: group.polls,
            slow_polls: group.slow_polls,
            rejected: rejected_of(group),
            polling: polling(group),
        }
    }

    /// What was added since; `live` stays what it is now.
    fn since(self, then: Self) -> Self {
        Self {
            live: self.live,
            spawned: self.spawned.saturating_sub(then.spawned),
            finished: self.finished.saturating_sub(then.finished),
            failed: self.failed.saturating_sub(then.failed),
            polls: self.polls.saturating_sub(then.polls),
            slow_polls: self.slow_polls.saturating_sub(then.slow_polls),
            rejected: self.rejected.saturating_sub(then.rejected),
            polling: self.polling.saturating_sub(then.polling),
        }
    }
}

fn polling(group: &GroupInfo) -> Duration {
    if group.kind == Kind::Blocking { Duration::ZERO } else { group.busy }
}

impl History {
    pub(super) fn new() -> Self {
        Self { workers: workers(), samples: VecDeque::new(), points: VecDeque::new(), last_point: None }
    }

    /// Remembers a snapshot taken at `at`, unless the last one is newer than a second.
    pub(super) fn record(&mut self, at: Instant, snapshot: &Snapshot) {
        if !is_due(self.samples.back().map(|sample| sample.at), at, SAMPLE_EVERY) {
            return;
        }
        self.workers = workers();
        let all = Totals::of_all(snapshot);
        let groups = snapshot.groups.iter().map(|group| (group.id.get(), Totals::of_group(group))).collect();
        push(&mut self.samples, SAMPLES, Sample { at, all, groups });
        if is_due(self.last_point.map(|(at, _)| at), at, POINT_EVERY) {
            self.record_point(at, all, snapshot);
        }
    }

    fn record_point(&mut self, at: Instant, all: Totals, snapshot: &Snapshot) {
        let (then, before) = self.last_point.replace((at, all)).unwrap_or((at, all));
        let (added, seconds) = (all.since(before), (at - then).as_secs_f64());
        let per_second = |value: f64| if seconds == 0.0 { 0.0 } else { rounded(value / seconds) };
        let busy_share = if seconds == 0.0 { 0.0 } else { self.busy_share(added, at - then) };
        let point = Point {
            at: snapshot.taken_at,
            live: all.live,
            finished_per_second: per_second(added.finished as f64),
            failed_per_second: per_second(added.failed as f64),
            busy_share,
            groups: snapshot.groups.iter().map(|group| self.group_point(group, seconds)).collect(),
        };
        push(&mut self.points, POINTS, point);
    }

    fn group_point(&self, group: &GroupInfo, seconds: f64) -> (u32, GroupPoint) {
        let before = self.points.back().and_then(|point| point.groups.get(&group.id.get()));
        let finished = group.finished.total();
        let added = finished.saturating_sub(before.map_or(0, |before| before.finished));
        // In the first point nothing is known of the time in which they finished.
        let known = 0.0 < seconds && !self.points.is_empty();
        let finished_per_second = if known { rounded(added as f64 / seconds) } else { 0.0 };
        (group.id.get(), GroupPoint { live: group.live, finished, finished_per_second })
    }

    /// What was added over the last while, and in what time; `None` in the first second. `group` as in
    /// [`GroupInfo::id`], or all.
    pub(super) fn added(
        &self,
        group: Option<u32>,
        at: Instant,
        now: Totals,
        window: Duration,
    ) -> Option<(Totals, Duration)> {
        let sample = self.sample_before(at, window)?;
        let elapsed = at.saturating_duration_since(sample.at);
        let then = match group {
            Some(id) => sample.groups.get(&id).copied().unwrap_or_default(),
            None => sample.all,
        };
        (SAMPLE_EVERY <= elapsed + TOLERANCE).then(|| (now.since(then), elapsed))
    }

    pub(super) fn rates(&self, group: Option<u32>, at: Instant, now: Totals) -> Rates {
        let recent = self.added(group, at, now, RATE_WINDOW);
        let rate = |value: fn(&Totals) -> f64| {
            recent.map(|(added, elapsed)| rounded(value(&added) / elapsed.as_secs_f64()))
        };
        let minute = self.added(group, at, now, SHARE_WINDOW).filter(|(added, _)| 0 < added.finished);
        Rates {
            spawned_per_second: rate(|added| added.spawned as f64),
            finished_per_second: rate(|added| added.finished as f64),
            busy_share: recent.map(|(added, elapsed)| self.busy_share(added, elapsed)),
            failed_share: minute.map(|(added, _)| rounded(added.failed as f64 / added.finished as f64)),
        }
    }

    /// What polls took of the workers' time. A `track` future inside a task is counted in both, so it may
    /// come to more than all: that is all.
    fn busy_share(&self, added: Totals, elapsed: Duration) -> f64 {
        let all = self.workers as f64 * elapsed.as_secs_f64();
        rounded((added.polling.as_secs_f64() / all).min(1.0))
    }

    /// How many of a group lived, a minute ago first, in three steps; `None` where the memory is shorter.
    pub(super) fn live_by_steps(&self, group: u32) -> Option<[u64; 3]> {
        let live = |sample: &Sample| sample.groups.get(&group).map_or(0, |totals| totals.live);
        let full = self.samples.len() == SAMPLES;
        full.then(|| [0, SAMPLES / 3, 2 * SAMPLES / 3].map(|index| live(&self.samples[index])))
    }

    pub(super) fn trends(&self, snapshot: &Snapshot) -> Trends {
        let points = || self.points.iter();
        let group = |group: &GroupInfo| {
            let of = |point: &Point| point.groups.get(&group.id.get()).copied().unwrap_or_default();
            GroupTrend {
                id: group.id.get(),
                live: points().map(|point| of(point).live).collect(),
                finished_per_second: points().map(|point| of(point).finished_per_second).collect(),
            }
        };
        Trends {
            interval_seconds: POINT_EVERY.as_secs_f64(),
            until: time(self.points.back().map_or(snapshot.taken_at, |point| point.at)),
            live: points().map(|point| point.live).collect(),
            finished_per_second: points().map(|point| point.finished_per_second).collect(),
            failed_per_second: points().map(|point| point.failed_per_second).collect(),
            busy_share: points().map(|point| point.busy_share).collect(),
            groups: snapshot.groups.iter().map(group).collect(),
        }
    }

    /// The newest sample that is older than the window, or else the oldest.
    fn sample_before(&self, at: Instant, window: Duration) -> Option<&Sample> {
        let old = |sample: &&Sample| window <= at.saturating_duration_since(sample.at) + TOLERANCE;
        self.samples.iter().rev().find(old).or(self.samples.front())
    }
}

fn is_due(last: Option<Instant>, at: Instant, every: Duration) -> bool {
    last.is_none_or(|last| every <= at.saturating_duration_since(last) + TOLERANCE)
}

fn push<T>(queue: &mut VecDeque<T>, capacity: usize, value: T) {
    if queue.len() == capacity {
        queue.pop_front();
    }
    queue.push_back(value);
}

/// Rounds to four decimal places: more would not be readable, and events stay small.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
