//! The account of the tasks: what is waited for until when, what was abandoned, and the sums at the end.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::abandoned::Abandoned;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::wait::Ended;
use crate::shutdown::census::{Seen, Tally, slots};
use crate::shutdown::machine::Moment;
use crate::shutdown::report::{MAX_LISTED, ReportTask};
use crate::shutdown::words::Cut;
use crate::snapshot::{OnShutdown, TaskInfo};
use headcount_core::internal::snapshot::read::Describer;
use headcount_core::{Outcome, OutcomeCounts};

/// How it all ended: what the last line, the report, the metrics and the API say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// What was waited for and ended, by how; abandoned tasks are not among them.
    pub(crate) ended: OutcomeCounts,
    pub(crate) abandoned: u64,
    /// Tasks that served a connection, and are gone.
    pub(crate) connections: u64,
    /// Something was abandoned because the time was over.
    pub(crate) is_past_deadline: bool,
    /// Spawns that were refused.
    pub(crate) refused: u64,
    /// About how many tasks live that headcount does not track.
    pub(crate) untracked: u64,
}

/// The tasks of a shutdown.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    tally: Tally,
    abandoned: Abandoned,
    /// Tasks that have a timer.
    timed: HashSet<u64>,
    /// When the turn of each `Last` task came.
    told: HashMap<u64, Moment>,
    /// When each `Cancel` task was aborted.
    cancelled: HashMap<u64, Moment>,
    /// Tasks that serve a connection and have not ended, and how the others ended.
    connections: HashMap<u64, Current>,
    closed: OutcomeCounts,
    /// Tasks that a line named and that have not ended.
    listed: HashMap<u64, Current>,
    /// Refused spawns that were logged: of each group, and of all.
    refusals: HashMap<u32, u64>,
    refused: u64,
    /// The sums, from the moment at which nothing was waited for any more.
    account: Option<Account>,
}

impl Ledger {
    /// Draining begins.
    pub(crate) fn begin(&mut self) {
        self.tally = Tally::begin();
    }

    /// How many tasks lived when draining began.
    pub(crate) fn live(&self) -> u64 {
        self.tally.live()
    }

    /// Whether the task has no timer yet, and has one from now on.
    pub(crate) fn time(&mut self, id: u64) -> bool {
        self.timed.insert(id)
    }

    /// The task has no timer any more.
    pub(crate) fn untime(&mut self, id: u64) {
        self.timed.remove(&id);
    }

    /// The turn of a `Last` task has come. The first time counts.
    pub(crate) fn note_told(&mut self, id: u64, now: Moment) {
        self.told.entry(id).or_insert(now);
    }

    pub(crate) fn told(&self, id: u64) -> Option<Moment> {
        self.told.get(&id).copied()
    }

    /// A task was aborted as its policy has it. It is timed from then on.
    pub(crate) fn note_cancelled(&mut self, id: u64, now: Moment) {
        self.timed.insert(id);
        self.cancelled.insert(id, now);
    }

    pub(crate) fn cancelled(&self, id: u64) -> Option<Moment> {
        self.cancelled.get(&id).copied()
    }

    /// Enters tasks as abandoned; gives those that were not before, oldest first.
    pub(crate) fn abandon(&mut self, mut tasks: Vec<Seen>, cut: Cut, is_past_deadline: bool) -> Vec<Seen> {
        tasks.sort_by_key(|(_, task)| (task.started, task.id()));
        tasks.retain(|(current, task)| self.abandoned.add(*current, task, cut, is_past_deadline));
        let mut describer = Describer::new();
        for (_, task) in &tasks {
            if !self.abandoned.has_room() {
                break;
            }
            self.abandoned.describe(describer.live(task));
        }
        tasks
    }

    pub(crate) fn is_abandoned(&self, id: u64) -> bool {
        self.abandoned.contains(id)
    }

    /// Abandoned tasks that have not ended.
    pub(crate) fn abandoned_alive(&self) -> Vec<Current> {
        self.abandoned.alive().collect()
    }

    pub(crate) fn has_abandoned_alive(&self) -> bool {
        self.abandoned.has_alive()
    }

    /// Notes that a task was aborted.
    pub(crate) fn note_abort(&mut self, id: u64, now: Moment) {
        self.abandoned.note_abort(id, now);
    }

    /// Of these the ones that are still there and that no line has said this of, with when they were aborted.
    pub(crate) fn still_there(&mut self, tasks: &[Current], now: Moment) -> Vec<(Seen, Moment)> {
        let still = tasks.iter().filter_map(|current| {
            let task = slots::read(*current)?;
            Some(((*current, task), self.abandoned.to_name(current.id, now)?))
        });
        still.collect()
    }

    /// A line names these: each has another when it ends.
    pub(crate) fn list(&mut self, tasks: &[(Current, TaskInfo)]) {
        for (current, _) in tasks {
            if !self.listed.contains_key(&current.id) && current.watch() {
                self.listed.insert(current.id, *current);
            }
        }
    }

