//! Everything that is measured at one moment, pulled from the snapshot, the shutdown and the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::time::MissedTickBehavior;

use super::facade::Publisher;
use super::recording::Recording;
use super::series::{Series, series};
use crate::process::Process;
use crate::shutdown::{self, Audience, Farewell, Report, Stage};

/// How often a recorder of the application's is brought up to date.
const EVERY: Duration = Duration::from_secs(1);

/// The metrics of a process, one for each.
#[derive(Debug)]
pub(crate) struct Metrics {
    process: Arc<Process>,
    recording: Recording,
    publisher: tokio::sync::Mutex<Publisher>,
    events_dropped: Arc<AtomicU64>,
}

/// Everything that is measured at one moment.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) series: Vec<Series>,
    pub(crate) untracked: Option<u64>,
    pub(crate) groups_overflowed: u64,
    pub(crate) history_dropped: u64,
    pub(crate) events_dropped: u64,
    pub(crate) late_spawns: u64,
    pub(crate) log_lines_suppressed: u64,
    pub(crate) stage: u8,
    pub(crate) deadline: Option<SystemTime>,
    pub(crate) pending: u64,
}

impl Metrics {
    /// Chooses the recorder and sets it, if headcount's own is chosen.
    pub(crate) fn set_up(process: Arc<Process>) -> Self {
        let recording = Recording::set_up(&process.settings);
        Self { process, recording, publisher: tokio::sync::Mutex::default(), events_dropped: Arc::default() }
    }

    /// Counts events that slow clients of the dashboard missed.
    #[cfg(feature = "admin")]
    pub(crate) fn events_dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.events_dropped)
    }

    /// Reads everything now.
    fn figures(&self) -> Figures {
        let snapshot = crate::snapshot();
        Figures {
            series: series(&snapshot, &shutdown::abandoned()),
            untracked: self.process.untracked(&snapshot),
            groups_overflowed: snapshot.groups_overflowed,
            history_dropped: snapshot.history_dropped,
            events_dropped: self.events_dropped.load(Ordering::Relaxed),
            late_spawns: snapshot.late_spawns,
            log_lines_suppressed: snapshot.log_lines_suppressed,
            stage: shutdown::stage().number(),
            deadline: shutdown::deadline(),
            pending: shutdown::pending_now(),
        }
    }

    /// The text for Prometheus: headcount's families, then those of the exporter. Counts as a scrape.
    #[cfg(feature = "prometheus")]
    pub(crate) fn scrape(&self) -> String {
        let text = super::text::render(&self.figures()) + &self.recording.render();
        shutdown::scraped();
        text
    }

    /// Publishes to a recorder of the application's, or keeps samples from piling up in ours, until the process ends.
    pub(crate) async fn keep_up(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.publish().await;
            self.recording.run_upkeep();
        }
    }

    /// Brings the recorder of the application's up to date, where there is one.
    async fn publish(&self) {
        if self.recording.is_foreign() {
            // Read under the lock, because histograms take what was added since the last round.
            let mut publisher = self.publisher.lock().await;
            publisher.publish(&self.figures()).await;
        }
    }
}

/// A recorder of the application's gets the last figures before the process ends.
impl Audience for Arc<Metrics> {
    fn stage_changed(&self, _stage: Stage) {}

    fn farewell(&self, _report: Report) -> Farewell {
        let metrics = Arc::clone(self);
        Box::pin(async move { metrics.publish().await })
    }
}
