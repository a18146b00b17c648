//! The settings in force, for code that writes manifests and units whose numbers agree with them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Builder, Settings};
use crate::error::Error;

/// What the platform has to know of a service: its budget for a stop, and its addresses. Made by
/// [`Builder::in_force`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InForce {
    /// How long the process keeps working after `/readyz` turns to 503.
    pub announce_delay: Duration,
    /// How long tasks are waited for; `None` for as long as they take.
    pub drain_timeout: Option<Duration>,
    /// When the process exits at the latest, from the start of the shutdown; `None` for never.
    pub exit_after: Option<Duration>,
    /// What the platform allows between its signal and its kill, where that is set.
    pub platform_grace: Option<Duration>,
    /// How long a runtime may begin no task before `/livez` answers 503. `None`: `/livez` never answers 503
    /// for this.
    pub unresponsive_after: Option<Duration>,
    /// Where the admin server listens (if the default port is taken, the server uses another).
    pub admin: Option<SocketAddr>,
    /// Where `/livez` and `/readyz` alone are served.
    pub health: Option<SocketAddr>,
    /// The file that holds the token of the admin server.
    pub token_file: Option<PathBuf>,
    /// The file in which Kubernetes looks for the reason of an exit.
    pub termination_log: Option<PathBuf>,
}

impl Builder {
    /// The settings that `install` would have, the variables of this process included. Nothing is installed.
    ///
    /// `examples/manifest.rs` writes a manifest for Kubernetes from it.
    ///
    /// # Errors
    ///
    /// A variable is malformed.
    pub fn in_force(&self) -> Result<InForce, Error> {
        let mut settings = self.settings.clone();
        settings.take_variables(settings.environment())?;
        let Settings { announce_delay, drain_timeout, exit_after, platform_grace, .. } = settings;
        let Settings { unresponsive_after, admin, health, token_file, termination_log, .. } = settings;
        Ok(InForce {
            announce_delay,
            drain_timeout,
            exit_after,
            platform_grace,
            unresponsive_after,
            admin,
            health,
            token_file,
            termination_log,
        })
    }
}
