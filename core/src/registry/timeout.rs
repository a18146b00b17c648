//! Timeouts of tasks: kept outside of the futures, in the side table of details and in one timer.
//!
//! A timeout is set when the task begins, and [armed](arm) once it was admitted and the runtime has it. When
//! it is due, the timer's thread locks the slot by the task's id, finds nothing if the task has ended, and
//! else aborts the task. What is still there a while later is overdue: one line, and a mark.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::outcome::Outcome;
use crate::registry::details::Details;
use crate::registry::failure::hold_back;
use crate::registry::kind::Kind;
use crate::registry::local::Current;
use crate::registry::outcomes::outcomes;
use crate::registry::slot::{DETAILS, LIMITED, NOT_CANCELLABLE, Reading, TIMED_OUT};
use crate::registry::storm::Admission;
use crate::registry::terms::{is_exempt, timeout_of, write_held_back};
use crate::registry::untracked::Untracked;
use crate::registry::{Handle, Registry, TaskSlot, registry};
use crate::terms::deadlines::Key;
use crate::terms::timer::Timer;
use crate::text::{length, named};

/// How long an aborted task has until it is overdue.
const DROPPED_WITHIN: Duration = Duration::from_secs(1);

/// The timeout of one task; times in ticks.
#[derive(Clone, Debug)]
pub struct Timeout {
    /// How long it may run, extensions included.
    pub allowed: Duration,
    /// The most that the operator allows.
    bound: Option<Duration>,
    /// When it was admitted, as the timer has it; 0 before.
    pub since: u64,
    /// When the task ended; 0 before.
    ended: u64,
    due: u64,
    key: Option<Key>,
    /// It has passed and the task is still there.
    pub is_overdue: bool,
}

impl Timeout {
    /// How long it has run at a reading of the clock, or had run when it ended.
    pub fn elapsed(&self, until: u64) -> Duration {
        // The timer's clock may have been moved forward since the end.
        let until = if self.ended == 0 { TIMER.at(until) } else { self.ended };
        if self.since == 0 { Duration::ZERO } else { clock::between(self.since, until) }
    }

    pub fn new(allowed: Duration, bound: Option<Duration>) -> Self {
        Self { allowed, bound, since: 0, ended: 0, due: 0, key: None, is_overdue: false }
    }
}

/// What is due.
#[derive(Debug)]
pub(super) enum Due {
    /// A task's timeout has passed.
    Task(Current),
    /// A task was aborted a while ago.
    Check(Current),
    /// The timeout of a task that is not tracked has passed.
    Untracked(Arc<Untracked>),
    /// The grace of such a task is over.
    Stopped(Arc<Untracked>),
}

pub(super) static TIMER: Timer<Due> = Timer::new("headcount-timer", "timeouts have no effect", fire);

/// A task that is overdue, as it was then.
#[derive(Debug)]
struct Overdue {
    task: Reading,
    allowed: Duration,
    at: u64,
    /// Lines of its group that were not written before.
    held_back: u64,
}

/// Writes lines on a thread of their own, since a log that blocks must not hold up the timer's.
static LINES: Timer<Overdue> =
    Timer::new("headcount-lines", "lines about overdue tasks are not written", write_overdue);

/// The most lines that wait for a log.
const MOST_LINES: usize = 64;

/// The timer of the process, for tests and benches: how many deadlines it holds, and how often it woke up.
pub fn timer_load() -> (usize, u64) {
    (TIMER.len(), TIMER.wakes())
}

/// Moves the clock of timeouts forward, and returns once all that is due then was done and logged.
pub fn advance(by: Duration) {
    TIMER.advance(by);
    LINES.advance(Duration::ZERO);
}

/// Starts the timeout of a task, if it has one that has not begun.
pub fn arm(current: Current) {
    let now = TIMER.now();
    let begin = |timeout: &mut Timeout| {
        if timeout.since != 0 {
            return None;
        }
        timeout.since = now;
        timeout.due = now.saturating_add(clock::ticks_in(timeout.allowed));
        Some(timeout.due)
    };
    if let Some(due) = with_timeout(current, begin).flatten() {
        add(current, due, Due::Task(current));
    }
}

/// Changes the timeout of a live task.
fn with_timeout<R>(current: Current, change: impl FnOnce(&mut Timeout) -> R) -> Option<R> {
    let locked = current.slot.lock(current.id)?;
    if !locked.has(DETAILS) {
        return None;
    }
    registry().details.update(current.id, |details| details.timeout.as_mut().map(change))
}

/// Adds a deadline of a task. The lock of its slot is not held meanwhile, so the task may end before its
/// deadline is there; then it is removed again.
fn add(current: Current, at: u64, due: Due) {
    let key = TIMER.add(at, due);
    let kept = with_timeout(current, |timeout| timeout.key = Some(key));
    if kept.is_none() {
        TIMER.remove(key);
    }
}

/// Takes the deadline of a task off the timer, since it ended at a reading of the clock.
pub fn disarm(details: &mut Details, ended: u64) {
    let Some(timeout) = &mut details.timeout else { return };
    timeout.ended = TIMER.at(ended);
    if let Some(key) = timeout.key.take() {
        TIMER.remove(key);
    }
}

