//! The stages of a shutdown: a state machine that knows neither threads nor the real time.
//!
//! ```text
//!  Running ─▶ Announcing ─▶ Draining ─▶ Aborting ─▶ Lingering ─▶ Done
//!                              └────────────────────────┴────────┘
//! ```
//!
//! | in | goes on when | to |
//! |---|---|---|
//! | Running | something starts it | Announcing |
//! | Announcing | the announce delay is over, or it is forced, or the deadline has passed | Draining |
//! | Draining | nothing is left and the application waits for the report (or never asked for one) | Lingering, Done |
//! | Draining | it is forced, or the deadline has passed with something left | Aborting |
//! | Aborting | the hook has returned or had its time, then: nothing is left, or the abort grace is over | Lingering, Done |
//! | Lingering | a scrape came, or its time is over | Done |
//! | Aborting, Lingering | it is forced again | Done |
//! | any but Running | `exit_after` is over | Done, and the process ends |
//!
//! Time is a [`Duration`] since an origin that the driver chooses. The driver hands in what happened, performs the
//! [`Effect`]s in their order, and calls again at [`Machine::wake_at`] at the latest.

use std::fmt;
use std::time::Duration;

use super::linger::Scrapes;

/// A moment, as time since the driver's origin.
pub(crate) type Moment = Duration;

/// How much longer than hook and abort grace a forced process may live.
const FORCED_EXIT_MARGIN: Duration = Duration::from_millis(500);

/// How much time lingering leaves before the process must end.
const LINGER_MARGIN: Duration = Duration::from_secs(1);

/// Where a shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stage {
    /// No shutdown has begun.
    Running,
    /// Readiness is withdrawn, the service goes on.
    Announcing,
    /// Tasks have been told, and are waited for.
    Draining,
    /// Tasks that are left are handed to the hook, then aborted.
    Aborting,
    /// Nothing is left but a last scrape of the metrics.
    Lingering,
    /// It is over; the report is there.
    Done,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Announcing, Self::Draining, Self::Aborting, Self::Lingering, Self::Done];

    /// The name used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Announcing => "announcing",
            Self::Draining => "draining",
            Self::Aborting => "aborting",
            Self::Lingering => "lingering",
            Self::Done => "done",
        }
    }

    /// The number used in metrics, 0 to 5.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The time that each stage may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) announce_delay: Duration,
    /// Until the deadline, the announce delay included.
    pub(crate) drain_timeout: Option<Duration>,
    pub(crate) hook_timeout: Duration,
    pub(crate) abort_grace: Duration,
    /// Until the process ends, whatever holds it.
    pub(crate) exit_after: Option<Duration>,
    pub(crate) linger: bool,
}

impl Limits {
    /// How long a process lives after a force, whatever holds it.
    pub(crate) fn forced_exit_after(&self) -> Duration {
        self.hook_timeout.saturating_add(self.abort_grace).saturating_add(FORCED_EXIT_MARGIN)
    }
}

/// What is still waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Everything but `Last` tasks.
    pub(crate) wait: u64,
    /// `Last` tasks.
    pub(crate) last: u64,
    /// Whether all of `wait` await `idle()`, and with it the end of the `Last` tasks.
    pub(crate) idle: bool,
}

impl Pending {
    pub(crate) fn total(self) -> u64 {
        self.wait + self.last
    }
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    /// A shutdown is asked for.
    Start,
    /// It is to end now.
    Force,
    /// The deadline moves.
    Extend(Duration),
    /// How many are waited for.
    Pending(Pending),
    /// Whether the application waits for the report; true also when nobody ever asked for it.
    Released(bool),
    /// Whether somebody outside tracked tasks ever asked whether the process stops.
    Asked(bool),
    /// The hook has returned for every task.
    HookReturned,
    /// The metrics were read.
    Scraped,
    /// Nothing but the time.
    Tick,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// This stage has begun.
    Enter(Stage),
    /// Draining has begun: tell the tasks, abort the `Cancel` ones, and from now on hand in what is pending.
    TellTasks,
    /// It is the turn of the `Last` tasks.
    TellLast,
    /// Hand what is left to the hook.
    RunHook,
    /// Abort what is left.
    Abort,
    /// The report is to be made, once.
    Finish(Verdict),
    /// End the process.
    Exit,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything waited for has ended.
    Drained,
    /// The time was over with something left.
    Deadline,
    /// It was forced.
    Forced,
}

/// Why the deadline could not be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtendError {
    NotStopping,
    NoDeadline,
    TooLate,
    BadLength,
}

/// A stage with what only it knows.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Running,
    Announcing { until: Moment },
    Draining { last_told: bool },
    Hooking { until: Moment, returned: bool },
    Aborting { until: Moment },
    Lingering { until: Moment, scraped: bool },
    Done { exiting: bool },
}

/// A step from one phase to another.
enum Step {
    Drain,
    TellLast,
    Hook(Verdict),
    Abort,
    Settle,
    Done,
    Exit,
}

