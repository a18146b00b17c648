//! How a task ended.

use std::fmt;

/// How a task ended. Each task has exactly one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// Its future was ready, or its closure returned.
    Ok,
    /// Spawned with `spawn_fallible`, it returned `Err`.
    Error,
    /// Its own poll or closure unwound.
    Panic,
    /// Dropped before it was ready: aborted through its handle, dropped with its runtime or `LocalSet`, lost in a
    /// `select!`, cancelled by policy or through the API, or refused because the process was stopping.
    Cancelled,
    /// Abandoned by the shutdown: after force, deadline or its grace.
    Aborted,
}

impl Outcome {
    /// All outcomes, in the order in which they are listed everywhere.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Error, Self::Panic, Self::Cancelled, Self::Aborted];

    /// The name used in metrics, JSON and log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Cancelled => "cancelled",
            Self::Aborted => "aborted",
        }
    }

    pub(crate) const fn from_index(index: u64) -> Self {
        Self::ALL[(index % 5) as usize]
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A number for each [`Outcome`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OutcomeCounts {
    /// Tasks that ended [`Outcome::Ok`].
    pub ok: u64,
    /// Tasks that ended [`Outcome::Error`].
    pub error: u64,
    /// Tasks that ended [`Outcome::Panic`].
    pub panic: u64,
    /// Tasks that ended [`Outcome::Cancelled`].
    pub cancelled: u64,
    /// Tasks that ended [`Outcome::Aborted`].
    pub aborted: u64,
}

impl OutcomeCounts {
    /// The number for one outcome.
    pub const fn get(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Ok => self.ok,
            Outcome::Error => self.error,
            Outcome::Panic => self.panic,
            Outcome::Cancelled => self.cancelled,
            Outcome::Aborted => self.aborted,
        }
    }

    /// All of them together.
    pub const fn total(&self) -> u64 {
        self.ok + self.error + self.panic + self.cancelled + self.aborted
    }

    /// Adds `count` to the number for `outcome`.
    pub const fn add(&mut self, outcome: Outcome, count: u64) {
        let field = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Error => &mut self.error,
            Outcome::Panic => &mut self.panic,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Aborted => &mut self.aborted,
        };
        *field += count;
    }
}
