//! Installing headcount in a process: [`Headcount`] and its [`Builder`].

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use tokio::runtime::Handle;
use tracing::{info, warn};

use crate::error::Error;
use crate::observer;
use crate::settings::{self, Difference, Settings, Variables};

/// Once true, it stays so: what the process spawned before is still counted by the first.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Headcount, installed in this process: the admin server, the metrics and the shutdown.
///
/// It is unique. Keep it until the end of `main` and await [`drain`](Headcount::drain) there: dropped before, it
/// logs by name the tasks that are lost.
#[must_use = "await `drain()` on it at the end of main, or the tasks that still live are lost"]
pub struct Headcount {
    /// `None` where the variable `HEADCOUNT` turned it off.
    pub(crate) shared: Option<Arc<Shared>>,
}

/// What the threads of headcount share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) ready: AtomicBool,
    /// Whether somebody has waited for the tasks: what still lives when `Headcount` is dropped is then known.
    pub(crate) drained: AtomicBool,
    /// The runtime of headcount's own thread.
    pub(crate) observer: Handle,
}

/// Which process this is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) service: String,
    /// Another in each process.
    pub(crate) instance: String,
    pub(crate) pid: u32,
    pub(crate) started_at: SystemTime,
    pub(crate) started: Instant,
}

/// Settings for [`Headcount`], before it is installed.
///
/// Whoever runs the service can change each of them by a variable, which wins.
#[derive(Clone, Debug, Default)]
#[must_use = "settings do nothing until `install()`"]
pub struct Builder {
    pub(crate) settings: Settings,
}

impl Headcount {
    /// Installs it with the default settings and those of the variables.
    ///
    /// # Errors
    ///
    /// As [`Builder::install`].
    pub fn install() -> Result<Self, Error> {
        Self::builder().install()
    }

    /// Settings to be changed before it is installed.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Installs headcount in this process: starts its thread, binds the admin server, sets the recorder.
    ///
    /// Called inside a runtime, it watches that runtime for `/livez` and counts what `tokio::spawn` still hides from
    /// it. Its threads log through the `tracing` dispatcher that is current now.
    ///
    /// # Errors
    ///
    /// A variable is malformed, a chosen address cannot be bound or can be reached from outside without a token, a
    /// file cannot be read, a thread cannot be started, or headcount is installed in this process already.
    pub fn install(mut self) -> Result<Headcount, Error> {
        if settings::is_off()? {
            info!(target: "headcount", "Off (HEADCOUNT=off)");
            return Ok(Headcount { shared: None });
        }
        let variables = self.settings.take_variables(settings::variables())?;
        self.settings.read_token()?;
        if INSTALLED.swap(true, Ordering::SeqCst) {
            return Err(Error::already_installed());
        }
        let installed = start(self.settings).inspect_err(|_| INSTALLED.store(false, Ordering::SeqCst))?;
        log_settings(&installed.settings, &variables);
        Ok(Headcount { shared: Some(installed) })
    }
}

fn start(settings: Settings) -> Result<Arc<Shared>, Error> {
    let observer = observer::start()?;
    let shared = Arc::new(Shared {
        identity: Identity::new(settings.service_name()),
        ready: AtomicBool::new(settings.ready),
        drained: AtomicBool::new(false),
        observer,
        settings,
    });
    Ok(shared)
}

fn log_settings(settings: &Settings, variables: &Variables) {
    for Difference { variable, from, to } in &variables.differences {
        info!(target: "headcount", "{variable}={to} replaces {from}");
    }
    for variable in &variables.unknown {
        warn!(target: "headcount", "{variable} is no setting of headcount and was ignored");
    }
    for row in settings.without_effect() {
        let (setting, feature) = (row.name, row.feature.unwrap_or_default());
        warn!(target: "headcount", "`{setting}` has no effect: this build lacks the feature `{feature}`");
    }
}

impl Identity {
    fn new(service: String) -> Self {
        let pid = std::process::id();
        let started_at = SystemTime::now();
        let instance = format!("{:016x}", RandomState::new().hash_one((pid, started_at)));
        Self { service, instance, pid, started_at, started: Instant::now() }
    }
}

impl fmt::Debug for Headcount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headcount").field("off", &self.shared.is_none()).finish_non_exhaustive()
    }
}
