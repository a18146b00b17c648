//! What a task keeps that is not tracked, since `HEADCOUNT=off`: its timeout, and what a stop does to it.
//!
//! Only tasks whose code or operator gives them one of these are kept here. Nothing is waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::clock;
use crate::lock::Mutex;
use crate::outcome::Outcome;
use crate::registry::kind::OnShutdown;
use crate::registry::outcomes::outcomes;
use crate::registry::timeout::{Due, TIMER};
use crate::terms::deadlines::Key;

/// What a connection has without a grace of its own, as the setting `connection_grace` has it by default.
pub const CONNECTION_GRACE: Duration = Duration::from_secs(2);

/// A task that is not tracked.
#[derive(Debug)]
pub struct Untracked {
    timeout: Option<Duration>,
    at_stop: Option<AtStop>,
    state: Mutex<State>,
}

/// What a stop does to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtStop {
    /// How long it still has.
    grace: Duration,
    /// As what it then ends.
    outcome: Outcome,
}

#[derive(Debug, Default)]
struct State {
    handle: Option<AbortHandle>,
    /// It was cut before it had a handle.
    cut: Option<Outcome>,
    timeout: Option<Key>,
    grace: Option<Key>,
    /// Its number among those that a stop cuts.
    number: Option<u64>,
    has_ended: bool,
}

/// Tasks that a stop cuts.
#[derive(Debug)]
struct Stop {
    has_begun: bool,
    next: u64,
    tasks: BTreeMap<u64, Arc<Untracked>>,
}

static STOP: Mutex<Stop> = Mutex::new(Stop { has_begun: false, next: 0, tasks: BTreeMap::new() });

impl AtStop {
    /// What becomes of a task of this policy and grace; `None` if a stop leaves it alone.
    pub fn of(policy: OnShutdown, grace: Option<Duration>) -> Option<Self> {
        let cancelled = |grace| Some(Self { grace, outcome: Outcome::Cancelled });
        match policy {
            OnShutdown::Cancel => cancelled(Duration::ZERO),
            OnShutdown::Connection => cancelled(grace.unwrap_or(CONNECTION_GRACE)),
            OnShutdown::Detach => None,
            _ => grace.map(|grace| Self { grace, outcome: Outcome::Abandoned }),
        }
    }
}

impl Untracked {
    /// Keeps a task that has a timeout, or that a stop cuts.
    pub fn keep(timeout: Option<Duration>, at_stop: Option<AtStop>) -> Option<Arc<Self>> {
        if timeout.is_none() && at_stop.is_none() {
            return None;
        }
        let task = Arc::new(Self { timeout, at_stop, state: Mutex::default() });
        if at_stop.is_some() {
            let mut stop = STOP.lock();
            if stop.has_begun {
                drop(stop);
                task.told();
            } else {
                let number = stop.next;
                stop.next += 1;
                task.state.lock().number = Some(number);
                stop.tasks.insert(number, Arc::clone(&task));
            }
        }
        Some(task)
    }

    /// The runtime has it now.
    pub fn set_handle(&self, handle: AbortHandle) {
        let mut state = self.state.lock();
        let cut = state.cut;
        state.handle = Some(handle);
        drop(state);
        if let Some(outcome) = cut {
            self.cut(outcome);
        }
    }

    /// Starts its time.
    pub fn arm(self: &Arc<Self>) {
        let Some(timeout) = self.timeout else { return };
        let at = TIMER.now().saturating_add(clock::ticks_in(timeout));
        let key = TIMER.add(at, Due::Untracked(Arc::clone(self)));
        self.keep_key(key, |state| &mut state.timeout);
    }

    /// Keeps the key of a deadline, which is removed at the end of the task: now, if it ended meanwhile.
    fn keep_key(&self, key: Key, place: impl FnOnce(&mut State) -> &mut Option<Key>) {
        let mut state = self.state.lock();
        if state.has_ended {
            drop(state);
            return TIMER.remove(key);
        }
        *place(&mut state) = Some(key);
    }

    /// It has ended.
    pub fn disarm(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        let keys = [state.timeout.take(), state.grace.take()];
        let (number, handle) = (state.number.take(), state.handle.take());
        drop(state);
        keys.into_iter().flatten().for_each(|key| TIMER.remove(key));
        let kept = number.and_then(|number| STOP.lock().tasks.remove(&number));
        // After the locks: they may be the last of the task.
        drop((kept, handle));
    }

    /// The stop begins: its grace does.
    fn told(self: &Arc<Self>) {
        let Some(AtStop { grace, .. }) = self.at_stop else { return };
        if grace.is_zero() {
            return self.stop();
        }
        let at = TIMER.now().saturating_add(clock::ticks_in(grace));
        let key = TIMER.add(at, Due::Stopped(Arc::clone(self)));
        self.keep_key(key, |state| &mut state.grace);
    }

    /// Its grace is over.
    pub(super) fn stop(&self) {
        if let Some(at_stop) = self.at_stop {
            self.cut(at_stop.outcome);
        }
    }

    /// Aborts it, now or as soon as the runtime has it.
    pub(super) fn cut(&self, outcome: Outcome) {
        let mut state = self.state.lock();
        let outcome = *state.cut.get_or_insert(outcome);
        let handle = state.handle.take();
        drop(state);
        if let Some(handle) = handle {
            if outcome != Outcome::Cancelled {
                outcomes().keep(handle.id(), outcome);
            }
            handle.abort();
        }
    }
}

/// The process stops: tasks of `Cancel` are aborted, and the grace of others begins.
pub fn begin_stop() {
    let tasks = {
        let mut stop = STOP.lock();
        stop.has_begun = true;
        std::mem::take(&mut stop.tasks)
    };
    tasks.into_values().for_each(|task| task.told());
}
