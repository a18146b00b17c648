//! What the coordinator does when the machine says so.

use std::time::Duration;

use super::run::Coordinator;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::slot::{DETAILS, Reading};
use crate::registry::wait::{Abort, Admit};
use crate::settings::LateSpawns;
use crate::shutdown::census::{self, Listing, Seen, slots};
use crate::shutdown::cut::{self, Why};
use crate::shutdown::gates::gates;
use crate::shutdown::machine::{Input, Moment, Stage, Verdict};
use crate::shutdown::terms::terms;
use crate::shutdown::timers::{Due, Round};
use crate::shutdown::words::Cut;
use crate::snapshot::OnShutdown;
use crate::stacks;

/// How often the figures for page and metrics are read while it drains.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where more live, they are woken before they are counted and listed: waking a million takes longer than all
/// of that.
const CROWD: u64 = 200_000;

/// The grace of a `Last` task that has none of its own, where its turn comes only when the others are
/// abandoned.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// What such a task has for being dropped, at the most.
const DROP_MARGIN: Duration = Duration::from_millis(100);

impl Coordinator {
    pub(super) fn enter(&mut self, stage: Stage) {
        self.control.set_stage(stage);
        match stage {
            Stage::Announcing if !self.process.settings.announce_delay.is_zero() => {
                self.voice.announcing(self.process.settings.announce_delay);
                self.note_forecast(&self.waited_for());
            }
            Stage::Aborting => self.begin_aborting(),
            Stage::Lingering => {
                self.settle();
                self.begin_lingering();
            }
            Stage::Done => self.end_lingering(),
            _ => {}
        }
        self.look_again();
        self.audience.iter().for_each(|part| part.stage_changed(stage));
    }

    /// Draining begins.
    pub(super) fn tell_tasks(&mut self) {
        self.ledger.begin();
        match self.process.settings.late_spawns {
            LateSpawns::Adopt => registry().admission.set(Admit::Adopt),
            LateSpawns::Refuse => registry().admission.set(Admit::Refuse),
        }
        if CROWD < self.ledger.live() {
            gates().draining.open();
        }
        registry().begin_counting();
        self.note_refusals();
        self.apply_policies();
        let is_detached =
            |task: &Reading| task.policy() == OnShutdown::Detach && !self.control.is_exempt(task.id());
        self.voice.not_waiting_for(&slots::all(is_detached));
        self.voice.attention(&self.process.settings);
        self.write_lines();
        gates().draining.open();
    }

    /// Tasks have come.
    pub(super) fn adopt(&mut self) {
        self.note_refusals();
        if self.machine.stage() == Stage::Draining {
            self.apply_policies();
        }
    }

    /// Applies policies and graces to tasks that have not been seen before.
    fn apply_policies(&mut self) {
        let last_told = self.machine.last_told();
        let concerned = |task: &Reading| match task.policy() {
            OnShutdown::Cancel | OnShutdown::Connection => true,
            OnShutdown::Last => last_told,
            OnShutdown::Detach => false,
            _ => task.has(DETAILS),
        };
        let (mut cancelled, now) = (Vec::new(), self.now());
        for (current, task) in slots::all(concerned) {
            match task.policy() {
                OnShutdown::Cancel => cancelled.push((current, task)),
                policy => {
                    if policy == OnShutdown::Last {
                        self.ledger.note_told(current.id, now);
                    }
                    let given =
                        (policy == OnShutdown::Connection).then_some(self.process.settings.connection_grace);
                    let grace = own_grace(current).or(given).filter(|_| self.ledger.time(current.id));
                    if policy == OnShutdown::Connection && grace.is_some() {
                        self.ledger.add_connection(current);
                    }
                    if let Some(grace) = grace {
                        self.timers.add(now.saturating_add(grace), Due::Grace, current);
                    }
                }
            }
        }
        self.cancel(&cancelled);
    }

