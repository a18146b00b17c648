//! Which live tasks are sent: all, or the oldest and the newest.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::registry::slot::Reading;
use crate::registry::{TaskSlot, registry};

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
    oldest: BinaryHeap<Live>,
    newest: BinaryHeap<Reverse<Live>>,
    at_either_end: usize,
    pub(super) left_out: usize,
}

impl Selection {
    /// A pass over all slots. It stops nobody.
    pub(super) fn of_live() -> Self {
        let mut selection = Self::new(MAX_AT_EITHER_END);
        registry().slab.slots().for_each(|slot| {
            if let Some(reading) = slot.read() {
                selection.offer(Live { slot, reading });
            }
        });
        selection
    }

    fn new(at_either_end: usize) -> Self {
        Self { oldest: BinaryHeap::new(), newest: BinaryHeap::new(), at_either_end, left_out: 0 }
    }

    /// What the oldest have no room for is offered to the newest; what those have no room for is left out.
    fn offer(&mut self, task: Live) {
        if self.is_in_the_middle(&task) {
            self.left_out += 1;
            return;
        }
        self.oldest.push(task);
        if self.oldest.len() <= self.at_either_end {
            return;
        }
        self.newest.extend(self.oldest.pop().map(Reverse));
        if self.at_either_end < self.newest.len() {
            self.newest.pop();
            self.left_out += 1;
        }
    }

    fn is_in_the_middle(&self, task: &Live) -> bool {
        self.newest.len() == self.at_either_end
            && self.oldest.peek().is_some_and(|last| last < task)
            && self.newest.peek().is_some_and(|Reverse(first)| task < first)
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &Live> {
        self.oldest.iter().chain(self.newest.iter().map(|Reverse(task)| task))
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
        let mut selection = Selection::new(3);
        starts.for_each(|start| selection.offer(live(start)));
        let mut kept: Vec<u64> = selection.tasks().map(|task| task.reading.started).collect();
        kept.sort_unstable();
        (kept, selection.left_out)
    }

    #[test]
    fn few_are_all_sent() {
        assert_eq!(selected(1..=6), (vec![1, 2, 3, 4, 5, 6], 0));
    }

    #[test]
    fn of_many_the_oldest_and_the_newest_are_sent_in_whatever_order_they_come() {
        let expected = (vec![1, 2, 3, 98, 99, 100], 94);
        assert_eq!(selected(1..=100), expected);
        assert_eq!(selected((1..=100).rev()), expected);
        assert_eq!(selected((1..=100).map(|start| start * 37 % 101)), expected);
    }
}
