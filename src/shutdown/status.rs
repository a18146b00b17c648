//! How a shutdown goes, for metrics, API and page. The coordinator writes it, others copy it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::census::Listing;
use crate::clock;
use headcount_core::Outcome;

/// Points of the burn-down; above that every second one goes.
const POINTS: usize = 120;

/// Ends that are remembered.
const RECENT: usize = 20;

/// The year 9999 ends so long after 1970.
#[allow(clippy::duration_suboptimal_units)] // Hours are newer than the oldest compiler supported.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_800);

/// A task that ended.
#[derive(Clone, Debug)]
pub(crate) struct EndedTask {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) outcome: Outcome,
    pub(crate) duration: Duration,
}

/// A shutdown, from its start on.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) reason: Arc<str>,
    /// When it began, in ticks of the [clock], and by the clock that time is measured with.
    pub(crate) began: u64,
    pub(crate) started: Instant,
    /// From the start.
    pub(crate) deadline: Option<Duration>,
    /// From the start.
    pub(crate) exit_at: Option<Duration>,
    pub(crate) forced_by: Option<&'static str>,
    /// How long it took until nothing was waited for, once that is so.
    pub(crate) took: Option<Duration>,
    /// Those that ended by themselves.
    pub(crate) ended: u64,
    /// How many were waited for, so far: it never shrinks.
    pub(crate) total: u64,
    /// Those that are gone, the aborted too, as the last look found them, and as the one before did.
    gone: u64,
    surely_gone: u64,
    pub(crate) listing: Listing,
    /// In how many seconds it was likely over when it began.
    pub(crate) forecast_at_start: Option<f64>,
    /// Time since the start, and how many were pending then.
    pub(crate) burn_down: Vec<(Duration, u64)>,
    /// Newest first.
    pub(crate) recently_ended: VecDeque<EndedTask>,
    /// By group.
    pub(crate) abandoned: HashMap<u32, u64>,
}

impl Status {
    pub(crate) fn new(reason: Arc<str>) -> Self {
        Self {
            reason,
            began: clock::ticks(),
            started: Instant::now(),
            deadline: None,
            exit_at: None,
            forced_by: None,
            took: None,
            ended: 0,
            total: 0,
            gone: 0,
            surely_gone: 0,
            listing: Listing::default(),
            forecast_at_start: None,
            burn_down: Vec::new(),
            recently_ended: VecDeque::new(),
            abandoned: HashMap::new(),
        }
    }

    /// When it began, by the wall clock of now: it follows a step of that, and a suspend.
    pub(crate) fn started_at(&self) -> SystemTime {
        clock::wall(self.began)
    }

    /// The time so long after the start; `None` also if that is beyond what a date can be written for.
    pub(crate) fn time(&self, after: Option<Duration>) -> Option<SystemTime> {
        let time = self.started_at().checked_add(after?)?;
        let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        (since < LAST_DATE).then_some(time)
    }

    /// Takes in how many ended by themselves, were aborted, and are pending.
    pub(crate) fn count(&mut self, ended: u64, aborted: u64, pending: u64) {
        let gone = ended + aborted;
        // A task is counted as gone a moment before it is no longer pending. In both it would be in the total
        // twice, for good; what the look before found gone is not pending any more.
        self.surely_gone = if pending == 0 { gone } else { self.gone.min(gone) };
        self.gone = gone;
        self.ended = ended;
        self.see(pending);
    }

    /// How many have ended, in whatever way, as the last look found.
    #[cfg(unix)]
    pub(crate) fn ends(&self) -> u64 {
        self.gone
    }

    /// Takes in how many are pending, for the total.
    pub(crate) fn see(&mut self, pending: u64) {
        self.total = self.total.max(self.surely_gone + pending);
    }

    /// Takes in how many are pending now, for the burn-down.
    pub(crate) fn add_point(&mut self, pending: u64) {
        let point = (self.started.elapsed(), pending);
        if self.burn_down.last().is_some_and(|(_, last)| *last == pending) && 1 < self.burn_down.len() {
            let before = self.burn_down[self.burn_down.len() - 2].1;
            if before == pending {
                // A level stretch needs its two ends.
                self.burn_down.pop();
            }
        }
        self.burn_down.push(point);
        if POINTS < self.burn_down.len() {
            let mut keep = false;
            self.burn_down.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// Takes in the end of a task.
    pub(crate) fn add_ended(&mut self, task: EndedTask) {
        self.recently_ended.push_front(task);
        self.recently_ended.truncate(RECENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burn_down_is_bounded_and_keeps_its_corners() {
        let mut status = Status::new("SIGTERM".into());
        for pending in [5, 5, 5, 5, 3, 3, 3, 0] {
            status.add_point(pending);
        }
        let levels: Vec<_> = status.burn_down.iter().map(|(_, pending)| *pending).collect();
        assert_eq!(levels, [5, 5, 3, 3, 0]);
        for pending in 0..10_000 {
            status.add_point(pending);
        }
        assert!(status.burn_down.len() <= POINTS);
    }

    #[test]
    fn the_total_never_shrinks_and_counts_no_task_twice() {
        let mut status = Status::new("SIGTERM".into());
        let mut total = |ended, aborted, pending| {
            status.count(ended, aborted, pending);
            status.total
        };
        assert_eq!(total(0, 0, 10), 10);
        assert_eq!(total(4, 0, 7), 10, "one is in both");
        assert_eq!(total(4, 0, 9), 13, "three came late");
        assert_eq!(total(5, 4, 4), 13);
        assert_eq!(total(5, 8, 0), 13, "forced");
        assert_eq!(total(7, 8, 0), 15, "two came and went unseen");
    }

    /// Where the wall clock was when the shutdown began does not matter.
    #[test]
    fn times_follow_the_wall_clock_of_now() {
        let mut status = Status::new("SIGTERM".into());
        status.began -= clock::ticks_in(Duration::from_secs(100));
        let (deadline, now) = (status.time(Some(Duration::from_secs(100))).unwrap(), SystemTime::now());
        let apart = deadline.duration_since(now).or_else(|_| now.duration_since(deadline)).unwrap();
        assert!(apart < Duration::from_secs(1), "{apart:?}");
        assert_eq!(status.started_at(), status.started_at());
    }

    #[test]
    fn a_time_without_a_date_is_none() {
        let status = Status::new("SIGTERM".into());
        assert!(status.time(Some(Duration::from_secs(25))).is_some());
        assert_eq!(status.time(Some(LAST_DATE)), None);
        assert_eq!(status.time(Some(Duration::MAX)), None);
    }

    #[test]
    fn the_newest_end_comes_first() {
        let mut status = Status::new("SIGTERM".into());
        for id in 0..100 {
            let (name, outcome, duration) = ("x".into(), Outcome::Ok, Duration::ZERO);
            status.add_ended(EndedTask { id, name, outcome, duration });
        }
        assert_eq!(status.recently_ended.len(), RECENT);
        assert_eq!(status.recently_ended[0].id, 99);
    }
}
