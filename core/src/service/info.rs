//! What readers see of a service or timer at one moment.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::id::TaskId;
use crate::named::named;
use crate::outcome::Outcome;
use crate::registry::kind::{Kind, OnShutdown};
use crate::service::backoff::Restart;

/// The id of a service or timer: never reused in a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct ServiceId(u64);

impl ServiceId {
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number, as JSON shows it.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// From a number that an API answered; it may be the id of none.
impl From<u64> for ServiceId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceId({})", self.0)
    }
}

/// What a service or timer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ServiceState {
    /// A run is alive.
    Running,
    /// A timer between two ticks.
    Waiting,
    /// A service between two runs: the last one failed.
    BackingOff,
    /// A service that needed too many restarts.
    Failed,
    /// A service whose run returned, and whose terms say that this is its end.
    Ended,
    /// Stopped through its handle, or by the shutdown of the process.
    Stopped,
    /// Its runtime ended before it was stopped.
    Lost,
}

named!(ServiceState {
    Running => "running",
    Waiting => "waiting",
    BackingOff => "backing_off",
    Failed => "failed",
    Ended => "ended",
    Stopped => "stopped",
    Lost => "lost",
});

impl ServiceState {
    /// Whether no further run begins by itself.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Failed | Self::Ended | Self::Stopped | Self::Lost)
    }
}

/// A service or timer at one moment, from [`services`](crate::services) or its
/// [handle](crate::ServiceHandle::info).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ServiceInfo {
    /// Its id.
    pub id: ServiceId,
    /// Its name, which its runs have too.
    pub name: Arc<str>,
    /// [`Kind::Service`] or [`Kind::Timer`].
    pub kind: Kind,
    /// `file:line` of where it was begun.
    pub location: Arc<str>,
    /// What it is doing.
    pub state: ServiceState,
    /// For how long.
    pub state_for: Duration,
    /// Since it was begun.
    pub age: Duration,
    /// Whether its end for good stops the process.
    pub critical: bool,
    /// What becomes of a run when the process stops.
    pub on_shutdown: OnShutdown,
    /// After which ends a service runs again. `None` for a timer.
    pub restart: Option<Restart>,
    /// How often a timer ticks. `None` for a service.
    pub period: Option<Duration>,
    /// How long a run may take. `None`: without a bound.
    pub timeout: Option<Duration>,
    /// The run that is alive. `None` if none is, and with `HEADCOUNT=off`.
    pub task: Option<TaskId>,
    /// For how long a run has been alive. `None` if none is.
    pub running_for: Option<Duration>,
    /// The last run that ended. `None` before the first end.
    pub last: Option<LastRun>,
    /// How long ago a run last ended with outcome `ok`. `None` if none has.
    pub last_success: Option<Duration>,
    /// In how long the next run begins. `None` if none is planned.
    pub next_in: Option<Duration>,
    /// Runs begun.
    pub runs: u64,
    /// Runs that ended with another outcome than `ok`.
    pub failures: u64,
    /// Of these the newest ones without a success between them, nor a [stable](crate::Backoff::stable_after)
    /// run.
    pub failures_in_a_row: u64,
    /// Restarts of a service.
    pub restarts: u64,
    /// Ticks of a timer that passed while a run was alive, or while nothing ran.
    pub skipped: u64,
    /// Runs of a timer that took longer than its period.
    pub overruns: u64,
}

/// How a run of a service or timer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LastRun {
    /// Its task; `None` with `HEADCOUNT=off`.
    pub task: Option<TaskId>,
    /// Its outcome.
    pub outcome: Outcome,
    /// The text of its panic or error.
    pub message: Option<Arc<str>>,
    /// How long it took.
    pub took: Duration,
    /// How long ago it ended.
    pub ended_ago: Duration,
}

/// What metrics show of the services or timers of a group of tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupTerms {
    /// Services that have a run alive.
    pub up: u64,
    pub restarts: u64,
    pub skipped: u64,
    /// When a run last ended with outcome `ok`.
    pub last_success: Option<SystemTime>,
}
