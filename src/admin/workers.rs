//! How far the workers of each runtime have got, and how many are held by what they poll.
//!
//! tokio counts how often a worker parks, and every few polls how long it has worked. A worker that is not
//! parked and for which neither number changes is inside a poll, whose task may be tracked or not. All that
//! is read from outside; a task pays nothing for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::{RuntimeFlavor, RuntimeMetrics};

use super::context::Admin;
use crate::registry::registry;
use crate::registry::runtimes::Met;

/// The workers of the process' runtimes, each by the number of its runtime.
#[derive(Debug, Default)]
pub(super) struct Workers(Mutex<HashMap<u64, Vec<Worker>>>);

#[derive(Clone, Copy, Debug)]
struct Worker {
    got: Got,
    since: Instant,
}

/// How far a worker has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Got {
    /// Even while it is not parked.
    parks: u64,
    busy: Duration,
}

impl Got {
    fn read(metrics: &RuntimeMetrics, worker: usize) -> Self {
        Self {
            parks: metrics.worker_park_unpark_count(worker),
            busy: metrics.worker_total_busy_duration(worker),
        }
    }
}

impl Workers {
    /// Reads how far they have got.
    pub(super) fn look(&self) {
        let (runtimes, now) = (registry().runtimes.all(), Instant::now());
        let mut known = self.0.lock();
        known.retain(|number, _| runtimes.iter().any(|met| met.number == *number));
        for met in runtimes {
            let metrics = met.handle.metrics();
            let workers = known.entry(met.number).or_default();
            let got = (0..metrics.num_workers()).map(|worker| Got::read(&metrics, worker));
            for (index, got) in got.enumerate() {
                match workers.get_mut(index) {
                    Some(worker) if worker.got == got => {}
                    Some(worker) => *worker = Worker { got, since: now },
                    None => workers.push(Worker { got, since: now }),
                }
            }
        }
    }

    /// Workers of a runtime that have got nowhere for longer than a limit.
    fn held(&self, runtime: u64, limit: Duration) -> usize {
        let is_held = |worker: &&Worker| worker.got.parks % 2 == 0 && limit < worker.since.elapsed();
        self.0.lock().get(&runtime).map_or(0, |workers| workers.iter().filter(is_held).count())
    }
}

impl Admin {
    /// How many tasks block a runtime, tracked or not; `tracked` are those of all runtimes.
    pub(super) fn blocked_in(&self, met: &Met, tracked: u64) -> usize {
        let held = self.workers.held(met.number, self.settings().blocked_after);
        // A runtime of one thread gets nowhere either while that thread does not drive it.
        let is_driven = Some(met.id()) == self.process.application
            || met.handle.runtime_flavor() != RuntimeFlavor::CurrentThread;
        if is_driven { held } else { held.min(usize::try_from(tracked).unwrap_or(usize::MAX)) }
    }
}

/// Looks often enough to know which have got nowhere for `blocked_after`.
pub(super) async fn watch(admin: Arc<Admin>) {
    let pause =
        (admin.settings().blocked_after / 4).clamp(Duration::from_millis(10), Duration::from_millis(500));
    loop {
        admin.workers.look();
        tokio::time::sleep(pause).await;
    }
}
