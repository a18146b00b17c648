//! Why a task was not admitted.

use std::error;
use std::fmt;

use crate::named::named;

/// Why a task was rejected: the label `reason` of `headcount_tasks_rejected_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// Its limit was reached and the queue of the limit full, or nothing may wait.
    Full,
    /// Another task with its key was in flight.
    Duplicate,
}

named!(Reason { Full => "full", Duplicate => "duplicate" });

impl Reason {
    pub(crate) const COUNT: usize = Self::ALL.len();
}

/// Why [`try_spawn`](crate::TaskBuilder::try_spawn) did not spawn. It gives the future back.
///
/// It is an [`Error`](std::error::Error) for every future, also for one that is neither `Sync` nor `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySpawnError<F> {
    /// As many run as the limit allows.
    Full(F),
    /// Another task with the same key is in flight.
    Duplicate(F),
    /// The process stops, and takes no new tasks.
    Closed(F),
}

impl<F> TrySpawnError<F> {
    /// The future that was not spawned.
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(future) | Self::Duplicate(future) | Self::Closed(future) => future,
        }
    }

    /// Whether the limit was reached.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether another task with the same key is in flight.
    pub const fn is_duplicate(&self) -> bool {
        matches!(self, Self::Duplicate(_))
    }

    /// Whether the process takes no new tasks.
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<F> fmt::Debug for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Duplicate(_) => "Duplicate(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<F> fmt::Display for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the limit of tasks is reached",
            Self::Duplicate(_) => "a task with the same key is in flight",
            Self::Closed(_) => "the process is stopping and takes no new tasks",
        })
    }
}

impl<F> error::Error for TrySpawnError<F> {}