    /// A task serves a connection: it is counted apart.
    pub(crate) fn add_connection(&mut self, current: Current) {
        if current.watch() {
            self.connections.insert(current.id, current);
        }
    }

    /// The task is waited for no more: it is none of the connections that are closed.
    pub(crate) fn forget_connection(&mut self, id: u64) {
        self.connections.remove(&id);
    }

    /// Whether an end is on its way that a line is due for, that closes a connection, or that is one of the
    /// abandoned tasks'; asked when nothing is waited for any more.
    pub(crate) fn awaits_an_end(&self) -> bool {
        // A connection that lives awaits the report.
        self.connections.values().any(|current| slots::is_gone(*current)) || self.has_gone()
    }

    /// Whether the end of a task is on its way that has ended.
    pub(crate) fn has_gone(&self) -> bool {
        self.abandoned.awaits_an_end() || self.listed.values().any(|current| slots::is_gone(*current))
    }

    /// Abandoned tasks that live and were not aborted.
    pub(crate) fn not_aborted(&self) -> Vec<Current> {
        self.abandoned.not_aborted()
    }

    /// Takes in the end of a watched task; true if a line is due for it.
    pub(crate) fn note_end(&mut self, ended: &Ended) -> bool {
        let id = ended.task.id();
        let was_abandoned = self.abandoned.contains(id);
        self.abandoned.note(ended);
        if self.connections.remove(&id).is_some() {
            self.closed.add(ended.outcome, 1);
        }
        let was_dropped = was_abandoned && ended.outcome == Outcome::Abandoned;
        self.listed.remove(&id).is_some() && !was_dropped
    }

    /// Groups whose spawns were refused since this was last asked, with how many; the most first.
    pub(crate) fn new_refusals(&mut self) -> Vec<(u32, u64)> {
        if registry().admission.refused() == self.refused {
            return Vec::new();
        }
        let mut new = Vec::new();
        for group in registry().groups.all() {
            let refused = group.refused.load(Ordering::Relaxed);
            let known = self.refusals.insert(group.id, refused).unwrap_or_default();
            if known < refused {
                new.push((group.id, refused - known));
            }
        }
        self.refused += new.iter().map(|(_, count)| count).sum::<u64>();
        new.sort_by_key(|(group, count)| (std::cmp::Reverse(*count), *group));
        new
    }

    /// Adds up, once: from now on it stays so. A task that ends later is no part of it, such as one that
    /// awaited the report.
    pub(crate) fn settle(&mut self, untracked: u64) {
        self.listed.clear();
        self.abandoned.settle();
        if self.account.is_none() {
            self.account = Some(Account { untracked, ..self.add_up() });
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.account.is_some()
    }

    /// The sums, as they are or as they were settled.
    pub(crate) fn account(&self) -> Account {
        self.account.clone().unwrap_or_else(|| self.add_up())
    }

    fn add_up(&self) -> Account {
        Account {
            ended: self.ended(),
            connections: self.closed.total(),
            abandoned: self.abandoned.total(),
            is_past_deadline: self.abandoned.any_at_the_deadline(),
            refused: self.refused,
            untracked: 0,
        }
    }

    /// The ends of what was waited for, but for connections.
    fn ended(&self) -> OutcomeCounts {
        let (mut ended, all) = (OutcomeCounts::default(), self.tally.ended());
        for outcome in Outcome::ALL {
            ended.add(*outcome, all.get(*outcome).saturating_sub(self.closed.get(*outcome)));
        }
        ended
    }

    /// How many of the abandoned tasks were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.abandoned.dropped()
    }

    pub(crate) fn abandoned_by_group(&self) -> HashMap<u32, u64> {
        self.abandoned.by_group(self.is_settled())
    }

    /// What the report lists of the abandoned tasks, oldest first.
    pub(crate) fn abandoned_listed(&self, hide_fields: bool) -> Vec<ReportTask> {
        self.abandoned.listed(hide_fields)
    }

    /// Tasks that are not waited for and live on: how many, and what the report lists of them.
    pub(crate) fn detached(
        &self,
        is_exempt: impl Fn(u64) -> bool,
        hide_fields: bool,
    ) -> (u64, Vec<ReportTask>) {
        let mut tasks = slots::all(|task| {
            task.policy() == OnShutdown::Detach
                && !is_exempt(task.id())
                && !self.abandoned.contains(task.id())
        });
        tasks.sort_by_key(|(_, task)| (task.started, task.id()));
        let total = tasks.len() as u64;
        let mut describer = Describer::new();
        tasks.truncate(MAX_LISTED);
        let tasks = tasks
            .iter()
            .map(|(_, task)| ReportTask::new(&describer.live(task), false, "not waited for", hide_fields));
        (total, tasks.collect())
    }
}
