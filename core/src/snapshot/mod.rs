//! What the registry held at a moment, as plain data: what metrics, HTTP, log and console read.
//!
//! # What a concurrent reading may miss
//!
//! A reading stops no other thread, so tasks start and end while it is taken.
//!
//! - **Totals are exact.** In one [`Snapshot`], for each group, `spawned` is `finished.total() + live`, and
//!   the buckets of its durations add up to `finished.total()`. From one snapshot to the next no total goes
//!   backwards. A task that starts or ends during the reading is counted before or after, as a whole.
//! - **Figures of live tasks are those of the moment at which the reading passed them**: `blocked`, the
//!   oldest, and what live tasks add to `polls` and `busy`. A task that starts or ends during the reading may
//!   be missing from them; none is seen twice.
//! - **A page of tasks** has no task twice. One that starts or ends during the reading may be missing.

mod filter;
mod fold;
mod info;
mod page;
mod quantile;
mod query;
#[doc(hidden)]
#[allow(missing_docs, clippy::new_without_default, reason = "only `headcount` uses it")]
pub mod read;
#[doc(hidden)]
#[allow(missing_docs, reason = "only `headcount` uses it")]
pub mod traced;

pub use crate::id::{GroupId, TaskId};
pub use crate::outcome::{Outcome, OutcomeCounts};
pub use crate::registry::kind::{Kind, Labels, OnShutdown, Progress};

pub use self::filter::{Filter, FilterError};
#[doc(hidden)]
pub use self::fold::OkGroup;
pub use self::info::{
    Bucket, Durations, Failure, FinishedTask, GroupInfo, Oldest, Pace, Snapshot, State, StateCounts,
    TaskDetails, TaskInfo, TaskLookup, TermsInfo, TimeoutInfo, Usual,
};
pub use self::page::CursorError;
pub use self::query::{FinishedQuery, Page, SortBy, SortOrder, TaskQuery};

/// Reads totals and groups as they are now, also before `install` and without it.
///
/// # Cost
///
/// A pass over the live tasks, some milliseconds for a million, on the calling thread. The tasks do not
/// notice.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handle = headcount::task("report").spawn(async {});
/// assert_eq!(headcount::snapshot().live, 1);
/// handle.await.unwrap();
/// assert_eq!(headcount::snapshot().finished.ok, 1);
/// # }
/// ```
pub fn snapshot() -> Snapshot {
    read::snapshot()
}

/// Reads one page of live tasks, as they are now.
///
/// # Cost
///
/// About 7 ns for each live task, whatever the order and the filter. A search that has to look into fields
/// and statuses costs about 300 ns more for each task that has some. At most two pages of tasks are kept in
/// memory.
///
/// # Errors
///
/// The cursor is not one of such a page.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), headcount::snapshot::CursorError> {
/// use headcount::snapshot::{TaskQuery, tasks};
///
/// let email = headcount::task("send-email").spawn(std::future::pending::<()>());
/// let page = tasks(&TaskQuery::default().name("send-email").limit(10))?;
/// assert_eq!(page.total, 1);
/// # email.abort();
/// # Ok(())
/// # }
/// ```
pub fn tasks(query: &TaskQuery) -> Result<Page<TaskInfo>, CursorError> {
    page::live_page(query, || ())
}

/// Reads one page of finished tasks, the newest first.
///
/// The history holds the newest `history` tasks of any outcome, and the newest `history` tasks that did not
/// end `ok`.
///
/// # Errors
///
/// The cursor is not one of such a page.
pub fn finished(query: &FinishedQuery) -> Result<Page<FinishedTask>, CursorError> {
    page::finished_page(query)
}

/// Reads one task, live or in the history. `None` if it never lived or the history has dropped it.
pub fn task(id: impl Into<TaskId>) -> Option<TaskDetails> {
    read::lookup(id.into().get())
}

/// [`tasks`] for a thread that others share: it calls `pause` after each few tasks.
#[doc(hidden)]
#[allow(missing_docs, clippy::missing_errors_doc, reason = "only `headcount` uses it")]
pub fn tasks_in_slices(query: &TaskQuery, pause: impl FnMut()) -> Result<Page<TaskInfo>, CursorError> {
    page::live_page(query, pause)
}

/// [`finished`], but if more that were ok fit than a page has, it is without them, and they come by group.
#[doc(hidden)]
#[allow(missing_docs, clippy::missing_errors_doc, reason = "only `headcount` uses it")]
pub fn finished_folded(query: &FinishedQuery) -> Result<(Page<FinishedTask>, Vec<OkGroup>), CursorError> {
    page::folded_page(query)
}
