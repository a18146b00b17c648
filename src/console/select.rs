//! Which live tasks are sent: all, or the oldest and the newest.

use std::cmp::{Ordering, Reverse};

use crate::registry::TaskSlot;
use crate::registry::slot::Reading;
use headcount_core::internal::snapshot::read;

/// Most live tasks sent from either end.
const MAX_AT_EITHER_END: usize = 1000;

/// A live task, ordered by when it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) slot: TaskSlot,
    pub(super) reading: Reading,
}

impl Live {
    fn rank(&self) -> (u64, u64) {
        (self.reading.started, self.reading.id())
    }
}

impl PartialEq for Live {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Live {}

impl PartialOrd for Live {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Live {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// The live tasks to be sent, and how many are not.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) tasks: Vec<Live>,
    pub(super) left_out: usize,
}

impl Selection {
    pub(super) fn of_live() -> Self {
        Self::of(read::live().map(|(slot, reading)| Live { slot, reading }), MAX_AT_EITHER_END)
    }

    fn of(tasks: impl Iterator<Item = Live>, at_either_end: usize) -> Self {
        let (mut oldest, mut newest) = (First::new(at_either_end), First::new(at_either_end));
        let mut all = 0;
        for task in tasks {
            all += 1;
            oldest.offer(task);
            newest.offer(Reverse(task));
        }
        let mut tasks = oldest.into_kept();
        // Where all are few, the two ends overlap.
        let last = tasks.iter().max().copied();
        let newest = newest.into_kept().into_iter().map(|Reverse(task)| task);
        tasks.extend(newest.filter(|task| last.is_some_and(|last| last < *task)));
        Self { left_out: all - tasks.len(), tasks }
    }
}

/// Those that come first of all that are offered, in no order.
///
/// Up to twice as many are held, so that it costs little to drop the rest whatever order they come in: heaps,
/// which are at their worst where tasks come in the order of their age, took ten times as long.
#[derive(Debug)]
struct First<T> {
    kept: Vec<T>,
    wanted: usize,
    /// The last of those that were kept when the others were dropped: what comes after it is none of them.
    bound: Option<T>,
}

impl<T: Ord + Copy> First<T> {
    fn new(wanted: usize) -> Self {
        Self { kept: Vec::new(), wanted, bound: None }
    }

    fn offer(&mut self, task: T) {
        if self.bound.is_some_and(|bound| bound < task) {
            return;
        }
        self.kept.push(task);
        if self.kept.len() == 2 * self.wanted {
            self.drop_rest();
        }
    }

    fn drop_rest(&mut self) {
        if self.wanted < self.kept.len() {
            let (_, last, _) = self.kept.select_nth_unstable(self.wanted - 1);
            self.bound = Some(*last);
            self.kept.truncate(self.wanted);
        }
    }

    fn into_kept(mut self) -> Vec<T> {
        self.drop_rest();
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::{Live, Selection};
    use crate::registry::slot::Reading;
    use crate::registry::slot::Slot;

    fn live(started: u64) -> Live {
        let reading =
            Reading { identity: started << 32, lineage: 0, started, poll: 0, busy: 0, polls_and_group: 0 };
        Live { slot: Box::leak(Box::new(Slot::new())), reading }
    }

    fn selected(starts: impl Iterator<Item = u64>) -> (Vec<u64>, usize) {
        let selection = Selection::of(starts.map(live), 3);
        let mut kept: Vec<u64> = selection.tasks.iter().map(|task| task.reading.started).collect();
        kept.sort_unstable();
        (kept, selection.left_out)
    }

    #[test]
    fn few_are_all_sent() {
        for few in 0..=6 {
            assert_eq!(selected(1..=few), ((1..=few).collect(), 0));
        }
    }

    #[test]
    fn of_many_the_oldest_and_the_newest_are_sent_in_whatever_order_they_come() {
        let expected = (vec![1, 2, 3, 98, 99, 100], 94);
        assert_eq!(selected(1..=100), expected);
        assert_eq!(selected((1..=100).rev()), expected);
        assert_eq!(selected((1..=100).map(|start| start * 37 % 101)), expected);
    }
}
