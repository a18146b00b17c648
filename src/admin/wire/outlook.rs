//! What comes: the forecast of a stop, what deserves attention, what fails, and how earlier stops went.

use std::sync::Arc;

use serde::Serialize;

#[cfg(test)]
use crate::admin::openapi::schema;
use crate::attention::{Item, Link, Severity};
use crate::forecast;
use crate::snapshot::Outcome;

/// When the tasks that a stop waits for will have ended, if it began now; while one runs, from now on.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Forecast {
    /// The time that the stop has; null without a deadline.
    pub(in crate::admin) within_seconds: Option<f64>,
    /// Tasks that are likely done in that time.
    pub(in crate::admin) done: u64,
    /// When the last of these has likely ended; null if there are none.
    pub(in crate::admin) done_in_seconds: Option<f64>,
    /// Between these, in nine of ten cases.
    pub(in crate::admin) band_seconds: Option<(f64, f64)>,
    /// Tasks that are aborted before they are done, the longest first; at most 20 entries.
    pub(in crate::admin) will_be_cut: Vec<Hold>,
    /// The same of tasks that nothing can abort.
    pub(in crate::admin) cannot_abort: Vec<Hold>,
    /// Tasks of which nothing is known.
    pub(in crate::admin) unknown: u64,
    /// Their names, most first; at most 20.
    pub(in crate::admin) unknown_names: Vec<NameTotal>,
    /// How many tasks will be abandoned on average.
    pub(in crate::admin) expected_abandoned: f64,
    /// All of it in one sentence.
    pub(in crate::admin) sentence: String,
}

/// Tasks that are not done in time for the same reason.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Hold {
    /// Null if it stands for several.
    pub(in crate::admin) task: Option<u64>,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    pub(in crate::admin) count: u64,
    /// When it would end by itself; null if not known.
    pub(in crate::admin) eta_seconds: Option<f64>,
    pub(in crate::admin) reason: String,
}

/// How many tasks of a name.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct NameTotal {
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    pub(in crate::admin) count: u64,
}

/// What needs attention first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Attention {
    #[cfg_attr(test, schema(schema_with = schema::severities))]
    pub(in crate::admin) severity: Severity,
    pub(in crate::admin) sentence: String,
    #[cfg_attr(test, schema(schema_with = schema::optional_date_time))]
    pub(in crate::admin) since: Option<String>,
    /// `file:line` of the spawn.
    pub(in crate::admin) location: Option<String>,
    pub(in crate::admin) link: AttentionLink,
}

/// Where more is to be seen.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct AttentionLink {
    /// `task`, `tasks`, `finished`, `group`, `services` or `lifetime`.
    pub(in crate::admin) view: &'static str,
    pub(in crate::admin) task: Option<u64>,
    /// A search, for `tasks` and `finished`.
    pub(in crate::admin) query: Option<String>,
    pub(in crate::admin) group: Option<u32>,
}

/// All that deserves attention, gravest first; at most 100.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct AttentionList {
    pub(in crate::admin) items: Vec<Attention>,
}

/// Failures with the same name, outcome and message.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct FailureGroup {
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    /// Null where there is none, or it is hidden.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) message: Option<Arc<str>>,
    #[cfg_attr(test, schema(schema_with = schema::outcomes))]
    pub(in crate::admin) outcome: Outcome,
    /// Of those that the history holds.
    pub(in crate::admin) count: u64,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) first: String,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) last: String,
    pub(in crate::admin) last_task: u64,
}

/// What failed, most first; at most 100 entries.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct FailureList {
    pub(in crate::admin) items: Vec<FailureGroup>,
}

/// Reports of earlier stops of this service, newest first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct StopList {
    #[cfg_attr(test, schema(value_type = Vec<Object>))]
    pub(in crate::admin) items: Vec<serde_json::Value>,
}

impl From<&forecast::Forecast> for Forecast {
    fn from(forecast: &forecast::Forecast) -> Self {
        Self {
            within_seconds: forecast.within.map(rounded),
            done: forecast.done,
            done_in_seconds: forecast.done_in.map(rounded),
            band_seconds: forecast.band.map(|(low, high)| (rounded(low), rounded(high))),
            will_be_cut: forecast.will_be_cut.iter().map(Hold::from).collect(),
            cannot_abort: forecast.cannot_abort.iter().map(Hold::from).collect(),
            unknown: forecast.unknown,
            unknown_names: forecast
                .unknown_names
                .iter()
                .map(|(name, count)| NameTotal { name: Arc::clone(name), count: *count })
                .collect(),
            expected_abandoned: rounded(forecast.expected_abandoned),
            sentence: forecast.sentence(),
        }
    }
}

impl From<&forecast::Hold> for Hold {
    fn from(hold: &forecast::Hold) -> Self {
        Self {
            task: hold.task,
            name: Arc::clone(&hold.name),
            count: hold.count,
            eta_seconds: hold.eta.map(rounded),
            reason: hold.reason.clone(),
        }
    }
}

impl From<&Item> for Attention {
    fn from(item: &Item) -> Self {
        Self {
            severity: item.severity,
            sentence: item.sentence.clone(),
            since: item.since.map(super::time),
            location: item.location.clone(),
            link: AttentionLink::from(&item.link),
        }
    }
}

impl From<&Link> for AttentionLink {
    fn from(link: &Link) -> Self {
        let none = Self { view: "task", task: None, query: None, group: None };
        match link {
            Link::Task(id) => Self { task: Some(*id), ..none },
            Link::Tasks(query) => Self { view: "tasks", query: Some(query.clone()), ..none },
            Link::Finished(query) => Self { view: "finished", query: Some(query.clone()), ..none },
            Link::Services => Self { view: "services", ..none },
            Link::Group(id) => Self { view: "group", group: Some(*id), ..none },
        }
    }
}

/// To the millisecond.
pub(in crate::admin) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}
