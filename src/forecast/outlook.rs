//! How long one task, or several alike, hold up a stop.

use std::time::Duration;

use super::lifetimes::Lifetimes;
use crate::snapshot::{OnShutdown, Pace, Progress, State, TaskInfo, TimeoutInfo};

/// The spread of the time that one unit of progress takes, as a share of its mean: between clockwork and
/// chance.
const UNIT_SPREAD: f64 = 0.5;

/// A task that has reported nothing for so many of its units makes no progress.
const STALLED: f64 = 8.0;

/// What is known of a live task, or of several that do not differ. Times in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waited {
    pub(crate) group: u32,
    /// The one that it is.
    pub(crate) task: Option<u64>,
    pub(crate) count: f64,
    pub(crate) age: f64,
    pub(crate) policy: OnShutdown,
    pub(crate) cancellable: bool,
    /// It awaits `draining()`, or asked whether the process stops.
    pub(crate) listens: bool,
    /// For how long it has not yielded.
    pub(crate) blocked: Option<f64>,
    pub(crate) progress: Option<Progress>,
    pub(crate) pace: Option<Pace>,
    pub(crate) grace: Option<f64>,
    /// What is left of its timeout, if that has begun and is not over.
    pub(crate) timeout: Option<f64>,
}

/// Where the stop is, or would be if it began now. Times in seconds from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// When what is left is aborted; `None` without a deadline.
    pub(crate) within: Option<f64>,
    /// Until tasks are asked to stop; 0 once they are.
    pub(crate) announce: f64,
    /// How long ago they were asked to stop.
    pub(crate) told_ago: f64,
    /// How long ago `Last` tasks were asked to stop.
    pub(crate) last_told_ago: Option<f64>,
    /// From an abort to when nothing is waited for any more.
    pub(crate) abort_grace: f64,
    /// How long a connection goes on that has no grace of its own.
    pub(crate) connection_grace: f64,
    /// Whether a stop runs.
    pub(crate) is_stopping: bool,
}

/// Why nothing is known of when a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It does not yield.
    Blocked,
    /// It said how far it was, and has not come on since.
    Stalled,
    /// Too few of its group have ended.
    Few,
    /// It is older than all of its group were.
    Old,
}

/// When a task ends by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending<'a> {
    /// When tasks are asked to stop: the task is aborted then, or it listens.
    Told,
    /// When all others have ended.
    Last,
    /// When it is closed, being a connection.
    Closed(f64),
    /// As those of its group did.
    Curve(&'a Lifetimes),
    /// At its pace.
    Pace {
        left: f64,
        spread: f64,
    },
    Unknown(Unknown),
}

/// When a task ends by itself, and when its grace releases the stop before that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook<'a> {
    pub(crate) waited: Waited,
    pub(crate) ending: Ending<'a>,
    /// When its grace is over.
    pub(crate) grace_over: Option<f64>,
    /// When its timeout ends it, if that can.
    pub(crate) timed_out: Option<f64>,
    told_in: f64,
}

impl Waited {
    pub(crate) fn of(task: &TaskInfo) -> Self {
        Self {
            group: task.group.get(),
            task: Some(task.id.get()),
            count: 1.0,
            age: task.age.as_secs_f64(),
            policy: task.on_shutdown,
            cancellable: task.cancellable,
            listens: task.listens,
            blocked: (task.state == State::Blocked).then_some(task.state_for.as_secs_f64()),
            progress: task.progress,
            pace: task.pace,
            grace: task.grace.map(|grace| grace.as_secs_f64()),
            timeout: task.timeout.and_then(left_of),
        }
    }

    /// What is left at its pace, and how far off that may be.
    fn at_its_pace(&self) -> Option<Result<(f64, f64), Unknown>> {
        let (progress, pace) = (self.progress?, self.pace?);
        let unit = 1.0 / pace.per_second;
        let (done, left) = (progress.done as f64, progress.total.checked_sub(progress.done)? as f64);
        if progress.total == 0 || !unit.is_finite() {
            return None;
        }
        let reported_ago = pace.reported_ago.as_secs_f64();
        if STALLED * unit < reported_ago && 1.0 < reported_ago {
            return (0.0 < left).then_some(Err(Unknown::Stalled));
        }
        // One that is overdue slows the pace: the unit that it is at takes about as long again.
        let unit =
            if reported_ago <= 2.0 * unit { unit } else { (done * unit + 2.0 * reported_ago) / (done + 1.0) };
        let seconds = (left * unit - reported_ago).max(unit / 4.0);
        let spread = UNIT_SPREAD * unit * (left + left * left / done.max(1.0) + 0.25).sqrt();
        Some(Ok((seconds, spread)))
    }
}

