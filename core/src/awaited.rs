//! What the code that awaits a task learns about its end.

use tokio::task::JoinError;

use crate::outcome::Outcome;
use crate::registry::registry;

/// The outcome of a task whose [`JoinHandle`](tokio::task::JoinHandle) gave this error.
///
/// tokio distinguishes a panic from a cancellation, and nothing more. This function also finds out whether
/// the shutdown abandoned the task. It knows the newest 10,000 abandoned tasks; for an older one it returns
/// [`Outcome::Cancelled`].
///
/// # Cost
///
/// A lock, and a search among the abandoned tasks.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handle = headcount::spawn(std::future::pending::<()>());
/// handle.abort();
/// let error = handle.await.unwrap_err();
/// assert_eq!(headcount::outcome_of(&error), headcount::Outcome::Cancelled);
/// # }
/// ```
pub fn outcome_of(error: &JoinError) -> Outcome {
    if error.is_panic() {
        Outcome::Panic
    } else if registry().watch.was_abandoned(error.id()) {
        Outcome::Abandoned
    } else {
        Outcome::Cancelled
    }
}
