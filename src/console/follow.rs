//! Following the tasks: from one pass over the registry to the next, what there is to send to the clients.
//!
//! A follower exists only while a client watches. It knows what was sent, so each pass sends only what
//! changed. A new client receives everything.
//!
//! What is bounded: live tasks by the [selection](super::select), finished ones by [`MAX_FINISHED`] and
//! [`RETENTION`]. A live task that falls out of the selection is taken off the clients' lists, and a line of
//! its own says how many live besides those shown. Tasks that began and ended unseen, and finished ones above
//! the bound, are counted: the client shows them as dropped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use console_api::instrument::Update;
use console_api::tasks::{Stats, Task};

use super::select::{Live, Selection};
use super::wire::{self, Delta, Extras, Hidden};
use crate::clock;
use crate::registry::group::Group;
use crate::registry::history::{Note, Record};
use crate::registry::slot::{DETAILS, Reading};
use crate::registry::{TaskSlot, registry};
use headcount_core::Outcome;
use headcount_core::internal::snapshot::read::Describer;

/// How long finished tasks are sent to new clients. The client keeps them for the same time.
const RETENTION: Duration = Duration::from_secs(6);
/// Most finished tasks on a client's list.
const MAX_FINISHED: usize = 1000;
/// Most ends looked at in one pass.
const MAX_ENDS: usize = 4000;
/// How long after its end a task may come to the history: its thread may be preempted in between.
const LATE: Duration = Duration::from_millis(100);

/// What the clients know.
#[derive(Debug)]
pub(super) struct Follower {
    known: HashMap<u64, Known>,
    hidden: Hidden,
    /// Tick of the last pass.
    now: u64,
    passes: u64,
    more: Option<More>,
    /// What ended until then is not sent any more.
    forgotten_until: u64,
    /// Tasks finished before the first pass, and until the last one.
    finished_before: u64,
    finished: u64,
    ends_told: u64,
    missed: u64,
}

#[derive(Debug)]
struct Known {
    task: Task,
    reading: Reading,
    life: Life,
    /// The pass that last selected it.
    pass: u64,
    news: News,
}

/// What the clients do not know of a task yet: the next includes the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Nothing,
    Figures,
    /// Fields of the task. They are sent by sending the whole task again.
    Fields,
    /// The task.
    Task,
}

#[derive(Clone, Copy, Debug)]
enum Life {
    Live(TaskSlot),
    Ended(u64),
}

/// The line about tasks that are not shown.
#[derive(Clone, Copy, Debug)]
struct More {
    count: usize,
    since: u64,
}

impl Known {
    fn stats(&self) -> Stats {
        match self.life {
            Life::Live(_) => wire::stats(&self.reading, None),
            Life::Ended(at) => wire::stats(&self.reading, Some(at)),
        }
    }

    fn end(&self) -> Option<u64> {
        match self.life {
            Life::Live(_) => None,
            Life::Ended(at) => Some(at),
        }
    }

    fn told(&self) -> (Task, Stats) {
        (self.task.clone(), self.stats())
    }

    fn read(&mut self, reading: Reading) {
        if self.reading != reading {
            self.reading = reading;
            self.news = self.news.max(News::Figures);
        }
    }

    fn end_at(&mut self, at: u64) {
        if self.end() != Some(at) {
            self.life = Life::Ended(at);
            self.news = self.news.max(News::Figures);
        }
    }

    fn renew(&mut self, task: Task) {
        if self.task != task {
            self.task = task;
            self.news = self.news.max(News::Fields);
        }
    }

    /// Adds the news to what is sent.
    ///
    /// A client that shows a task in detail keeps the task as it was first sent, so new fields of a watched
    /// task have to wait.
    fn tell(&mut self, is_watched: bool, delta: &mut Delta) {
        let must_wait = is_watched && self.news == News::Fields;
        match self.news {
            News::Nothing => return,
            News::Fields | News::Task if !must_wait => delta.tasks.push(self.told()),
            _ => delta.stats.push((self.reading.id(), self.stats())),
        }
        self.news = if must_wait { News::Fields } else { News::Nothing };
    }
}

