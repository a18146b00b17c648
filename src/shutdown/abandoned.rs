//! The tasks that the shutdown gives up, each once.

use std::collections::{BTreeMap, HashMap};

use super::report::{MAX_LISTED, ReportTask};
use crate::registry::local::Current;
use crate::registry::slot::Reading;
use crate::registry::wait::Ended;
use crate::snapshot::TaskInfo;
use headcount_core::Outcome;

#[derive(Debug)]
struct Entry {
    current: Current,
    group: u32,
    ended: Option<Outcome>,
}

/// All that were given up so far.
#[derive(Debug, Default)]
pub(crate) struct Abandoned {
    /// By id, which is by age.
    entries: BTreeMap<u64, Entry>,
    /// As they were when they were given up, the first that came.
    infos: BTreeMap<u64, TaskInfo>,
    /// Ended on their own after all.
    spared: u64,
    /// Dropped.
    gone: u64,
}

impl Abandoned {
    /// Gives a task up; false if it has ended, or was given up before.
    pub(crate) fn add(&mut self, current: Current, task: &Reading) -> bool {
        if self.entries.contains_key(&current.id) || !current.watch() {
            return false;
        }
        self.entries.insert(current.id, Entry { current, group: task.group(), ended: None });
        true
    }

    /// Keeps what the report says of a task, while there is room.
    pub(crate) fn describe(&mut self, task: TaskInfo) {
        if self.infos.len() < MAX_LISTED {
            self.infos.insert(task.id.get(), task);
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.infos.len() < MAX_LISTED
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.entries.contains_key(&id)
    }

    /// Notes the end of a task, if it is one of them.
    pub(crate) fn note(&mut self, ended: &Ended) {
        if let Some(entry) = self.entries.get_mut(&ended.task.id()) {
            entry.ended = Some(ended.outcome);
            let is_gone = ended.outcome == Outcome::Abandoned;
            *(if is_gone { &mut self.gone } else { &mut self.spared }) += 1;
        }
    }

    /// Those that are not gone.
    pub(crate) fn alive(&self) -> impl Iterator<Item = Current> {
        self.entries.values().filter(|entry| entry.ended.is_none()).map(|entry| entry.current)
    }

    /// How many were given up, but for those that ended on their own.
    pub(crate) fn total(&self) -> u64 {
        self.entries.len() as u64 - self.spared
    }

    /// How many of them were dropped.
    pub(crate) fn gone(&self) -> u64 {
        self.gone
    }

    /// The same by group: those that are known not to end on their own, which at the end are all.
    pub(crate) fn by_group(&self, at_the_end: bool) -> HashMap<u32, u64> {
        let is_lost =
            |entry: &&Entry| entry.ended.map_or(at_the_end, |outcome| outcome == Outcome::Abandoned);
        let mut counts = HashMap::new();
        for entry in self.entries.values().filter(is_lost) {
            *counts.entry(entry.group).or_default() += 1;
        }
        counts
    }

    /// What the report lists of them, oldest first.
    pub(crate) fn listed(&self, hide_fields: bool) -> Vec<ReportTask> {
        let mut infos: Vec<_> = self.infos.values().collect();
        infos.sort_by_key(|task| (task.started_at, task.id));
        let listed = infos.into_iter().filter_map(|task| {
            let entry = self.entries.get(&task.id.get()).filter(|entry| !is_spared(entry))?;
            Some(ReportTask::new(task, entry.ended.is_some(), hide_fields))
        });
        listed.collect()
    }
}

fn is_spared(entry: &Entry) -> bool {
    entry.ended.is_some_and(|outcome| outcome != Outcome::Abandoned)
}
