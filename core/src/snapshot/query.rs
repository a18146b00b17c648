//! Which tasks a page shows, in which order.

use crate::outcome::Outcome;
use crate::registry::id::{GroupId, TaskId};
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
#[derive(Clone, Debug, Default)]
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
#[derive(Clone, Debug, Default)]
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
#[derive(Clone, Debug)]
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