impl Follower {
    pub(super) fn new(hidden: Hidden) -> Self {
        Self {
            known: HashMap::new(),
            hidden,
            now: clock::ticks(),
            passes: 0,
            more: None,
            forgotten_until: 0,
            finished_before: 0,
            finished: 0,
            ends_told: 0,
            missed: 0,
        }
    }

    /// A pass over the registry: what changed since the one before.
    pub(super) fn pass(&mut self, is_watched: impl Fn(u64) -> bool) -> Vec<Update> {
        let describer = Describer::new();
        let mut delta = Delta::default();
        let selection = Selection::of_live();
        // After the live ones: a task that was seen alive and is in the history has ended.
        let ends = registry().histories.read_since(self.since(), MAX_ENDS);
        self.passes += 1;
        if self.passes == 1 {
            // After the ends, so that tasks that had ended before do not count as tasks to be sent.
            self.finished_before = finished();
            self.finished = self.finished_before;
        }
        self.ends(&ends, &describer);
        self.now = describer.now;
        for live in &selection.tasks {
            self.live(live, &describer);
        }
        let stay = self.unselected(&is_watched, &mut delta);
        for (id, known) in &mut self.known {
            known.tell(is_watched(*id), &mut delta);
        }
        self.forget(&mut delta);
        self.more_line(selection.left_out.saturating_sub(stay), &mut delta);
        delta.missed = self.newly_missed();
        delta.into_updates(self.now, false)
    }

    /// All that the clients know, for a new one.
    pub(super) fn everything(&self) -> Vec<Update> {
        let mut delta = Delta { tasks: self.known.values().map(Known::told).collect(), ..Delta::default() };
        if let Some(more) = self.more {
            delta.tasks.push((wire::more_line(more.count), wire::more_stats(more.since, None)));
        }
        delta.into_updates(self.now, true)
    }

    pub(super) fn knows(&self, id: u64) -> bool {
        self.known.contains_key(&id)
    }

    /// Tasks that began and ended unseen, of those that had finished a pass ago: a task is counted just
    /// before it comes to the history.
    fn newly_missed(&mut self) -> u64 {
        let missed = (self.finished - self.finished_before).saturating_sub(self.ends_told);
        let more = missed.saturating_sub(self.missed);
        self.missed += more;
        self.finished = finished();
        more
    }

    fn since(&self) -> u64 {
        let back = if self.passes == 0 { RETENTION } else { LATE };
        self.now.saturating_sub(clock::ticks_in(back))
    }

    fn ends(&mut self, ends: &[(Record, Option<Arc<Note>>)], describer: &Describer) {
        let mut room = MAX_FINISHED;
        for (record, note) in ends {
            let known = self.known.get(&record.task.id()).map(Known::end);
            // What it left may come after the record.
            if known == Some(Some(record.ended)) && note.is_none() {
                continue;
            }
            if known.is_none() && (room == 0 || record.ended <= self.forgotten_until) {
                self.forgotten_until = self.forgotten_until.max(record.ended);
                continue;
            }
            room -= usize::from(known.is_none());
            // What had ended at the first pass is no news.
            self.ends_told += u64::from(1 < self.passes && known.flatten().is_none());
            self.end(record, finished_task(record, note.as_deref(), describer, self.hidden));
        }
    }

    fn end(&mut self, record: &Record, task: Task) {
        let (reading, life) = (record.task, Life::Ended(record.ended));
        if let Some(known) = self.known.get_mut(&reading.id()) {
            known.read(reading);
            known.end_at(record.ended);
            known.renew(task);
        } else {
            self.meet(task, reading, life);
        }
    }

