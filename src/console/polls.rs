//! Poll times of single tasks: of those that a client looks at in detail, from the moment it does.

use std::sync::Arc;

use console_api::tasks::DurationHistogram;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use parking_lot::Mutex;

use crate::registry::polls::Watched;
use crate::registry::registry;

/// Longer polls count as this long: an hour.
const LONGEST_NANOS: u64 = 3_600_000_000_000;
/// Significant digits of a poll time.
const DIGITS: u8 = 2;

/// A task whose polls are recorded until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    polls: Arc<Mutex<Histogram<u64>>>,
    watched: Watched,
}

impl Watch {
    /// Records polls of a task from now on; `None` if too many are watched. Only on the observer's thread.
    pub(super) fn begin(id: u64) -> Option<Self> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NANOS, DIGITS).ok()?;
        let polls = Arc::new(Mutex::new(histogram));
        let shared = Arc::clone(&polls);
        let record = move |nanos| shared.lock().saturating_record(nanos);
        let watched = registry().polls.begin(id, Box::new(record), &registry().config)?;
        Some(Self { polls, watched })
    }

    /// The poll times so far, as the console reads them; `None` if there are none.
    pub(super) fn histogram(&self) -> Option<DurationHistogram> {
        // Cloned, so that the task does not wait for the rest.
        let histogram = self.polls.lock().clone();
        if histogram.is_empty() {
            return None;
        }
        let mut raw_histogram = Vec::new();
        V2Serializer::new().serialize(&histogram, &mut raw_histogram).ok()?;
        Some(DurationHistogram { raw_histogram, max_value: LONGEST_NANOS, ..DurationHistogram::default() })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        registry().polls.end(&self.watched, &registry().config);
    }
}
