//! Ends tracked tasks for the shutdown, a policy or the API: flags all of them first, then aborts.

use super::gates::gates;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::wait::Abort;

/// Why a task is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is cancelled: by its policy, or through the admin server.
    Cancelled,
    /// It is abandoned, since its time was over.
    Abandoned,
    /// All that is left is abandoned, requests included: their responses are cut.
    AllAbandoned,
}

/// Ends tasks, and says of each that had not ended what that came to.
pub(crate) fn end(tasks: &[Current], why: Why) -> Vec<(Current, Abort)> {
    if why != Why::Cancelled {
        // All are flagged before any ends: the cut ends requests, and the drop of one task may end others.
        tasks.iter().for_each(|task| task.abandon());
    }
    if why == Why::AllAbandoned {
        gates().cut.open();
    }
    tasks.iter().filter_map(|task| Some((*task, task.abort()?))).collect()
}

/// Cancels a task by its id; `None` if no such task lives.
#[cfg(feature = "admin")]
pub(crate) fn cancel(id: u64) -> Option<Abort> {
    let task = registry().find(id)?;
    end(&[task], Why::Cancelled).first().map(|(_, abort)| *abort)
}
