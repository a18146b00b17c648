//! How the tasks that were waited for have ended: the difference of exact totals, so that a million tasks
//! need no list.

use crate::registry::registry;
use headcount_core::{Outcome, OutcomeCounts};

/// Totals at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    spawned: u64,
    finished: OutcomeCounts,
    /// Of these, ends of tasks that were not waited for: detached ones, and spawns that were refused.
    aside: OutcomeCounts,
}

impl Totals {
    fn read() -> Self {
        let ((spawned, finished), aside) = registry().with_ends_aside(|| {
            let mut spawned = 0;
            let mut finished = OutcomeCounts::default();
            for group in registry().groups.all() {
                let totals = group.totals();
                spawned += totals.spawned;
                for &outcome in Outcome::ALL {
                    finished.add(outcome, totals.ended[outcome as usize].total());
                }
            }
            (spawned, finished)
        });
        Self { spawned, finished, aside }
    }

    fn awaited(&self, outcome: Outcome) -> u64 {
        self.finished.get(outcome).saturating_sub(self.aside.get(outcome))
    }
}

/// The ends since a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally(Totals);

impl Tally {
    /// From now on.
    pub(crate) fn begin() -> Self {
        Self(Totals::read())
    }

    /// How many tasks lived then.
    pub(crate) fn live(&self) -> u64 {
        self.0.spawned - self.0.finished.total()
    }

    /// The ends of tasks that were waited for; what was aborted is not among them.
    pub(crate) fn ended(&self) -> OutcomeCounts {
        let now = Totals::read();
        let mut ended = OutcomeCounts::default();
        for outcome in Outcome::ALL.iter().copied().filter(|outcome| *outcome != Outcome::Abandoned) {
            ended.add(outcome, now.awaited(outcome).saturating_sub(self.0.awaited(outcome)));
        }
        ended
    }
}
