//! A line of the log: a text for people, and the same as data.

use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

use crate::snapshot::{State, TaskInfo};
use headcount_core::Outcome;

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) text: String,
    pub(crate) data: Data,
    /// At WARN where INFO is switched off: a process that says only what is wrong still says what it waits
    /// for.
    pub(crate) is_loud: bool,
}

/// What a line says, as fields of its event. `docs/LOG.md` has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    pub(crate) task: Option<Arc<str>>,
    pub(crate) id: Option<u64>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) state: Option<&'static str>,
    pub(crate) outcome: Option<&'static str>,
    pub(crate) age_seconds: Option<f64>,
    pub(crate) idle_seconds: Option<f64>,
    pub(crate) status: Option<Arc<str>>,
    pub(crate) progress: Option<u64>,
    pub(crate) total: Option<u64>,
    pub(crate) location: Option<Arc<str>>,
    pub(crate) labels: Option<String>,
    pub(crate) fields: Option<String>,
    pub(crate) trace_id: Option<Arc<str>>,
    pub(crate) hint: Option<String>,
    pub(crate) count: Option<u64>,
    pub(crate) remaining: Option<u64>,
    pub(crate) pending: Option<u64>,
    pub(crate) deadline_seconds: Option<f64>,
    pub(crate) estimate_seconds: Option<f64>,
    pub(crate) duration_seconds: Option<f64>,
    pub(crate) reason: Option<String>,
    pub(crate) completed: Option<u64>,
    pub(crate) failed: Option<u64>,
    pub(crate) panicked: Option<u64>,
    pub(crate) timed_out: Option<u64>,
    pub(crate) rejected: Option<u64>,
    pub(crate) cancelled: Option<u64>,
    pub(crate) abandoned: Option<u64>,
    pub(crate) connections_closed: Option<u64>,
    pub(crate) refused: Option<u64>,
    pub(crate) untracked: Option<u64>,
    pub(crate) exit_code: Option<u64>,
}

impl Line {
    pub(crate) fn info(text: impl Into<String>) -> Self {
        Self::new(Level::INFO, text)
    }

    pub(crate) fn warn(text: impl Into<String>) -> Self {
        Self::new(Level::WARN, text)
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self::new(Level::ERROR, text)
    }

    fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into(), data: Data::default(), is_loud: false }
    }

    /// With data.
    pub(crate) fn with(mut self, data: Data) -> Self {
        self.data = data;
        self
    }

    /// See [`is_loud`](Self::is_loud).
    pub(crate) fn loud(mut self) -> Self {
        self.is_loud = true;
        self
    }
}

impl Data {
    /// What is known of a live task.
    pub(crate) fn task(task: &TaskInfo) -> Self {
        let pairs = |pairs: &mut dyn Iterator<Item = (&str, &str)>| {
            let object: serde_json::Map<_, _> =
                pairs.map(|(key, value)| (key.to_owned(), value.into())).collect();
            (!object.is_empty()).then(|| serde_json::Value::Object(object).to_string())
        };
        Self {
            task: Some(Arc::clone(&task.name)),
            id: Some(task.id.get()),
            kind: Some(task.kind.as_str()),
            state: Some(task.state.as_str()),
            age_seconds: Some(task.age.as_secs_f64()),
            idle_seconds: (task.state == State::Idle).then_some(task.state_for.as_secs_f64()),
            status: task.status.clone(),
            progress: task.progress.map(|progress| progress.done),
            total: task.progress.map(|progress| progress.total).filter(|total| 0 < *total),
            location: Some(Arc::clone(&task.location)),
            labels: pairs(&mut task.labels.iter()),
            fields: pairs(&mut task.fields.iter().map(|(key, value)| (&**key, value.as_str()))),
            trace_id: task.trace_id.clone(),
            ..Self::default()
        }
    }

    /// A task that has ended.
    pub(crate) fn ended(name: &Arc<str>, id: u64, outcome: Outcome, age: Duration) -> Self {
        Self {
            task: Some(Arc::clone(name)),
            id: Some(id),
            outcome: Some(outcome.as_str()),
            age_seconds: Some(age.as_secs_f64()),
            ..Self::default()
        }
    }
}
