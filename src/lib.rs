//! Know every task you spawned. Leave none behind.

#[cfg(feature = "admin")]
mod admin;
mod clock;
mod current;
mod error;
#[cfg(test)]
mod fresh;
mod idle;
mod install;
#[cfg(feature = "metrics")]
mod metrics;
mod name;
mod observer;
mod outcome;
mod registry;
pub mod settings;
#[cfg(feature = "shutdown")]
mod shutdown;
pub mod snapshot;
mod spawn;
mod sync;
pub mod testing;
mod tracked;

pub use crate::current::{CurrentTask, current};
pub use crate::error::Error;
pub use crate::idle::idle;
pub use crate::install::{Builder, Headcount};
pub use crate::registry::config::Text;
#[cfg(feature = "shutdown")]
pub use crate::shutdown::{
    Draining, Report, ReportTask, ShutdownResult, Stage, draining, shutdown, shutdown_requested,
};
pub use crate::snapshot::{OnShutdown, Snapshot, snapshot};
pub use crate::spawn::{TaskBuilder, spawn, spawn_blocking, spawn_local, spawn_on, task, track};
pub use crate::tracked::Tracked;
