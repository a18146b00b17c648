//! Sites: names with their labels that the program knows before it runs.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

/// Kinds of tasks that a site can begin.
const KINDS: usize = 4;
/// No group yet: no id of a group is as large.
const UNKNOWN: u64 = u64::MAX;

/// A name with its labels and its location, which finds its group once in the life of the process; made by
/// [`task!`](macro@crate::task).
#[derive(Debug)]
pub struct Site {
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    location: &'static Location<'static>,
    /// For each kind its group, as tasks have it.
    groups: [AtomicU64; KINDS],
}

impl Site {
    /// For [`task!`](macro@crate::task), which puts it into a `static`.
    #[doc(hidden)]
    #[track_caller]
    pub const fn new(name: &'static str, labels: &'static [(&'static str, &'static str)]) -> Self {
        assert!(!name.is_empty(), "a task of a site has a name");
        let groups = [const { AtomicU64::new(UNKNOWN) }; KINDS];
        Self { name, labels, location: Location::caller(), groups }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn labels(&self) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
        self.labels.iter().map(|(key, value)| (Cow::Borrowed(*key), Cow::Borrowed(*value))).collect()
    }

    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// The group of its tasks of a kind.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a kind is a small number")]
    pub(crate) fn group(&self, kind: u64) -> u64 {
        // Relaxed: a thread uses it only to look for what it has of that group itself.
        self.groups[place_of(kind)].load(Ordering::Relaxed)
    }

    #[allow(clippy::cast_possible_truncation, reason = "a kind is a small number")]
    pub(crate) fn set_group(&self, kind: u64, group: u64) {
        self.groups[place_of(kind)].store(group, Ordering::Relaxed);
    }
}

/// The place of a kind; requests, the last one, have no site.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "there are few kinds")]
const fn place_of(kind: u64) -> usize {
    kind as usize % KINDS
}