    /// Aborts `Cancel` tasks. They are waited for until they are dropped, which should be at once; what
    /// cannot be aborted is not.
    fn cancel(&mut self, tasks: &[Seen]) {
        self.voice.cancelling(tasks);
        let now = self.now();
        let gone = now.saturating_add(self.process.settings.abort_grace);
        let tasks: Vec<Current> = tasks.iter().map(|(current, _)| *current).collect();
        tasks.iter().for_each(|current| registry().set_policy(*current, OnShutdown::Wait));
        for (current, abort) in cut::end(&tasks, Why::Cancelled) {
            match abort {
                Abort::Told => {
                    self.ledger.note_cancelled(current.id, now);
                    self.timers.add(gone, Due::Gone, current);
                }
                Abort::NotCancellable => registry().set_policy(current, OnShutdown::Detach),
            }
        }
    }

    /// Whether a task was aborted by its policy so recently that it may just be dropped. It is not abandoned
    /// as aborting begins, but at the end if it is still there.
    fn is_being_dropped(&self, id: u64) -> bool {
        let since = self.ledger.cancelled(id).map(|at| self.now().saturating_sub(at));
        since.is_some_and(|since| since < DROP_MARGIN)
    }

    /// Cancels tasks that serve a connection. One that cannot be cancelled is waited for like any other.
    fn close(&mut self, tasks: &[Seen]) {
        self.voice.closing(tasks);
        let gone = self.now().saturating_add(self.process.settings.abort_grace);
        let tasks: Vec<Current> = tasks.iter().map(|(current, _)| *current).collect();
        for (current, abort) in cut::end(&tasks, Why::Cancelled) {
            match abort {
                Abort::Told => self.timers.add(gone, Due::Gone, current),
                Abort::NotCancellable => {
                    self.ledger.forget_connection(current.id);
                    registry().set_policy(current, OnShutdown::Wait);
                }
            }
        }
    }

    pub(super) fn note_refusals(&mut self) {
        let refusals = self.ledger.new_refusals();
        self.voice.refused(&refusals);
    }

    /// It is the turn of the `Last` tasks.
    pub(super) fn tell_last(&mut self) {
        gates().last_turn.open();
        self.adopt();
    }

    /// Graces and aborts that are due.
    pub(super) fn due(&mut self, due: Vec<(Due, Current)>) {
        let (mut over, mut connections) = (Vec::new(), Vec::new());
        for (due, current) in due {
            let Some(task) = slots::read(current) else { continue };
            match (due, task.policy()) {
                // It awaits the report. Once it no longer does, its time begins again.
                (Due::Grace, OnShutdown::Detach) => self.ledger.untime(current.id),
                (Due::Grace, OnShutdown::Connection) => connections.push((current, task)),
                (Due::Grace, _) => over.push((current, task)),
                (Due::Gone, _) => self.stop_waiting(current, task),
            }
        }
        self.close(&connections);
        if !over.is_empty() {
            self.end_graces(over);
        }
    }

    /// The graces of these tasks are over: they are abandoned.
    fn end_graces(&mut self, over: Vec<Seen>) {
        let abandoned = self.ledger.abandon(over, Cut::Grace, self.machine.verdict() == Verdict::Deadline);
        if abandoned.is_empty() {
            return;
        }
        self.voice.graces_over(abandoned.len() as u64);
        self.voice.cut(&abandoned, Cut::Grace);
        let tasks: Vec<Current> = abandoned.into_iter().map(|(current, _)| current).collect();
        // While everything else is aborted, half of what is left is for the hook, and half for being dropped.
        let at_most = match self.machine.aborts_until() {
            Some(until) => until.saturating_sub(self.now()) / 2,
            None => self.handover.timeout(),
        };
        self.handover.batch(tasks, at_most);
    }

    pub(super) fn abort_after_grace(&mut self, tasks: &[Current]) {
        let now = self.now();
        let gone = now.saturating_add(self.process.settings.abort_grace);
        let drains = self.machine.stage() == Stage::Draining;
        for (current, abort) in cut::end(tasks, Why::Abandoned) {
            self.ledger.note_abort(current.id, now);
            match abort {
                Abort::Told if drains => self.timers.add(gone, Due::Gone, current),
                Abort::NotCancellable => registry().set_policy(current, OnShutdown::Detach),
                Abort::Told => {}
            }
        }
    }