/// Gives a task more time, at most what the operator allows. False if it has no timeout, or has ended.
pub fn extend(current: Current, by: Duration) -> bool {
    let extend = |timeout: &mut Timeout| {
        let wanted = timeout.allowed.saturating_add(by);
        let allowed = timeout.bound.map_or(wanted, |bound| bound.max(timeout.allowed).min(wanted));
        // The timer finds a later deadline when it comes to the former one.
        timeout.due = timeout.due.saturating_add(clock::ticks_in(allowed.saturating_sub(timeout.allowed)));
        timeout.allowed = allowed;
    };
    with_timeout(current, extend).is_some()
}

/// A task was admitted after it had waited for its limit or its key.
pub fn admitted(current: Current, waited: Duration) {
    let Some(mut task) = current.slot.lock(current.id) else { return };
    task.clear(LIMITED);
    let group = task.group();
    drop(task);
    registry().group(group).terms().note_wait(waited);
    arm(current);
}

fn fire(due: Due) {
    match due {
        Due::Task(current) => time_out(current),
        Due::Check(current) => mark_overdue(current),
        Due::Untracked(task) => task.cut(Outcome::Timeout),
        Due::Stopped(task) => task.stop(),
    }
}

/// What a timeout that was due comes to.
enum Next {
    Nothing,
    /// It was extended.
    Later(u64),
    Abort(Option<Handle>),
    Overdue,
}

fn time_out(current: Current) {
    let Some(next) = next(current) else { return };
    match next {
        Next::Nothing => {}
        Next::Later(due) => add(current, due, Due::Task(current)),
        Next::Overdue => mark_overdue(current),
        Next::Abort(handle) => {
            match handle {
                Some(handle) => {
                    outcomes().keep(handle.id(), Outcome::Timeout);
                    handle.abort();
                }
                None => {
                    current.abort();
                }
            }
            let at = TIMER.now().saturating_add(clock::ticks_in(DROPPED_WITHIN));
            add(current, at, Due::Check(current));
        }
    }
}

fn next(current: Current) -> Option<Next> {
    let now = TIMER.now();
    let mut task = current.slot.lock(current.id)?;
    let due = registry().details.update(current.id, |details| {
        let timeout = details.timeout.as_mut()?;
        timeout.key = None;
        Some(timeout.due)
    });
    Some(match due {
        None => Next::Nothing,
        Some(due) if now < due => Next::Later(due),
        Some(_) if task.has(NOT_CANCELLABLE) => Next::Overdue,
        Some(_) => {
            task.set(TIMED_OUT);
            Next::Abort(task.handle())
        }
    })
}

/// The timeout of a task has passed, and the task is still there.
fn mark_overdue(current: Current) {
    let mark = |timeout: &mut Timeout| {
        timeout.key = None;
        (!std::mem::replace(&mut timeout.is_overdue, true)).then_some(timeout.allowed)
    };
    let Some(allowed) = with_timeout(current, mark).flatten() else { return };
    let Some(task) = current.slot.read().filter(|task| task.id() == current.id) else { return };
    if MOST_LINES <= LINES.len() {
        return hold_back();
    }
    let at = clock::ticks();
    let terms = registry().group(task.group()).terms();
    let Admission::Write { held_back } = terms.storm.lock().admit(at) else { return hold_back() };
    LINES.add(LINES.now(), Overdue { task, allowed, at, held_back });
}

fn write_overdue(Overdue { task, allowed, at, held_back }: Overdue) {
    let group = registry().group(task.group());
    let why = match (task.kind(), task.polling_since()) {
        (Kind::Blocking, _) => "a running closure cannot be aborted".to_owned(),
        (Kind::Future | Kind::Request, _) => "it is not ours to abort".to_owned(),
        (_, Some(since)) => format!("it has been in one poll for {}", length(clock::between(since, at))),
        (_, None) => "it was aborted, and its runtime has not dropped it".to_owned(),
    };
    let (name, allowed, place) = (named(&group.name, task.id()), length(allowed), &group.location);
    let _ = catch_unwind(AssertUnwindSafe(|| {
        write_held_back(group, held_back);
        tracing::warn!(
            target: "headcount::task",
            "{name} is overdue: its timeout of {allowed} has passed, and {why} ({place})"
        );
    }));
}

impl Registry {
    /// Gives a live task the timeout that a rule sets for it, from now on, unless it has one.
    pub(super) fn give_timeout(&self, slot: TaskSlot) {
        let Some(mut locked) = slot.lock_any() else { return };
        let group = self.group(locked.group());
        let current = Current { slot, id: slot.id() };
        let is_exempt = is_exempt(group.kind, locked.policy());
        let has_one = locked.has(DETAILS)
            && self.details.read(current.id, |details| details.timeout.is_some()) == Some(true);
        let Some(timeout) = timeout_of(group, None, is_exempt).filter(|_| !has_one) else { return };
        locked.set(DETAILS);
        let is_waiting = locked.has(LIMITED);
        self.details.update(current.id, |details| details.timeout = Some(timeout));
        drop(locked);
        if !is_waiting {
            arm(current);
        }
    }
}
