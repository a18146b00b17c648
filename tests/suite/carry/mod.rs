//! What survives a spawn: by every spawn function, in every kind of runtime, whatever a carrier does.

#![allow(clippy::async_yields_async, reason = "a test awaits the handle where nothing is to be carried")]

mod faults;
mod links;
#[cfg(feature = "opentelemetry")]
mod otel;
mod reach;
mod seen;
