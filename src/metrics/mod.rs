//! What is measured, for Prometheus and for other recorders.
//!
//! [`table`] holds every family once: its name, help and how its values are read from [`series`], which are the
//! groups of a snapshot with their labels made fit for metrics. Two renderers go through the table: [`text`] writes
//! it for Prometheus whenever that asks, and [`facade`] publishes it to a recorder that the application has set.
//! [`recording`] decides at installation which recorder that is.
//!
//! Nothing here runs on the tasks' own threads, and nothing grows with the tasks: only with the groups.

mod facade;
mod recording;
mod series;
mod state;
mod table;
#[cfg(feature = "prometheus")]
mod text;

pub(crate) use series::Figures;
#[cfg(feature = "shutdown")]
pub(crate) use state::publish;
pub(crate) use state::{Metrics, figures, keep_up};
#[cfg(feature = "prometheus")]
pub(crate) use text::render;
