//! The tasks that the shutdown abandons, each once.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::clock;
use crate::registry::local::Current;
use crate::registry::slot::Reading;
use crate::registry::wait::Ended;
use crate::shutdown::census::slots;
use crate::shutdown::machine::Moment;
use crate::shutdown::report::{MAX_LISTED, ReportTask};
use crate::shutdown::words::{Cut, text};
use crate::snapshot::TaskInfo;
use headcount_core::Outcome;

/// How long after its abort a task may be there still.
const AT_ONCE: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct Entry {
    current: Current,
    group: u32,
    cut: Cut,
    is_past_deadline: bool,
    /// When it was aborted.
    aborted: Option<Moment>,
    /// A line said that it was still there.
    is_named: bool,
    ended: Option<How>,
}

/// How an abandoned task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Dropped,
    /// On its own after all: it counts as ended.
    Spared,
    /// On its own, once the sums had it as abandoned.
    Late,
}

/// All that were abandoned so far.
#[derive(Debug, Default)]
pub(crate) struct Abandoned {
    /// By id, which is by age.
    entries: BTreeMap<u64, Entry>,
    /// As they were when they were abandoned, the first that came.
    infos: BTreeMap<u64, TaskInfo>,
    spared: u64,
    dropped: u64,
    late: u64,
    /// The sums are made.
    is_settled: bool,
}

impl Abandoned {
    /// Abandons a task; false if it has ended, or was abandoned before.
    pub(crate) fn add(&mut self, current: Current, task: &Reading, cut: Cut, is_past_deadline: bool) -> bool {
        if self.entries.contains_key(&current.id) || !current.watch() {
            return false;
        }
        self.entries.insert(
            current.id,
            Entry {
                current,
                group: task.group(),
                cut,
                is_past_deadline,
                aborted: None,
                is_named: false,
                ended: None,
            },
        );
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

    /// Notes that a task was aborted.
    pub(crate) fn note_abort(&mut self, id: u64, now: Moment) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.aborted.get_or_insert(now);
        }
    }

    /// When the task was aborted, unless it has ended or a line has named it before.
    #[allow(clippy::wrong_self_convention, reason = "the task is yet to be named")]
    pub(crate) fn to_name(&mut self, id: u64, now: Moment) -> Option<Moment> {
        let entry = self.entries.get_mut(&id).filter(|entry| entry.ended.is_none() && !entry.is_named)?;
        // Sooner than that nothing can be said of what holds it.
        let aborted = entry.aborted.filter(|at| *at + AT_ONCE <= now)?;
        entry.is_named = true;
        Some(aborted)
    }

    /// Whether something was abandoned because the time was over, and did not end on its own after all.
    pub(crate) fn any_at_the_deadline(&self) -> bool {
        self.entries.values().any(|entry| entry.is_past_deadline && !is_spared(entry))
    }

    /// Notes the end of a task, if it is one of them.
    pub(crate) fn note(&mut self, ended: &Ended) {
        let Some(entry) = self.entries.get_mut(&ended.task.id()) else { return };
        let (how, count) = match ended.outcome {
            Outcome::Abandoned => (How::Dropped, &mut self.dropped),
            _ if self.is_settled => (How::Late, &mut self.late),
            _ => (How::Spared, &mut self.spared),
        };
        entry.ended = Some(how);
        *count += 1;
    }

    /// The sums are made from what is known now.
    pub(crate) fn settle(&mut self) {
        self.is_settled = true;
    }

    /// Whether one of them has ended without its end being noted yet.
    pub(crate) fn awaits_an_end(&self) -> bool {
        self.has_alive() && self.alive().any(slots::is_gone)
    }

    /// Those that are not gone and were not aborted.
    pub(crate) fn not_aborted(&self) -> Vec<Current> {
        let is_kept = |entry: &&Entry| entry.ended.is_none() && entry.aborted.is_none();
        self.entries.values().filter(is_kept).map(|entry| entry.current).collect()
    }

    /// Those that are not gone.
    pub(crate) fn alive(&self) -> impl Iterator<Item = Current> {
        self.entries.values().filter(|entry| entry.ended.is_none()).map(|entry| entry.current)
    }

    /// Whether one of them is not gone.
    pub(crate) fn has_alive(&self) -> bool {
        self.dropped + self.spared + self.late < self.entries.len() as u64
    }

    /// How many were abandoned, but for those that ended on their own.
    pub(crate) fn total(&self) -> u64 {
        self.entries.len() as u64 - self.spared
    }

    /// How many of them were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The same by group: those that are known not to end on their own, which at the end are all.
    pub(crate) fn by_group(&self, at_the_end: bool) -> HashMap<u32, u64> {
        let is_lost = |entry: &&Entry| entry.ended.map_or(at_the_end, |how| how != How::Spared);
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
            let reason = text::why_abandoned(task, entry.cut, entry.is_past_deadline, held(entry));
            let was_dropped = entry.ended == Some(How::Dropped);
            Some(ReportTask::new(task, was_dropped, &reason, hide_fields))
        });
        listed.collect()
    }
}

/// For how long a poll or closure holds a task that is not gone.
fn held(entry: &Entry) -> Option<Duration> {
    let task = slots::read(entry.current).filter(|_| entry.ended.is_none())?;
    Some(task.polling_since().map_or(Duration::ZERO, |since| clock::between(since, clock::ticks())))
}

fn is_spared(entry: &Entry) -> bool {
    entry.ended == Some(How::Spared)
}
