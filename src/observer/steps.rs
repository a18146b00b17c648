//! The short waits at the end of a process, for other threads of headcount's own.
//!
//! They count steps and not the time. A machine that runs nothing of this process for a while does not run
//! those threads either, so a deadline would pass before they had a turn.

use std::pin::pin;
use std::time::Duration;

/// The length of a step, at which what is waited for is looked at again.
pub(crate) const STEP: Duration = Duration::from_millis(5);

/// How many steps a time has.
pub(crate) fn steps(time: Duration) -> u128 {
    time.as_millis() / STEP.as_millis()
}

/// What `work` gives; `None` where that takes longer than `at_most`.
pub(crate) async fn within<T>(at_most: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    for _ in 0..steps(at_most) {
        if let Ok(given) = tokio::time::timeout(STEP, &mut work).await {
            return Some(given);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::task::Poll;
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_machine_that_stands_still_for_longer_than_the_wait_does_not_end_it() {
        let at_most = Duration::from_millis(50);
        let mut looks = 0;
        let slow = poll_fn(|_| {
            looks += 1;
            if looks == 1 {
                thread::sleep(at_most * 2);
            }
            if looks < 3 { Poll::Pending } else { Poll::Ready(()) }
        });
        assert_eq!(within(at_most, slow).await, Some(()));
    }

    #[tokio::test]
    async fn what_never_comes_is_waited_for_so_long() {
        let began = Instant::now();
        assert_eq!(within(Duration::from_millis(50), pending::<()>()).await, None);
        assert!(Duration::from_millis(50) <= began.elapsed());
    }
}
