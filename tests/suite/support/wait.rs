//! Waiting for a condition: the one loop with a pause in it that tests have.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for the busiest machine; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(10);

/// Waits until there is what `look` looks for. What it saw instead is shown where that never comes.
#[track_caller]
pub(crate) fn until<T, S: Debug>(mut look: impl FnMut() -> Result<T, S>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < end, "it never came; there was {seen:#?}"),
        }
        thread::sleep(PAUSE);
    }
}

/// The same where the tasks of a runtime need this thread meanwhile.
pub(crate) async fn until_yielding<T, S: Debug>(mut look: impl FnMut() -> Result<T, S>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < end, "it never came; there was {seen:#?}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same where looking is awaited too.
pub(crate) async fn until_awaited<T, S: Debug>(mut look: impl AsyncFnMut() -> Result<T, S>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => assert!(Instant::now() < end, "it never came; there was {seen:#?}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until a condition holds, where a pause would move the runtime's paused clock.
pub(crate) async fn until_true_yielding(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "it never came");
        tokio::task::yield_now().await;
    }
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn until_true(what: &str, mut is_so: impl FnMut() -> bool) {
    until(|| is_so().then_some(()).ok_or_else(|| format!("not yet: {what}")));
}
