//! What measuring keeps between two readings, and what it does in the background.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::facade::Publisher;
use super::recording::Recording;
use super::series::Figures;
use crate::install::Shared;
use crate::settings::Settings;
use crate::snapshot::Snapshot;

/// How often a recorder of the application's is brought up to date.
const EVERY: Duration = Duration::from_secs(1);

/// Kept once a process.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) recording: Recording,
    publisher: tokio::sync::Mutex<Publisher>,
}

impl Metrics {
    pub(crate) fn set_up(settings: &Settings) -> Self {
        Self { recording: Recording::set_up(settings), publisher: tokio::sync::Mutex::default() }
    }
}

/// The figures of a snapshot; those of the process beside its tasks are for the caller to add.
pub(crate) fn figures(snapshot: &Snapshot) -> Figures {
    Figures::new(snapshot, &abandoned())
}

/// What the shutdown gave up, by group.
fn abandoned() -> HashMap<u32, u64> {
    #[cfg(feature = "shutdown")]
    return crate::shutdown::abandoned();
    #[cfg(not(feature = "shutdown"))]
    HashMap::new()
}

/// Publishes to a recorder of the application's, or keeps samples from piling up in ours, until the process ends.
pub(crate) async fn keep_up(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        publish(&shared).await;
        shared.metrics.recording.run_upkeep();
    }
}

/// Brings the recorder of the application's up to date, where there is one.
pub(crate) async fn publish(shared: &Shared) {
    let metrics = &shared.metrics;
    if metrics.recording.is_foreign() {
        // Taken after the lock: histograms take what was added since the last round.
        let mut publisher = metrics.publisher.lock().await;
        publisher.publish(&shared.figures()).await;
    }
}