/// The state machine.
#[allow(clippy::struct_excessive_bools)] // Facts that come from outside, each of its own.
#[derive(Debug)]
pub(crate) struct Machine {
    limits: Limits,
    phase: Phase,
    verdict: Verdict,
    /// What is pending; unknown until the driver has counted, then never unknown again.
    pending: Option<Pending>,
    released: bool,
    asked: bool,
    forced: bool,
    /// Forced again.
    hurried: bool,
    began: Moment,
    deadline: Option<Moment>,
    exit_at: Option<Moment>,
    scrapes: Scrapes,
}

impl Machine {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Running,
            verdict: Verdict::Drained,
            pending: None,
            released: true,
            asked: false,
            forced: false,
            hurried: false,
            began: Moment::ZERO,
            deadline: None,
            exit_at: None,
            scrapes: Scrapes::default(),
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.phase {
            Phase::Running => Stage::Running,
            Phase::Announcing { .. } => Stage::Announcing,
            Phase::Draining { .. } => Stage::Draining,
            Phase::Hooking { .. } | Phase::Aborting { .. } => Stage::Aborting,
            Phase::Lingering { .. } => Stage::Lingering,
            Phase::Done { .. } => Stage::Done,
        }
    }

    /// When the shutdown began.
    pub(crate) fn began(&self) -> Moment {
        self.began
    }

    /// When tasks are aborted; `None` before the start, and without a drain timeout.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    /// When the process ends, whatever holds it.
    pub(crate) fn exit_at(&self) -> Option<Moment> {
        self.exit_at
    }

    /// Whether it is the turn of the `Last` tasks.
    pub(crate) fn last_told(&self) -> bool {
        match self.phase {
            Phase::Running | Phase::Announcing { .. } => false,
            Phase::Draining { last_told } => last_told,
            _ => true,
        }
    }

    /// How long it lingers at most, and from when on; only while it does.
    pub(crate) fn lingers_until(&self) -> Option<Moment> {
        match self.phase {
            Phase::Lingering { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Whether lingering ended with a scrape.
    pub(crate) fn last_scrape_seen(&self, since: Moment) -> bool {
        self.scrapes.newest().is_some_and(|at| since <= at)
    }

    /// Whether an extension would do anything.
    pub(crate) fn may_extend(&self, by: Duration) -> Result<(), ExtendError> {
        match self.phase {
            Phase::Running => Err(ExtendError::NotStopping),
            Phase::Announcing { .. } | Phase::Draining { .. } if self.deadline.is_none() => {
                Err(ExtendError::NoDeadline)
            }
            Phase::Announcing { .. } | Phase::Draining { .. } if by.is_zero() || MAX_EXTENSION < by => {
                Err(ExtendError::BadLength)
            }
            Phase::Announcing { .. } | Phase::Draining { .. } => Ok(()),
            _ => Err(ExtendError::TooLate),
        }
    }

    /// When to call again if nothing happens; `None` if only an input can change anything.
    pub(crate) fn wake_at(&self) -> Option<Moment> {
        let own = match self.phase {
            Phase::Running | Phase::Done { exiting: true } => return None,
            Phase::Announcing { until } => Some(self.deadline.map_or(until, |deadline| deadline.min(until))),
            Phase::Hooking { until, .. } | Phase::Aborting { until } | Phase::Lingering { until, .. } => {
                Some(until)
            }
            Phase::Draining { .. } => self.deadline,
            Phase::Done { exiting: false } => None,
        };
        [own, self.exit_at].into_iter().flatten().min()
    }

    /// Takes in what happened, and says what is to be done.
    pub(crate) fn on(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take(now, input, &mut effects);
        while let Some(step) = self.next(now) {
            self.perform(&step, now, &mut effects);
        }
        effects
    }

    fn take(&mut self, now: Moment, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Start => self.start(now, effects),
            Input::Force => self.force(now),
            Input::Extend(by) => self.extend(by),
            Input::Pending(pending) => self.pending = Some(pending),
            Input::Released(released) => self.released = released,
            Input::Asked(asked) => self.asked = asked,
            Input::HookReturned => {
                if let Phase::Hooking { returned, .. } = &mut self.phase {
                    *returned = true;
                }
            }
            Input::Scraped => {
                self.scrapes.saw(now);
                if let Phase::Lingering { scraped, .. } = &mut self.phase {
                    *scraped = true;
                }
            }
            Input::Tick => {}
        }
    }

    fn start(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let after = |limit: Option<Duration>| limit.and_then(|limit| now.checked_add(limit));
        self.began = now;
        self.deadline = after(self.limits.drain_timeout);
        self.exit_at = after(self.limits.exit_after);
        self.phase = Phase::Announcing { until: now.saturating_add(self.limits.announce_delay) };
        effects.push(Effect::Enter(Stage::Announcing));
    }

    fn force(&mut self, now: Moment) {
        match self.phase {
            Phase::Running => return,
            Phase::Announcing { .. } | Phase::Draining { .. } => self.forced = true,
            Phase::Hooking { .. } | Phase::Aborting { .. } | Phase::Lingering { .. } | Phase::Done { .. } => {
                self.hurried = true;
            }
        }
        let soon = now.saturating_add(self.limits.forced_exit_after());
        self.exit_at = Some(self.exit_at.map_or(soon, |at| at.min(soon)));
    }

    fn extend(&mut self, by: Duration) {
        if self.may_extend(by).is_ok() {
            self.deadline = self.deadline.and_then(|at| at.checked_add(by));
            self.exit_at = self.exit_at.and_then(|at| at.checked_add(by));
        }
    }

    /// The diagram.
    fn next(&self, now: Moment) -> Option<Step> {
        let over = |limit: Option<Moment>| limit.is_some_and(|limit| limit <= now);
        let pending = self.pending.map(Pending::total);
        match self.phase {
            Phase::Running | Phase::Done { exiting: true } => None,
            Phase::Done { .. } if over(self.exit_at) || !self.asked => Some(Step::Exit),
            Phase::Done { .. } => None,
            _ if over(self.exit_at) => Some(Step::Done),
            Phase::Announcing { until } => {
                (until <= now || self.forced || over(self.deadline)).then_some(Step::Drain)
            }
            Phase::Draining { .. } if self.forced => Some(Step::Hook(Verdict::Forced)),
            Phase::Draining { last_told } => match self.pending? {
                _ if over(self.deadline) && pending != Some(0) => Some(Step::Hook(Verdict::Deadline)),
                Pending { wait: 0, last: 0, .. } if self.released || over(self.deadline) => {
                    Some(Step::Settle)
                }
                Pending { wait, last: 1.., idle } if (wait == 0 || idle) && !last_told => {
                    Some(Step::TellLast)
                }
                _ => None,
            },
            Phase::Hooking { .. } | Phase::Aborting { .. } | Phase::Lingering { .. } if self.hurried => {
                Some(Step::Done)
            }
            Phase::Hooking { .. } | Phase::Aborting { .. } if pending == Some(0) => Some(Step::Settle),
            Phase::Hooking { until, returned } => (until <= now || returned).then_some(Step::Abort),
            Phase::Aborting { until } => (until <= now).then_some(Step::Settle),
            Phase::Lingering { until, scraped } => (until <= now || scraped).then_some(Step::Done),
        }
    }

    fn perform(&mut self, step: &Step, now: Moment, effects: &mut Vec<Effect>) {
        match step {
            Step::Drain => {
                self.phase = Phase::Draining { last_told: false };
                effects.extend([Effect::Enter(Stage::Draining), Effect::TellTasks]);
            }
            Step::TellLast => {
                self.phase = Phase::Draining { last_told: true };
                effects.push(Effect::TellLast);
            }
            Step::Hook(verdict) => self.begin_aborting(*verdict, now, effects),
            Step::Abort => {
                self.phase = Phase::Aborting { until: now.saturating_add(self.limits.abort_grace) };
                effects.push(Effect::Abort);
            }
            Step::Settle => match self.linger_until(now) {
                Some(until) => {
                    self.phase = Phase::Lingering { until, scraped: false };
                    effects.push(Effect::Enter(Stage::Lingering));
                }
                None => self.finish(effects),
            },
            Step::Done => self.cut_short(effects),
            Step::Exit => {
                self.phase = Phase::Done { exiting: true };
                effects.push(Effect::Exit);
            }
        }
    }

    fn begin_aborting(&mut self, verdict: Verdict, now: Moment, effects: &mut Vec<Effect>) {
        if !self.last_told() {
            effects.push(Effect::TellLast);
        }
        self.verdict = verdict;
        self.phase = Phase::Hooking { until: now.saturating_add(self.limits.hook_timeout), returned: false };
        effects.extend([Effect::Enter(Stage::Aborting), Effect::RunHook]);
    }

    /// To Done from wherever it is: at the end of the lingering, forced again, or because the time is over.
    fn cut_short(&mut self, effects: &mut Vec<Effect>) {
        let told = !matches!(self.phase, Phase::Announcing { .. });
        let waiting = matches!(self.phase, Phase::Announcing { .. } | Phase::Draining { .. });
        if !told {
            effects.push(Effect::TellTasks);
        }
        if waiting && self.forced {
            self.verdict = Verdict::Forced;
        } else if waiting && self.pending.is_none_or(|pending| 0 < pending.total()) {
            self.verdict = Verdict::Deadline;
        }
        self.finish(effects);
    }

    fn finish(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Done { exiting: false };
        effects.extend([Effect::Enter(Stage::Done), Effect::Finish(self.verdict)]);
    }

    fn linger_until(&self, now: Moment) -> Option<Moment> {
        if !self.limits.linger || self.forced {
            return None;
        }
        let until = now.saturating_add(self.scrapes.patience()?);
        let last = self.exit_at.map_or(Moment::MAX, |at| at.saturating_sub(LINGER_MARGIN));
        (now < last).then(|| until.min(last))
    }
}

/// The longest extension that one call may ask for.
#[allow(clippy::duration_suboptimal_units)] // Hours are newer than the oldest compiler supported.
pub(crate) const MAX_EXTENSION: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
