//! Everything that is measured at one moment, pulled from the snapshot, the shutdown and the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::time::MissedTickBehavior;
use tracing::warn;

#[cfg(feature = "prometheus")]
use super::exemplars::Exemplars;
use super::facade::Publisher;
use super::recording::Recording;
use super::series::{Series, series};
use crate::error::Error;
use crate::forecast::{self, Forecast};
use crate::observer::{Lines, Worker};
use crate::process::Process;
#[cfg(feature = "prometheus")]
use crate::settings::Hide;
use crate::settings::Recorder;
use crate::shutdown::{self, Audience, Farewell, Report, Stage};

/// How often a recorder of the application's is brought up to date.
const EVERY: Duration = Duration::from_secs(1);

/// The metrics of a process, one for each.
#[derive(Debug)]
pub(crate) struct Metrics {
    process: Arc<Process>,
    /// When headcount was installed, as the wall clock said then.
    started_at: SystemTime,
    /// Set last, since a global recorder cannot be taken back.
    recording: OnceLock<Recording>,
    publisher: tokio::sync::Mutex<Publisher>,
    events_dropped: Arc<AtomicU64>,
    #[cfg(feature = "prometheus")]
    exemplars: parking_lot::Mutex<Exemplars>,
    /// The thread on which a recorder is called. It may be the application's, which may block or panic.
    worker: Option<Worker>,
    lines: Lines,
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
    pub(crate) started_at: SystemTime,
    pub(crate) carriers_dropped: u64,
    pub(crate) stage: u8,
    pub(crate) stop_took: Option<Duration>,
    pub(crate) deadline: Option<SystemTime>,
    pub(crate) pending: u64,
    /// In how many seconds a stop would likely be over.
    pub(crate) stop_forecast: Option<f64>,
    /// How many tasks it would abandon, on average.
    pub(crate) expected_abandoned: f64,
}

impl Metrics {
    /// Starts the thread that a recorder needs.
    pub(crate) fn start(process: Arc<Process>, lines: Lines) -> Result<Self, Error> {
        let wanted = process.settings.recorder != Recorder::Private;
        let worker = wanted.then(|| Worker::start("headcount-metrics")).transpose()?;
        Ok(Self {
            process,
            started_at: SystemTime::now(),
            recording: OnceLock::new(),
            publisher: tokio::sync::Mutex::default(),
            events_dropped: Arc::default(),
            #[cfg(feature = "prometheus")]
            exemplars: parking_lot::Mutex::default(),
            worker,
            lines,
        })
    }

    /// The thread that a recorder is called on.
    pub(crate) fn worker(&self) -> Option<&Worker> {
        self.worker.as_ref()
    }

    /// Chooses the recorder and sets it, if headcount's own is chosen. From then on it is kept up to date.
    pub(crate) fn record(self: &Arc<Self>) {
        self.recording.get_or_init(|| Recording::set_up(&self.process.settings));
        if let Some(worker) = &self.worker {
            worker.spawn(Arc::clone(self).rounds());
        }
    }

    /// Counts events that slow clients of the dashboard missed.
    #[cfg(feature = "admin")]
    pub(crate) fn events_dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.events_dropped)
    }

    /// Reads everything now.
    fn figures(&self) -> Figures {
        let (snapshot, load) = forecast::snapshot();
        let forecast = Forecast::new(&load, &shutdown::terms(&self.process.settings));
        Figures {
            stop_forecast: forecast.over_in(),
            expected_abandoned: forecast.expected_abandoned,
            series: series(&snapshot, &shutdown::abandoned(), self.process.settings.duration_outcome),
            untracked: crate::process::untracked(&snapshot),
            groups_overflowed: snapshot.groups_overflowed,
            history_dropped: snapshot.history_dropped,
            events_dropped: self.events_dropped.load(Ordering::Relaxed),
            late_spawns: snapshot.late_spawns,
            log_lines_suppressed: snapshot.log_lines_suppressed,
            started_at: self.started_at,
            carriers_dropped: snapshot.carriers_dropped,
            stage: shutdown::stage().number(),
            stop_took: shutdown::took(),
            deadline: shutdown::deadline(),
            pending: shutdown::pending_now(),
        }
    }

    /// The text for Prometheus: headcount's families, then those of the exporter. Counts as a scrape.
    #[cfg(feature = "prometheus")]
    pub(crate) fn scrape(&self) -> String {
        let text = super::text::render(&self.figures()) + &self.foreign();
        shutdown::scraped();
        text
    }

    /// The same as OpenMetrics, with exemplars unless fields are hidden.
    #[cfg(feature = "prometheus")]
    pub(crate) fn scrape_open(&self) -> String {
        let mut text = {
            let mut exemplars = self.exemplars.lock();
            if !self.process.settings.hide.contains(&Hide::Fields) {
                exemplars.gather();
            }
            let figures = self.figures();
            exemplars.settle(&figures.series);
            super::text::render_open(&figures, &exemplars)
        };
        super::foreign::append_open(&mut text, &self.foreign());
        text.push_str("# EOF\n");
        shutdown::scraped();
        text
    }

    /// The application's own metrics.
    #[cfg(feature = "prometheus")]
    fn foreign(&self) -> String {
        self.recording.get().map(Recording::render).unwrap_or_default()
    }

    /// Publishes to a recorder of the application's, or keeps samples from piling up in ours, until the
    /// process ends.
    async fn rounds(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut panicked = false;
        loop {
            ticks.tick().await;
            // A task of its own, so that a panic of the recorder ends the round alone.
            let round = tokio::spawn(Arc::clone(&self).round());
            if round.await.is_err() && !std::mem::replace(&mut panicked, true) {
                self.lines.write(|| warn!(target: "headcount", "The recorder of the application panicked; metrics may be missing there"));
            }
        }
    }

    async fn round(self: Arc<Self>) {
        self.publish().await;
        self.recording.get().into_iter().for_each(Recording::run_upkeep);
    }

    /// Brings the recorder of the application's up to date, where there is one.
    async fn publish(&self) {
        if self.recording.get().is_some_and(Recording::is_foreign) {
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
        let last = self.worker.as_ref().map(|worker| worker.spawn(async move { metrics.publish().await }));
        Box::pin(async move {
            if let Some(last) = last {
                // A recorder that panics has its last figures lost.
                let _ = last.await;
            }
        })
    }
}
