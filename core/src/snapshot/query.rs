//! Which tasks a page shows, in which order.

use crate::id::{GroupId, TaskId};
use crate::outcome::Outcome;
use crate::registry::kind::Kind;
use crate::snapshot::{Filter, State};

/// By what a page of tasks is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SortBy {
    /// Time since the spawn.
    #[default]
    Age,
    /// Time spent in polls.
    Busy,
    /// Polls begun.
    Polls,
    /// Name, then id.
    Name,
}

/// In which direction a page of tasks is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SortOrder {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// Which live tasks a page shows, and how it is sorted.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TaskQuery {
    /// Only tasks of this name.
    pub name: Option<String>,
    /// Only tasks of this kind.
    pub kind: Option<Kind>,
    /// Only tasks in this state.
    pub state: Option<State>,
    /// Only tasks of this group.
    pub group: Option<GroupId>,
    /// Only children of this task.
    pub parent: Option<TaskId>,
    /// Only tasks without a live parent.
    pub roots: bool,
    /// Only tasks with this text in name, label, field, status, location or state, in any case.
    pub search: Option<String>,
    /// Only tasks that it finds.
    pub filter: Filter,
    /// By what they are sorted.
    pub sort: SortBy,
    /// In which direction; by default the largest first, names ascending.
    pub order: Option<SortOrder>,
    /// Tasks on the page: 100 by default, at most 500.
    pub limit: Option<usize>,
    /// Where the page begins: [`Page::next`] of the one before.
    pub cursor: Option<String>,
}

/// Which finished tasks a page shows, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FinishedQuery {
    /// Only tasks of this name.
    pub name: Option<String>,
    /// Only tasks of this kind.
    pub kind: Option<Kind>,
    /// Only tasks of this group.
    pub group: Option<GroupId>,
    /// Only tasks that ended so.
    pub outcome: Option<Outcome>,
    /// Only tasks with this text in name, label, field, status, location, outcome or message, in any case.
    pub search: Option<String>,
    /// Only tasks that it finds.
    pub filter: Filter,
    /// Tasks on the page: 100 by default, at most 500.
    pub limit: Option<usize>,
    /// Where the page begins: [`Page::next`] of the one before.
    pub cursor: Option<String>,
}

/// A page of tasks.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Page<T> {
    /// How many there are in all.
    pub total: usize,
    /// Those of this page.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last.
    pub next: Option<String>,
}

/// What both kinds of query have: each sets the field of its name.
macro_rules! narrowing {
    () => {
        /// Only tasks of this name.
        #[must_use]
        pub fn name(mut self, name: impl Into<String>) -> Self {
            self.name = Some(name.into());
            self
        }

        /// Only tasks of this kind.
        #[must_use]
        pub const fn kind(mut self, kind: Kind) -> Self {
            self.kind = Some(kind);
            self
        }

        /// Only tasks of this group.
        #[must_use]
        pub const fn group(mut self, group: GroupId) -> Self {
            self.group = Some(group);
            self
        }

        /// Only tasks that this text finds, as the field `search` describes it.
        #[must_use]
        pub fn search(mut self, text: impl Into<String>) -> Self {
            self.search = Some(text.into());
            self
        }

        /// At most so many tasks on a page.
        #[must_use]
        pub const fn limit(mut self, tasks: usize) -> Self {
            self.limit = Some(tasks);
            self
        }

        /// The page that begins at [`Page::next`] of the previous one; `None` for the first.
        #[must_use]
        pub fn cursor(mut self, cursor: Option<String>) -> Self {
            self.cursor = cursor;
            self
        }

        /// Only tasks that the filter finds.
        #[must_use]
        pub fn filter(mut self, filter: Filter) -> Self {
            self.filter = filter;
            self
        }
    };
}

impl TaskQuery {
    narrowing!();

    /// Only tasks without a live parent.
    #[must_use]
    pub const fn roots(mut self) -> Self {
        self.roots = true;
        self
    }

    /// Only tasks in this state.
    #[must_use]
    pub const fn state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// Only children of this task.
    #[must_use]
    pub const fn parent(mut self, parent: TaskId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// The sort key; the largest come first, names ascending.
    #[must_use]
    pub const fn sort(mut self, by: SortBy) -> Self {
        self.sort = by;
        self
    }

    /// The direction, where it is not that of the sort key.
    #[must_use]
    pub const fn order(mut self, order: SortOrder) -> Self {
        self.order = Some(order);
        self
    }
}

impl FinishedQuery {
    narrowing!();

    /// Only tasks with this outcome.
    #[must_use]
    pub const fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }
}
