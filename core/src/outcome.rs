//! How a task ended.

use crate::named::named;

/// How a task ended. Each task has exactly one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// Its future was ready, or its closure returned.
    Ok,
    /// A task of `spawn_fallible`, or a run of a service or timer, returned `Err`. A request ended with a 5xx
    /// status, with a gRPC status that is the server's fault, or with a body that failed.
    Error,
    /// Its own poll or closure unwound.
    Panic,
    /// Dropped before it was ready: aborted through its handle or the API, dropped with its runtime or
    /// `LocalSet`, lost in a `select!`, ended by [`OnShutdown::Cancel`](crate::OnShutdown::Cancel) or as a
    /// connection, or refused because the process was stopping.
    Cancelled,
    /// Dropped because its own time limit had passed.
    Timeout,
    /// Never admitted: a limit was reached.
    Rejected,
    /// Cut by the shutdown: at the deadline, by force, or at the end of a grace.
    Abandoned,
}

named!(Outcome {
    Ok => "ok",
    Error => "error",
    Panic => "panic",
    Cancelled => "cancelled",
    Timeout => "timeout",
    Rejected => "rejected",
    Abandoned => "abandoned",
});

impl Outcome {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::ALL.len();

    #[allow(clippy::cast_possible_truncation, reason = "less than the number of outcomes")]
    pub(crate) const fn from_index(index: u64) -> Self {
        Self::ALL[(index % Self::COUNT as u64) as usize]
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
    /// Tasks that ended [`Outcome::Timeout`].
    pub timeout: u64,
    /// Tasks that ended [`Outcome::Rejected`].
    pub rejected: u64,
    /// Tasks that ended [`Outcome::Abandoned`].
    pub abandoned: u64,
}

impl OutcomeCounts {
    /// The number for one outcome.
    pub const fn get(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Ok => self.ok,
            Outcome::Error => self.error,
            Outcome::Panic => self.panic,
            Outcome::Cancelled => self.cancelled,
            Outcome::Timeout => self.timeout,
            Outcome::Rejected => self.rejected,
            Outcome::Abandoned => self.abandoned,
        }
    }

    /// All of them together.
    pub const fn total(&self) -> u64 {
        self.ok + self.error + self.panic + self.cancelled + self.timeout + self.rejected + self.abandoned
    }

    /// Adds `count` to the number for `outcome`.
    pub const fn add(&mut self, outcome: Outcome, count: u64) {
        let field = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Error => &mut self.error,
            Outcome::Panic => &mut self.panic,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Timeout => &mut self.timeout,
            Outcome::Rejected => &mut self.rejected,
            Outcome::Abandoned => &mut self.abandoned,
        };
        *field += count;
    }
}
