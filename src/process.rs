//! What every part knows of the process that headcount is installed in: identity, settings, readiness.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "admin")]
use std::time::Duration;
use std::time::SystemTime;

use tokio::runtime::{self, Handle};

#[cfg(feature = "admin")]
use crate::clock;
use crate::registry::registry;
use crate::settings::Settings;
use crate::snapshot::{Kind, Snapshot};
use headcount_core::internal::service::supervisors;

/// One for each process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) identity: Identity,
    pub(crate) settings: Settings,
    /// The runtime that `install` ran in.
    pub(crate) application: Option<runtime::Id>,
    ready: AtomicBool,
}

/// Which process this is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) service: String,
    /// Differs from process to process.
    pub(crate) instance: String,
    pub(crate) pid: u32,
    /// In ticks of the [clock].
    #[cfg(feature = "admin")]
    started: u64,
}

impl Process {
    /// The process that calls this, with the runtime that is current.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            identity: Identity::new(settings.service_name()),
            application: Handle::try_current().ok().map(|runtime| registry().runtimes.meet(&runtime).id()),
            ready: AtomicBool::new(settings.ready),
            settings,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(crate) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }
}

/// Threads that poll: those of all runtimes that are known, or as many as tokio starts by default.
#[cfg(feature = "admin")]
pub(crate) fn workers() -> usize {
    let workers = registry().runtimes.all().iter().map(|met| met.handle.metrics().num_workers()).sum();
    if workers == 0 {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    } else {
        workers
    }
}

/// The approximate number of tasks that headcount does not track, in all runtimes that have or had tracked
/// ones. Both numbers are read one after the other.
pub(crate) fn untracked(snapshot: &Snapshot) -> Option<u64> {
    let alive = registry().runtimes.alive()?;
    let is_there = |kind: Kind| matches!(kind, Kind::Task | Kind::Service | Kind::Timer);
    let ours: u64 = snapshot.groups.iter().filter(|group| is_there(group.kind)).map(|group| group.live).sum();
    Some(alive.saturating_sub(ours + supervisors()))
}

impl Identity {
    fn new(service: String) -> Self {
        let pid = std::process::id();
        let instance = format!("{:016x}", RandomState::new().hash_one((pid, SystemTime::now())));
        Self {
            service,
            instance,
            pid,
            #[cfg(feature = "admin")]
            started: clock::ticks(),
        }
    }

    /// The time of the installation, by the wall clock of now.
    #[cfg(feature = "admin")]
    pub(crate) fn started_at(&self) -> SystemTime {
        clock::wall(self.started)
    }

    #[cfg(feature = "admin")]
    pub(crate) fn uptime(&self) -> Duration {
        clock::between(self.started, clock::ticks())
    }
}