    /// A task that was aborted is still there: it is waited for no more.
    fn stop_waiting(&mut self, current: Current, task: Reading) {
        let now = self.now();
        let abandoned = self.ledger.abandon(vec![(current, task)], Cut::Stuck, false);
        self.voice.cut(&abandoned, Cut::Stuck);
        self.ledger.note_abort(current.id, now.saturating_sub(self.process.settings.abort_grace));
        let still_there = self.ledger.still_there(&[current], now);
        self.voice.still_there(&still_there, now);
        if !abandoned.is_empty() {
            self.handover.batch(vec![current], self.handover.timeout());
        }
        cut::end(&[current], Why::Abandoned);
        self.ledger.forget_connection(current.id);
        registry().set_policy(current, OnShutdown::Detach);
    }

    /// Aborting begins: everything that is left is abandoned, but for `Last` tasks that have not had their
    /// grace.
    fn begin_aborting(&mut self) {
        registry().admission.set(Admit::Refuse);
        self.voice.log().close_screen();
        // What came a moment ago has a policy as well.
        self.apply_policies();
        self.timers.set(Round::Lines, None);
        self.timers.clear();
        let (now, forced_by) = (self.now(), self.machine.forced_by());
        let (mut left, mut last) = (Vec::new(), Vec::new());
        let is_connection = |task: &Reading| task.policy() == OnShutdown::Connection;
        self.close(&slots::all(is_connection));
        let is_left = |task: &Reading| {
            slots::is_waited_for(task) && !is_connection(task) && !self.is_being_dropped(task.id())
        };
        for (current, task) in slots::all(is_left) {
            match self.last_grace_ends(current, &task).filter(|end| now < *end) {
                Some(end) => last.push((end, (current, task))),
                None => left.push((current, task)),
            }
        }
        let cut = if forced_by.is_some() { Cut::Force } else { Cut::Deadline };
        let left = self.ledger.abandon(left, cut, forced_by.is_none());
        let budget = self.machine.deadline().map(|at| at.saturating_sub(self.machine.began()));
        self.voice.aborting(forced_by, budget, left.len() as u64, last.len() as u64);
        self.voice.cut(&left, cut);
        for (end, (current, _)) in &last {
            self.timers.add(*end, Due::Grace, *current);
        }
        let longest = last.iter().map(|(end, _)| end.saturating_sub(now)).max().unwrap_or_default();
        let last: Vec<Seen> = last.into_iter().map(|(_, seen)| seen).collect();
        self.voice.giving_last_tasks(&last, longest);
        self.left = left.into_iter().map(|(current, _)| current).collect();
        self.refresh();
    }

    /// When the grace of a `Last` task ends that it has in any case, from when its turn came; `None` for
    /// other tasks.
    fn last_grace_ends(&self, current: Current, task: &Reading) -> Option<Moment> {
        if task.policy() != OnShutdown::Last || self.ledger.is_abandoned(current.id) {
            return None;
        }
        let now = self.now();
        let at_most = self.machine.aborts_until()?.saturating_sub(now);
        let at_most = at_most.saturating_sub(DROP_MARGIN.min(at_most / 4));
        // A force cuts the time that it had, so its grace begins again.
        let told = self.ledger.told(current.id).filter(|_| self.machine.forced_by().is_none());
        let ends = told.unwrap_or(now).saturating_add(own_grace(current).unwrap_or(LAST_GRACE));
        Some(ends.min(now.saturating_add(at_most)))
    }

    pub(super) fn run_hook(&mut self) {
        if !self.handover.all(std::mem::take(&mut self.left)) {
            self.inputs.push_back(Input::HookReturned);
        }
    }

    /// Aborts everything that was abandoned, and cuts what cannot be aborted but cut.
    pub(super) fn abort_all(&mut self) {
        if let Some(missed) = self.handover.give_up() {
            self.voice.hook_missed(missed);
        }
        // Spawned while the others were handed to the hook.
        self.cancel_rest();
        self.abandon_rest(|task, being_dropped| task.policy() == OnShutdown::Wait && !being_dropped);
        let (mut tasks, now) = (self.ledger.abandoned_alive(), self.now());
        tasks.retain(|task| !self.handover.has(*task));
        // What waits for a place comes first: it is not to begin in the place of one that is aborted.
        tasks.sort_by_cached_key(|task| !slots::waits_for_a_place(*task));
        cut::end(&tasks, Why::AllAbandoned);
        tasks.iter().for_each(|task| self.ledger.note_abort(task.id, now));
    }

