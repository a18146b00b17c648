//! The diagram, as a state machine.

use std::time::Duration;

use super::scrapes::Scrapes;
use super::stage::{
    Effect, ExtendError, Forcer, Input, LINGER_MARGIN, Limits, MAX_EXTENSION, Moment, Pending, Stage, Verdict,
};

/// A stage with what only it knows.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Running,
    Announcing { until: Moment },
    Draining { last_told: bool },
    Aborting { began: Moment, step: Aborting },
    Lingering { until: Moment, scraped: bool },
    Done { exiting: bool },
}

/// How far aborting has got.
#[derive(Clone, Copy, Debug)]
enum Aborting {
    /// The hook runs.
    Hooking { until: Moment, returned: bool },
    /// What was abandoned is aborted, and should be dropped.
    Dropping { until: Moment },
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
pub struct Machine {
    limits: Limits,
    phase: Phase,
    verdict: Verdict,
    /// What is pending; unknown until the driver has counted, then never unknown again.
    pending: Option<Pending>,
    released: bool,
    asked: bool,
    forced: Option<Forcer>,
    /// Forced again.
    hurried: bool,
    began: Moment,
    deadline: Option<Moment>,
    exit_at: Option<Moment>,
    scrapes: Scrapes,
}

impl Machine {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Running,
            verdict: Verdict::Drained,
            pending: None,
            released: true,
            asked: false,
            forced: None,
            hurried: false,
            began: Moment::ZERO,
            deadline: None,
            exit_at: None,
            scrapes: Scrapes::default(),
        }
    }

    pub fn stage(&self) -> Stage {
        match self.phase {
            Phase::Running => Stage::Running,
            Phase::Announcing { .. } => Stage::Announcing,
            Phase::Draining { .. } => Stage::Draining,
            Phase::Aborting { .. } => Stage::Aborting,
            Phase::Lingering { .. } => Stage::Lingering,
            Phase::Done { .. } => Stage::Done,
        }
    }

    /// What forced it.
    pub fn forced_by(&self) -> Option<Forcer> {
        self.forced
    }

    /// How it went so far: what the report says once it is done.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// When the shutdown began.
    pub fn began(&self) -> Moment {
        self.began
    }

    /// When tasks are aborted; `None` before the start, and without a drain timeout.
    pub fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    /// When the process ends, whatever holds it.
    pub fn exit_at(&self) -> Option<Moment> {
        self.exit_at
    }

    /// Whether it is the turn of the `Last` tasks.
    pub fn last_told(&self) -> bool {
        match self.phase {
            Phase::Running | Phase::Announcing { .. } => false,
            Phase::Draining { last_told } => last_told,
            _ => true,
        }
    }

    /// When the stage Aborting ends at the latest; only in it.
    pub fn aborts_until(&self) -> Option<Moment> {
        match self.phase {
            Phase::Aborting { began, .. } => Some(began.saturating_add(self.limits.aborting_at_most())),
            _ => None,
        }
    }

    /// How long it lingers at most, and from when on; only while it does.
    pub fn lingers_until(&self) -> Option<Moment> {
        match self.phase {
            Phase::Lingering { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Whether lingering ended with a scrape.
    pub fn last_scrape_seen(&self, since: Moment) -> bool {
        self.scrapes.newest().is_some_and(|at| since <= at)
    }

    /// Whether an extension would do anything.
    pub fn may_extend(&self, by: Duration) -> Result<(), ExtendError> {
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
    pub fn wake_at(&self) -> Option<Moment> {
        let own = match self.phase {
            Phase::Running | Phase::Done { exiting: true } => return None,
            Phase::Announcing { until } => Some(self.deadline.map_or(until, |deadline| deadline.min(until))),
            Phase::Aborting { step: Aborting::Hooking { until, .. }, .. }
            | Phase::Lingering { until, .. } => Some(until),
            Phase::Aborting { step: Aborting::Dropping { until }, .. } => Some(self.settles_at(until)),
            Phase::Draining { .. } => self.deadline,
            Phase::Done { exiting: false } => None,
        };
        [own, self.exit_at].into_iter().flatten().min()
    }

    /// Takes in what happened, and says what is to be done. All that is known goes into one call: nothing is
    /// decided on half of it.
    pub fn on(&mut self, now: Moment, inputs: &[Input]) -> Vec<Effect> {
        let mut effects = Vec::new();
        for input in inputs {
            self.take(now, *input, &mut effects);
        }
        while let Some(step) = self.next(now) {
            self.perform(&step, now, &mut effects);
        }
        effects
    }

    fn take(&mut self, now: Moment, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Start => self.start(now, effects),
            Input::Force(by) => self.force(now, by),
            Input::Extend(by) => self.extend(by),
            Input::Pending(pending) => self.pending = Some(pending),
            Input::Released(released) => self.released = released,
            Input::Asked(asked) => self.asked = asked,
            Input::HookReturned => {
                if let Phase::Aborting { step: Aborting::Hooking { returned, .. }, .. } = &mut self.phase {
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

    fn force(&mut self, now: Moment, by: Forcer) {
        match self.phase {
            Phase::Running => return,
            Phase::Announcing { .. } | Phase::Draining { .. } => self.forced = Some(by),
            Phase::Aborting { .. } | Phase::Lingering { .. } | Phase::Done { .. } => self.hurried = true,
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
                (until <= now || self.forced.is_some() || over(self.deadline)).then_some(Step::Drain)
            }
            Phase::Draining { last_told } => match self.pending {
                _ if self.forced.is_some() => self.forced.map(|by| Step::Hook(Verdict::Forced(by))),
                None => None,
                _ if over(self.deadline) && pending != Some(0) => Some(Step::Hook(Verdict::Deadline)),
                Some(Pending { wait: 0, last: 0, .. }) if self.released || over(self.deadline) => {
                    Some(Step::Settle)
                }
                Some(Pending { wait, last: 1.., idle }) if (wait == 0 || idle) && !last_told => {
                    Some(Step::TellLast)
                }
                _ => None,
            },
            Phase::Aborting { .. } | Phase::Lingering { .. } if self.hurried => Some(Step::Done),
            Phase::Aborting { .. } if pending == Some(0) => Some(Step::Settle),
            Phase::Aborting { step: Aborting::Hooking { until, returned }, .. } => {
                (until <= now || returned).then_some(Step::Abort)
            }
            Phase::Aborting { step: Aborting::Dropping { until }, .. } => {
                (self.settles_at(until) <= now).then_some(Step::Settle)
            }
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
                let until = now.saturating_add(self.limits.abort_grace);
                if let Phase::Aborting { step, .. } = &mut self.phase {
                    *step = Aborting::Dropping { until };
                }
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
        let last_told = self.last_told();
        self.verdict = verdict;
        let until = now.saturating_add(self.limits.hook_timeout);
        let step = Aborting::Hooking { until, returned: false };
        self.phase = Phase::Aborting { began: now, step };
        effects.extend([Effect::Enter(Stage::Aborting), Effect::RunHook]);
        if !last_told {
            effects.push(Effect::TellLast);
        }
    }

    /// When nothing that is left is waited for any more, if what was abandoned has until then to be dropped.
    /// `Last` tasks have the whole stage, since its begin may be when they were notified.
    fn settles_at(&self, dropped_until: Moment) -> Moment {
        let has_last = self.pending.is_some_and(|pending| 0 < pending.last);
        let until = self.aborts_until().unwrap_or(dropped_until);
        if has_last { until } else { dropped_until.min(until) }
    }

    /// To Done from wherever it is: at the end of the lingering, forced again, or because the time is over.
    fn cut_short(&mut self, effects: &mut Vec<Effect>) {
        let told = !matches!(self.phase, Phase::Announcing { .. });
        let waiting = matches!(self.phase, Phase::Announcing { .. } | Phase::Draining { .. });
        if !told {
            effects.push(Effect::TellTasks);
        }
        if let Some(by) = self.forced.filter(|_| waiting) {
            self.verdict = Verdict::Forced(by);
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
        if !self.limits.linger || self.forced.is_some() {
            return None;
        }
        let until = now.saturating_add(self.scrapes.patience()?);
        let last = self.exit_at.map_or(Moment::MAX, |at| at.saturating_sub(LINGER_MARGIN));
        (now < last).then(|| until.min(last))
    }
}
