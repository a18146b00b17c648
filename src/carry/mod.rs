//! Context that survives a spawn: what [`Builder::carry`](crate::Builder::carry) takes.
//!
//! [`traces`](crate::docs::traces) shows how it fits together: links, trace ids, exemplars, OpenTelemetry,
//! Sentry.

#[cfg(feature = "opentelemetry")]
mod otel;

#[cfg(feature = "opentelemetry")]
pub use self::otel::{OpenTelemetry, opentelemetry};
pub use headcount_core::carry::*;
