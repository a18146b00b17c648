//! What a task is: its kind, its policy at a shutdown, its progress, its labels.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::named::named;

/// What runs: which of the spawn functions began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Kind {
    /// [`spawn`](crate::spawn), [`spawn_on`](crate::spawn_on), [`spawn_in`](crate::spawn_in) and
    /// [`Executor`](crate::Executor).
    Task,
    /// [`spawn_local`](crate::spawn_local) and [`spawn_local_on`](crate::spawn_local_on).
    Local,
    /// [`spawn_blocking`](crate::spawn_blocking) and [`spawn_blocking_on`](crate::spawn_blocking_on).
    Blocking,
    /// [`track`](crate::track).
    Future,
    /// A request under the tower layer.
    Request,
    /// One run of a [`service`](crate::service).
    Service,
    /// One run of a timer; see [`every`](crate::every).
    Timer,
}

named!(Kind {
    Task => "task",
    Local => "local",
    Blocking => "blocking",
    Future => "future",
    Request => "request",
    Service => "service",
    Timer => "timer",
});

/// The kinds as numbers, for the functions that the compiler makes once for each.
pub const TASK: u64 = Kind::Task as u64;
pub const LOCAL: u64 = Kind::Local as u64;
pub const BLOCKING: u64 = Kind::Blocking as u64;
pub const FUTURE: u64 = Kind::Future as u64;
pub const SERVICE: u64 = Kind::Service as u64;
pub const TIMER: u64 = Kind::Timer as u64;

/// The kind of such a number.
pub fn kind_of(number: u64) -> Kind {
    let is_it = |kind: &Kind| *kind as u64 == number;
    Kind::ALL.iter().copied().find(is_it).expect("there is a kind for each number")
}

/// What becomes of a task when the process stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OnShutdown {
    /// It is waited for until the deadline (`drain_timeout`, 25 s), then abandoned.
    #[default]
    Wait,
    /// It is aborted as soon as draining begins. It counts as cancelled and leaves the exit code at 0.
    Cancel,
    /// It runs on until nothing else is waited for, except tasks that await [`idle()`](crate::idle)
    /// themselves. Then `draining()` notifies it and its grace begins. Without a grace it has the rest of
    /// `drain_timeout`; if its turn comes only at the deadline or a force, 1 s. Use it for caches, batchers
    /// and background loops that other tasks feed.
    Last,
    /// It is reported and not waited for.
    Detach,
    /// It is notified, has a short grace (the setting `connection_grace`, 2 s), and is then cancelled, which
    /// is not a failure. Use it for tasks that serve a connection for as long as the peer likes.
    Connection,
}

named!(OnShutdown {
    Wait => "wait",
    Cancel => "cancel",
    Last => "last",
    Detach => "detach",
    Connection => "connection",
});

/// How far a task has come, as it reported itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 where not known.
    pub total: u64,
}

impl Progress {
    /// `done` of `total` units; a `total` of 0 means that it is not known.
    pub const fn new(done: u64, total: u64) -> Self {
        Self { done, total }
    }
}

/// The labels of a group, in the order in which they were given.
///
/// A clone shares them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[(Cow<'static, str>, Cow<'static, str>)]>);

impl Labels {
    pub(crate) fn new(labels: Vec<(Cow<'static, str>, Cow<'static, str>)>) -> Self {
        Self(labels.into())
    }

    /// How many there are: at most 8.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the label with this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Keys and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
