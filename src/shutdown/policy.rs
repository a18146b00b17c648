//! When a task's own time is over: graces, as a plain queue on the coordinator's clock.

use std::collections::BTreeMap;
use std::time::Duration;

use super::stage::Moment;

/// The grace of a `Last` task that has none of its own, from the moment it is told.
pub(crate) const LAST_GRACE: Duration = Duration::from_secs(1);

/// What is due for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Its grace is over.
    Grace,
    /// It was aborted, and should be gone.
    Gone,
}

/// Tasks by when something is due. `T` is whatever finds the task again.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    /// By moment, then in the order in which they came.
    queue: BTreeMap<(Moment, u64), (Due, T)>,
    next: u64,
}

impl<T> Timers<T> {
    pub(crate) fn new() -> Self {
        Self { queue: BTreeMap::new(), next: 0 }
    }

    pub(crate) fn add(&mut self, at: Moment, due: Due, task: T) {
        self.queue.insert((at, self.next), (due, task));
        self.next += 1;
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// All that are due.
    pub(crate) fn take(&mut self, now: Moment) -> Vec<(Due, T)> {
        let later = self.queue.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.queue, later).into_values().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_its_order() {
        let mut timers = Timers::new();
        let at = Duration::from_secs;
        timers.add(at(3), Due::Gone, "c");
        timers.add(at(1), Due::Grace, "a");
        timers.add(at(1), Due::Gone, "b");
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.take(at(0)), []);
        assert_eq!(timers.take(at(2)), [(Due::Grace, "a"), (Due::Gone, "b")]);
        assert_eq!(timers.take(at(9)), [(Due::Gone, "c")]);
        assert_eq!(timers.next(), None);
    }
}
