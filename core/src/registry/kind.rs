//! What a task is: its kind, its policy at a shutdown, its progress, its labels.

use std::borrow::Cow;
use std::sync::Arc;

/// What runs: which of the spawn functions began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Kind {
    /// [`spawn`](crate::spawn) and [`spawn_on`](crate::spawn_on).
    Task,
    /// [`spawn_local`](crate::spawn_local).
    Local,
    /// [`spawn_blocking`](crate::spawn_blocking).
    Blocking,
    /// [`track`](crate::track).
    Future,
    /// A request under the tower layer.
    Request,
}

impl Kind {
    /// All kinds, in the order in which they are listed everywhere.
    pub const ALL: [Self; 5] = [Self::Task, Self::Local, Self::Blocking, Self::Future, Self::Request];

    /// The name used in metrics, JSON and log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Local => "local",
            Self::Blocking => "blocking",
            Self::Future => "future",
            Self::Request => "request",
        }
    }
}

/// What becomes of a task when the process stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OnShutdown {
    /// It is waited for.
    #[default]
    Wait,
    /// It is aborted as soon as draining begins.
    Cancel,
    /// It is left alone until nothing else is waited for but what awaits [`idle()`](crate::idle) itself, then told through
    /// `draining()` and given its grace: for caches, batchers and background loops that other tasks feed.
    Last,
    /// It is reported and not waited for.
    Detach,
}

impl OnShutdown {
    /// The name used in settings, JSON and log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Cancel => "cancel",
            Self::Last => "last",
            Self::Detach => "detach",
        }
    }
}

/// How far a task has come, as it said itself.
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

/// The labels of a group: keys and values, in the order in which they were given.
pub type Labels = Arc<[(Cow<'static, str>, Cow<'static, str>)]>;