impl<'a> Outlook<'a> {
    pub(crate) fn new(waited: Waited, curve: Option<&'a Lifetimes>, terms: &Terms) -> Self {
        Self {
            waited,
            ending: ending(&waited, curve, terms),
            grace_over: grace_over(&waited, terms),
            timed_out: waited.timeout.filter(|_| waited.cancellable && waited.blocked.is_none()),
            told_in: terms.announce,
        }
    }

    /// The chance that it ends within so many seconds, by itself or by its timeout; `None` where nothing is
    /// known.
    pub(crate) fn ends_within(&self, seconds: f64) -> Option<f64> {
        if self.timed_out.is_some_and(|over| over <= seconds) {
            return Some(1.0);
        }
        match self.ending {
            Ending::Told | Ending::Last => Some(if self.told_in <= seconds { 1.0 } else { 0.0 }),
            Ending::Closed(at) => Some(if at <= seconds { 1.0 } else { 0.0 }),
            Ending::Curve(curve) => Some(curve.ends_within(self.waited.age, seconds)),
            Ending::Pace { left, spread } => Some(normal((seconds - left) / spread)),
            Ending::Unknown(_) => None,
        }
    }

    /// The chance that it holds up the stop no longer than that: it has ended, or its grace is over.
    pub(crate) fn released_within(&self, seconds: f64) -> Option<f64> {
        match self.grace_over {
            Some(over) if over <= seconds => Some(1.0),
            _ => self.ends_within(seconds),
        }
    }

    /// When it likely ends, by itself or by its timeout.
    pub(crate) fn likely_end(&self) -> Option<f64> {
        self.own_end().into_iter().chain(self.timed_out).reduce(f64::min)
    }

    /// When it likely ends by itself.
    pub(crate) fn own_end(&self) -> Option<f64> {
        match self.ending {
            Ending::Told => Some(self.told_in),
            Ending::Closed(at) => Some(at),
            Ending::Curve(curve) => Some(curve.median_left(self.waited.age)),
            Ending::Pace { left, .. } => Some(left),
            Ending::Last | Ending::Unknown(_) => None,
        }
    }
}

/// What is left of a timeout; `None` before it begins and once it is over.
pub(super) fn left_of(timeout: TimeoutInfo) -> Option<f64> {
    let has_begun = timeout.elapsed != Duration::ZERO;
    (has_begun && !timeout.overdue).then(|| timeout.allowed.saturating_sub(timeout.elapsed).as_secs_f64())
}

fn ending<'a>(waited: &Waited, curve: Option<&'a Lifetimes>, terms: &Terms) -> Ending<'a> {
    match waited.policy {
        OnShutdown::Cancel => return Ending::Told,
        OnShutdown::Last if terms.last_told_ago.is_none() => return Ending::Last,
        _ => {}
    }
    match waited.at_its_pace() {
        Some(Ok((left, spread))) => return Ending::Pace { left, spread },
        Some(Err(unknown)) if waited.blocked.is_none() => return Ending::Unknown(unknown),
        _ => {}
    }
    if waited.listens && waited.blocked.is_none() {
        return Ending::Told;
    }
    if let Some(at) = closed_at(waited, terms).filter(|_| waited.blocked.is_none()) {
        return Ending::Closed(at);
    }
    match curve {
        Some(curve) if curve.is_like(waited.age) => Ending::Curve(curve),
        _ if waited.blocked.is_some() => Ending::Unknown(Unknown::Blocked),
        Some(_) => Ending::Unknown(Unknown::Old),
        None => Ending::Unknown(Unknown::Few),
    }
}

/// When a connection is closed, which is no later than the deadline; one that cannot be aborted is not.
fn closed_at(waited: &Waited, terms: &Terms) -> Option<f64> {
    let is_closed = waited.policy == OnShutdown::Connection && waited.cancellable;
    let grace = waited.grace.unwrap_or(terms.connection_grace);
    let at = (terms.announce + grace - terms.told_ago).max(0.0);
    is_closed.then_some(terms.within.map_or(at, |within| at.min(within)))
}

