//! Services and timers: what ends, what begins again, and when.

#[cfg(feature = "admin")]
mod api;
mod misuse;
#[cfg(feature = "admin")]
mod modes;
mod restarts;
#[cfg(all(unix, feature = "admin", feature = "shutdown", feature = "tower"))]
mod stopping;
mod ticks;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// When runs began, by tokio's clock, since the test did.
#[derive(Clone)]
struct Runs {
    start: Instant,
    seen: Arc<Mutex<Vec<Duration>>>,
}

impl Runs {
    fn new() -> Self {
        Self { start: Instant::now(), seen: Arc::default() }
    }

    fn note(&self) -> usize {
        let mut seen = self.seen.lock().unwrap();
        seen.push(self.start.elapsed());
        seen.len()
    }

    fn seconds(&self) -> Vec<u64> {
        self.seen.lock().unwrap().iter().map(Duration::as_secs).collect()
    }
}
