//! Services and timers.

use std::sync::Arc;

use serde::Serialize;

#[cfg(test)]
use crate::admin::openapi::schema;
use crate::snapshot::{Kind, OnShutdown, Outcome};
use headcount_core::ServiceState;

/// A service or timer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Service {
    /// Never reused in a process.
    pub(in crate::admin) id: u64,
    /// Its runs have the same name.
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    /// `service` or `timer`.
    #[cfg_attr(test, schema(schema_with = schema::kinds))]
    pub(in crate::admin) kind: Kind,
    /// `file:line` of where it was begun.
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) location: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::service_states))]
    pub(in crate::admin) state: ServiceState,
    /// For how long it has been in that state.
    pub(in crate::admin) state_seconds: f64,
    /// Whether its end for good stops the process.
    pub(in crate::admin) critical: bool,
    #[cfg_attr(test, schema(schema_with = schema::policies))]
    pub(in crate::admin) on_shutdown: OnShutdown,
    /// `on_failure` or `always`; null for timers.
    pub(in crate::admin) restart: Option<&'static str>,
    /// Null for services.
    pub(in crate::admin) period_seconds: Option<f64>,
    /// How long a run may take.
    pub(in crate::admin) timeout_seconds: Option<f64>,
    /// The run that is alive.
    pub(in crate::admin) task: Option<u64>,
    /// For how long it has been alive.
    pub(in crate::admin) running_seconds: Option<f64>,
    pub(in crate::admin) last: Option<LastRun>,
    #[cfg_attr(test, schema(schema_with = schema::optional_date_time))]
    pub(in crate::admin) last_success_at: Option<String>,
    /// In how long the next run begins.
    pub(in crate::admin) next_in_seconds: Option<f64>,
    pub(in crate::admin) runs: u64,
    /// Runs that ended with another outcome than `ok`.
    pub(in crate::admin) failures: u64,
    /// Of these the newest ones without a success between them.
    pub(in crate::admin) failures_in_a_row: u64,
    pub(in crate::admin) restarts: u64,
    /// Ticks of a timer that were missed.
    pub(in crate::admin) skipped: u64,
    /// Runs of a timer that took longer than its period.
    pub(in crate::admin) overruns: u64,
}

/// How the last run of a service or timer ended.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct LastRun {
    pub(in crate::admin) task: Option<u64>,
    #[cfg_attr(test, schema(schema_with = schema::outcomes))]
    pub(in crate::admin) outcome: Outcome,
    /// The text of its panic or error; null where there is none, or it is hidden.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) message: Option<Arc<str>>,
    pub(in crate::admin) duration_seconds: f64,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) ended_at: String,
}

/// Services and timers, the oldest first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct ServiceList {
    pub(in crate::admin) items: Vec<Service>,
}
