//! What is due, and when: a plain queue on the coordinator's clock.

use std::collections::BTreeMap;

use super::machine::Moment;

/// What is due for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Its grace is over.
    Grace,
    /// It was aborted, and should be gone.
    Gone,
}

/// What is due again and again, once at a time each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// The log names what is waited for.
    Lines,
    /// The figures for page, metrics and terminal are read.
    Look,
}

/// Tasks by when something is due, and the rounds. `T` is whatever finds the task again.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    /// By moment, then in the order in which they came.
    queue: BTreeMap<(Moment, u64), (Due, T)>,
    next: u64,
    rounds: [Option<Moment>; 2],
}

impl<T> Timers<T> {
    pub(crate) fn new() -> Self {
        Self { queue: BTreeMap::new(), next: 0, rounds: [None; 2] }
    }

    pub(crate) fn add(&mut self, at: Moment, due: Due, task: T) {
        self.queue.insert((at, self.next), (due, task));
        self.next += 1;
    }

    /// When a round is due next; `None` for never.
    pub(crate) fn set(&mut self, round: Round, at: Option<Moment>) {
        self.rounds[round as usize] = at;
    }

    /// Whether a round was ever due.
    pub(crate) fn has(&self, round: Round) -> bool {
        self.rounds[round as usize].is_some()
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Option<Moment> {
        let task = self.queue.first_key_value().map(|((at, _), _)| *at);
        self.rounds.into_iter().chain([task]).flatten().min()
    }

    /// All tasks that are due.
    pub(crate) fn take(&mut self, now: Moment) -> Vec<(Due, T)> {
        let later = self.queue.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.queue, later).into_values().collect()
    }

    /// Whether a round is due.
    pub(crate) fn is_due(&self, round: Round, now: Moment) -> bool {
        self.rounds[round as usize].is_some_and(|at| at <= now)
    }

    /// Forgets the tasks.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[test]
    fn a_round_is_due_until_it_is_set_again() {
        let mut timers = Timers::<()>::new();
        let at = Duration::from_secs;
        assert!(!timers.has(Round::Lines));
        timers.set(Round::Lines, Some(at(2)));
        assert_eq!(timers.next(), Some(at(2)));
        assert!(!timers.is_due(Round::Lines, at(1)) && timers.is_due(Round::Lines, at(2)));
        assert!(!timers.is_due(Round::Look, at(9)));
        timers.set(Round::Lines, None);
        assert_eq!(timers.next(), None);
    }
}