    /// Cancels what has its policy from its spawn and came after all others were.
    pub(super) fn cancel_rest(&mut self) {
        self.cancel(&slots::all(|task| task.policy() == OnShutdown::Cancel));
    }

    /// Abandons what is left of these, and hands it to the hook. `is_left` also gets whether a task may just
    /// be dropped.
    pub(super) fn abandon_rest(&mut self, is_left: impl Fn(&Reading, bool) -> bool) {
        let forced = self.machine.forced_by().is_some();
        let cut = if forced { Cut::Force } else { Cut::Deadline };
        let left = slots::all(|task| is_left(task, self.is_being_dropped(task.id())));
        let rest = self.ledger.abandon(left, cut, !forced);
        self.voice.cut(&rest, cut);
        let rest: Vec<Current> = rest.into_iter().map(|(current, _)| current).collect();
        if !rest.is_empty() {
            self.handover.batch(rest, self.handover.timeout());
        }
    }

    fn begin_lingering(&mut self) {
        let now = self.now();
        self.lingered_from = Some(now);
        self.voice.lingering(self.machine.lingers_until().map(|at| at.saturating_sub(now)));
    }

    fn end_lingering(&mut self) {
        if let Some(from) = self.lingered_from {
            let after = self.now().saturating_sub(from);
            self.voice.lingered(after, self.machine.last_scrape_seen(from));
        }
    }

    /// Reads the figures for page, metrics and terminal.
    pub(super) fn refresh(&mut self) {
        self.show(self.waited_for());
    }

    fn waited_for(&self) -> Listing {
        census::waited_for(terms(&self.process.settings))
    }

    /// Keeps what the stop was likely to take when it began.
    fn note_forecast(&self, listing: &Listing) {
        self.change_status(|status| {
            if status.forecast_at_start.is_none() && 0 < listing.total {
                let elapsed = status.started.elapsed().as_secs_f64();
                status.forecast_at_start = listing.forecast.over_in().map(|left| elapsed + left);
            }
        });
    }

    fn show(&mut self, listing: Listing) {
        let account = self.ledger.account();
        let (ended, dropped) = (account.ended.total() + account.connections, self.ledger.dropped());
        let abandoned = self.ledger.abandoned_by_group();
        // After the above: a task in neither has come meanwhile.
        let pending = census::pending().total();
        if self.voice.log().has_screen() && self.machine.stage() == Stage::Draining {
            self.ledger.list(&listing.named);
            self.voice.draw(&listing, self.time_left());
        }
        let aborts = Stage::Aborting <= self.machine.stage();
        self.change_status(|status| {
            status.count(ended, dropped, pending);
            // What was abandoned did not finish: the curve ends at it, and it may be pending for a while.
            let left = if aborts {
                status.total.saturating_sub(status.ended)
            } else {
                listing.total + account.abandoned
            };
            status.add_point(left);
            status.abandoned = abandoned;
            status.listing = listing;
        });
        self.look_again();
    }

    /// When the figures are to be read again.
    fn look_again(&mut self) {
        let every = if self.voice.log().has_screen() { LOOK_EVERY / 2 } else { LOOK_EVERY };
        let on = matches!(self.machine.stage(), Stage::Draining | Stage::Aborting);
        self.timers.set(Round::Look, on.then(|| self.now() + every));
    }

    /// Writes what is waited for, and says when to write it again.
    pub(super) fn write_lines(&mut self) {
        let first = !self.timers.has(Round::Lines);
        let pause = self.voice.pause();
        self.timers.set(Round::Lines, Some(self.now() + pause));
        let listing = self.waited_for();
        if self.voice.log().has_screen() && !first && 0 < listing.total {
            return;
        }
        let is_held_up = self.control.is_followed() && !self.control.is_awaited() && !first;
        let named = self.voice.waiting(&listing, self.time_left(), is_held_up);
        self.ledger.list(&named);
        // For the lines of the next round, and for the report.
        stacks::prepare(named.iter().map(|(current, _)| *current).collect());
        if first {
            self.note_forecast(&listing);
        }
        self.show(listing);
    }
}

/// The grace that a task was given.
fn own_grace(current: Current) -> Option<Duration> {
    registry().details.read(current.id, |details| details.grace).flatten()
}
