//! Ids of tasks and groups.

use std::fmt;

/// The id of a task: never reused in a process, below 2^53, so that JSON numbers hold it.
///
/// Ids follow the order of the spawns, to within 10 ms. Each thread takes up to 64 at once, and skips
/// those that it has not used by then, so there are gaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct TaskId(u64);

/// The id of a group: small, and stable while the process lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct GroupId(u32);

impl TaskId {
    /// The number, as JSON and log lines show it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl GroupId {
    /// The number, as JSON shows it.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// From a number that an API answered or a log line showed; it may be the id of no task.
impl From<u64> for TaskId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

/// From a number that an API answered; it may be the id of no group.
impl From<u32> for GroupId {
    fn from(id: u32) -> Self {
        Self(id)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupId({})", self.0)
    }
}
