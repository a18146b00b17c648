//! What the code that awaits a task learns about its end.

use tokio::task::JoinError;

use crate::outcome::Outcome;
use crate::registry::outcomes::outcomes;

/// The outcome of a task whose [`JoinHandle`](tokio::task::JoinHandle) gave this error.
///
/// tokio distinguishes a panic from a cancellation, and nothing more. This function also finds out whether
/// the task's timeout had passed, whether it was rejected, and whether the shutdown abandoned it. It knows
/// the newest 10,000 of such tasks; for an older one it returns [`Outcome::Cancelled`].
///
/// # Cost
///
/// A lock, and a look into a hash table.
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
        return Outcome::Panic;
    }
    outcomes().find(error.id()).unwrap_or(Outcome::Cancelled)
}