/// When the grace of a task is over; one that cannot be reached holds on for as long as an abort is given.
fn grace_over(waited: &Waited, terms: &Terms) -> Option<f64> {
    let hangs = if waited.blocked.is_some() { terms.abort_grace } else { 0.0 };
    match waited.policy {
        OnShutdown::Cancel => Some(terms.announce + hangs),
        OnShutdown::Last => {
            let told_ago = terms.last_told_ago?;
            Some((waited.grace? - told_ago).max(0.0) + hangs)
        }
        _ => match closed_at(waited, terms) {
            Some(at) => Some(at + hangs),
            None => Some((terms.announce + waited.grace? - terms.told_ago).max(0.0) + hangs),
        },
    }
}

/// The share of a normal distribution below so many deviations.
///
/// The approximation of Abramowitz and Stegun, 26.2.17, true to 7.5e-8.
fn normal(deviations: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * deviations.abs());
    let series = t
        * (0.319_381_530
            + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let beyond = (-deviations * deviations / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * series;
    if deviations < 0.0 { beyond } else { 1.0 - beyond }
}

#[cfg(test)]
mod tests {
    use headcount_core::internal::samples;

    use super::*;
    use crate::forecast::testing::{terms, waited};

    #[track_caller]
    fn near(value: f64, wanted: f64) {
        assert!((value - wanted).abs() < 1e-3, "{value} is not {wanted}");
    }

    #[test]
    fn progress_goes_on_at_its_pace() {
        let pace = Some(samples::pace(0.5, Duration::from_millis(500)));
        let task = Waited { progress: Some(Progress::new(3, 10)), pace, ..waited() };
        let outlook = Outlook::new(task, None, &terms());
        near(outlook.likely_end().unwrap(), 13.5);
        near(outlook.ends_within(13.5).unwrap(), 0.5);
        assert!(outlook.ends_within(7.0).unwrap() < 0.1 && 0.9 < outlook.ends_within(25.0).unwrap());
    }

    #[test]
    fn progress_that_stopped_is_unknown() {
        let pace = Some(samples::pace(0.5, Duration::from_secs(60)));
        let task = Waited { progress: Some(Progress::new(3, 10)), pace, ..waited() };
        let ending = Outlook::new(task, None, &terms()).ending;
        assert!(matches!(ending, Ending::Unknown(Unknown::Stalled)));
    }

    #[test]
    fn a_grace_releases_what_does_not_end() {
        let task = Waited { grace: Some(2.0), ..waited() };
        let outlook = Outlook::new(task, None, &Terms { announce: 3.0, ..terms() });
        assert_eq!(outlook.ends_within(9.0), None);
        assert_eq!((outlook.released_within(4.9), outlook.released_within(5.0)), (None, Some(1.0)));
        let draining = Outlook::new(task, None, &Terms { told_ago: 1.5, ..terms() });
        assert_eq!(draining.grace_over, Some(0.5));
    }

    #[test]
    fn who_listens_or_is_cancelled_ends_when_told() {
        for task in [Waited { listens: true, ..waited() }, Waited { policy: OnShutdown::Cancel, ..waited() }]
        {
            let outlook = Outlook::new(task, None, &Terms { announce: 3.0, ..terms() });
            assert_eq!((outlook.ends_within(2.0), outlook.ends_within(3.0)), (Some(0.0), Some(1.0)));
        }
        let stuck = Waited { listens: true, blocked: Some(9.0), ..waited() };
        assert!(matches!(Outlook::new(stuck, None, &terms()).ending, Ending::Unknown(Unknown::Blocked)));
    }

    #[test]
    fn a_connection_is_closed_when_its_grace_is_over() {
        let socket = Waited { policy: OnShutdown::Connection, age: 3600.0, ..waited() };
        let outlook = Outlook::new(socket, None, &Terms { announce: 3.0, ..terms() });
        assert_eq!((outlook.ends_within(3.9), outlook.ends_within(4.0)), (Some(0.0), Some(1.0)));
        let long = Waited { grace: Some(60.0), ..socket };
        assert_eq!(Outlook::new(long, None, &terms()).likely_end(), Some(25.0));
        let stuck = Outlook::new(Waited { blocked: Some(9.0), ..socket }, None, &terms());
        assert!(matches!(stuck.ending, Ending::Unknown(Unknown::Blocked)));
        assert_eq!(stuck.grace_over, Some(2.0));
        let held = Outlook::new(Waited { cancellable: false, ..socket }, None, &terms());
        assert_eq!((held.ends_within(25.0), held.grace_over), (None, None));
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        near(normal(0.0), 0.5);
        near(normal(1.6449), 0.95);
        near(normal(-1.6449), 0.05);
    }
}
