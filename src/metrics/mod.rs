//! What is measured, for Prometheus and for other recorders.
//!
//! [`table`] holds every family once: its name, help and how its values are read from [`series`], which are
//! the groups of a snapshot with their labels made fit for metrics. Two renderers go through the table:
//! [`text`] writes it for Prometheus whenever that asks, and [`facade`] publishes it to a recorder that the
//! application has set. [`recording`] decides at installation which recorder that is, and [`figures`] reads
//! all values at one moment. [`exemplars`] and [`foreign`] belong to OpenMetrics, which is `text` with more.
//!
//! Nothing here runs on the tasks' own threads, and nothing grows with the tasks: only with the groups.

#[cfg(test)]
mod document;
#[cfg(feature = "prometheus")]
mod exemplars;
mod facade;
mod figures;
#[cfg(feature = "prometheus")]
mod foreign;
mod recording;
mod series;
mod table;
#[cfg(feature = "prometheus")]
mod text;

pub(crate) use figures::Metrics;
