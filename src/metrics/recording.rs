//! Which recorder the application's own metrics go to, and whether headcount publishes to it.

#[cfg(feature = "exporter")]
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
#[cfg(feature = "exporter")]
use tracing::{info, warn};

use crate::settings::{Recorder, Settings};

/// What was found at installation.
#[derive(Debug)]
pub(crate) enum Recording {
    /// An exporter that `/metrics` renders after headcount's own families: one that was set by headcount, or
    /// the application's by its handle. Nothing is published to it.
    #[cfg(feature = "exporter")]
    Exporter(PrometheusHandle),
    /// A recorder that the application has set.
    Foreign,
    /// None.
    Private,
}

impl Recording {
    pub(crate) fn set_up(settings: &Settings) -> Self {
        #[cfg(feature = "exporter")]
        if let Some(handle) = &settings.prometheus_handle {
            return Self::Exporter(handle.clone());
        }
        match settings.recorder {
            Recorder::Private => Self::Private,
            Recorder::Auto => Self::automatic(),
        }
    }

    #[cfg(feature = "exporter")]
    fn automatic() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_ok() {
            info!(
                target: "headcount",
                "Recording the application's own metrics for /metrics. To set another recorder, set it before install(), or set \
                `recorder` to Private (HEADCOUNT_RECORDER=Private)"
            );
            return Self::Exporter(handle);
        }
        warn!(
            target: "headcount",
            "Publishing to the recorder that is already set. Its bounds for headcount_task_duration_seconds must equal \
             `buckets`, or durations fall into wrong buckets."
        );
        Self::Foreign
    }

    /// Without an exporter to set, whether a recorder is set already is unknown.
    #[cfg(not(feature = "exporter"))]
    fn automatic() -> Self {
        Self::Foreign
    }

    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign)
    }

    /// The application's own metrics.
    #[cfg(feature = "prometheus")]
    pub(crate) fn render(&self) -> String {
        match self {
            #[cfg(feature = "exporter")]
            Self::Exporter(handle) => handle.render(),
            Self::Foreign | Self::Private => String::new(),
        }
    }

    /// Samples of histograms wait in the exporter until a scrape takes them. Without this upkeep they would
    /// pile up while no scrape comes.
    pub(crate) fn run_upkeep(&self) {
        #[cfg(feature = "exporter")]
        if let Self::Exporter(handle) = self {
            handle.run_upkeep();
        }
    }
}