    fn live(&mut self, live: &Live, describer: &Describer) {
        let reading = live.reading;
        let Some(known) = self.known.get_mut(&reading.id()) else {
            let task = live_task(&reading, describer, self.hidden);
            self.meet(task, reading, Life::Live(live.slot));
            return;
        };
        if known.end().is_some() {
            return;
        }
        known.pass = self.passes;
        // Nothing else that is sent as a field changes while a task lives.
        if reading.has(DETAILS) || reading.identity != known.reading.identity {
            known.renew(live_task(&reading, describer, self.hidden));
        }
        known.read(reading);
    }

    fn meet(&mut self, task: Task, reading: Reading, life: Life) {
        let known = Known { task, reading, life, pass: self.passes, news: News::Task };
        self.known.insert(reading.id(), known);
    }

    /// Handles known tasks that were live and are not selected: others displaced them, or they ended and the
    /// history has lost them. Watched tasks that still live stay on the list; returns their number.
    fn unselected(&mut self, is_watched: &impl Fn(u64) -> bool, delta: &mut Delta) -> usize {
        let (passes, now) = (self.passes, self.now);
        let ends_told = &mut self.ends_told;
        let mut stay = 0;
        self.known.retain(|id, known| {
            let Life::Live(slot) = known.life else { return true };
            if known.pass == passes {
                return true;
            }
            match slot.read().filter(|reading| reading.id() == *id) {
                None => {
                    *ends_told += 1;
                    known.end_at(now);
                }
                Some(reading) if is_watched(*id) => {
                    stay += 1;
                    known.read(reading);
                }
                Some(_) => {
                    delta.stats.push((*id, wire::withdrawn(&known.reading)));
                    return false;
                }
            }
            true
        });
        stay
    }

    /// Forgets what ended long ago, and the oldest ends if there are too many.
    fn forget(&mut self, delta: &mut Delta) {
        let expired = self.now.saturating_sub(clock::ticks_in(RETENTION));
        let mut ends: Vec<(u64, u64)> =
            self.known.iter().filter_map(|(id, known)| Some((known.end()?, *id))).collect();
        ends.sort_unstable();
        let too_many = ends.len().saturating_sub(MAX_FINISHED);
        for (place, (end, id)) in ends.into_iter().enumerate() {
            if too_many <= place && expired <= end {
                break;
            }
            self.forgotten_until = self.forgotten_until.max(end);
            if let Some(known) = self.known.remove(&id).filter(|_| expired <= end) {
                delta.stats.push((id, wire::withdrawn(&known.reading)));
            }
        }
    }

    fn more_line(&mut self, left_out: usize, delta: &mut Delta) {
        let before = self.more.filter(|more| 0 < more.count);
        let since = before.map_or(self.now, |more| more.since);
        self.more = (0 < left_out).then_some(More { count: left_out, since });
        match (before, self.more) {
            (Some(before), Some(more)) if before.count == more.count => {}
            (_, Some(more)) => {
                delta.tasks.push((wire::more_line(more.count), wire::more_stats(more.since, None)));
            }
            (Some(before), None) => {
                delta.stats.push((0, wire::more_stats(before.since, Some(self.now))));
            }
            (None, None) => {}
        }
    }
}

fn live_task(reading: &Reading, describer: &Describer, hidden: Hidden) -> Task {
    let details = describer.details(reading);
    let extras = Extras { details: details.as_deref(), ..Extras::default() };
    wire::task(describer.group(reading), reading, &extras, hidden)
}

fn finished_task(record: &Record, note: Option<&Note>, describer: &Describer, hidden: Hidden) -> Task {
    let extras = Extras {
        details: note.and_then(|note| note.details.as_deref()),
        outcome: Some(record.outcome),
        message: note.and_then(|note| note.message.as_deref()),
    };
    wire::task(describer.group(&record.task), &record.task, &extras, hidden)
}

/// Tasks finished since the process began.
fn finished() -> u64 {
    let ended = |group: &'static Group| -> u64 {
        let totals = group.totals();
        Outcome::ALL.iter().map(|outcome| totals.ended[*outcome as usize].total()).sum()
    };
    registry().groups.all().into_iter().map(ended).sum()
}
