//! The handle to a service or timer.

use std::error;
use std::fmt;
use std::sync::Arc;

use crate::outcome::Outcome;
use crate::service::info::{ServiceId, ServiceInfo, ServiceState};
use crate::service::record::Record;

/// A service or timer that was begun. Dropping the handle changes nothing.
#[derive(Clone)]
pub struct ServiceHandle(pub(super) Arc<Record>);

/// Why no run begins now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRunnable {
    /// A run is alive, and two never overlap.
    Running,
    /// It has ended, was stopped or is lost, or the process drains.
    Over,
}

impl fmt::Display for NotRunnable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "a run is alive already",
            Self::Over => "it has ended, was stopped or is lost, or the process is stopping",
        })
    }
}

impl error::Error for NotRunnable {}

impl ServiceHandle {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> ServiceId {
        self.0.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.terms.name
    }

    /// What it is doing now.
    #[must_use]
    pub fn state(&self) -> ServiceState {
        self.0.state()
    }

    /// All that is known of it now.
    #[must_use]
    pub fn info(&self) -> ServiceInfo {
        self.0.info()
    }

    /// How its last run ended; `None` before the first end.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        Some(self.info().last?.outcome)
    }

    /// Begins a run now: a service does not wait for the end of its back-off, and one that has failed begins
    /// again, with restarts counted from zero. The ticks of a timer stay as they are.
    ///
    /// # Errors
    ///
    /// A run is alive already; it has ended, was stopped or is lost; or the process drains.
    pub fn run_now(&self) -> Result<(), NotRunnable> {
        self.0.run_now().map_err(|state| match state {
            ServiceState::Running => NotRunnable::Running,
            _ => NotRunnable::Over,
        })
    }

    /// Stops it: a run that is alive is aborted, which drops it at its next await, and no other begins.
    pub fn stop(&self) {
        self.0.stop.open();
    }

    /// Resolves once no further run begins by itself, with the state that it is in then.
    ///
    /// # Cancel safety
    ///
    /// Yes.
    pub async fn ended(&self) -> ServiceState {
        self.0.over().await
    }
}

impl fmt::Debug for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandle")
            .field("id", &self.0.id)
            .field("name", &self.0.terms.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
