//! Poll times of single tasks: of those that a client looks at in detail, from the moment it does.
//!
//! While nobody does, polls are looked at only where they are slow, which costs what it costs without a console. While somebody does, every poll
//! of every task compares its id with a few numbers, and those that match go into a histogram under its lock.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use console_api::tasks::DurationHistogram;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use parking_lot::Mutex;

use crate::clock;
use crate::registry::registry;

/// Most tasks watched at a time.
const PLACES: usize = 8;
/// Longer polls count as this long: an hour.
const LONGEST_NANOS: u64 = 3_600_000_000_000;
/// Significant digits of a poll time.
const DIGITS: u8 = 2;

#[derive(Debug)]
struct Place {
    /// The task's id; 0 while free.
    id: AtomicU64,
    /// With the id once more, for who saw it just before the place changed hands.
    histogram: Mutex<Option<(u64, Histogram<u64>)>>,
}

static WATCHED: [Place; PLACES] =
    [const { Place { id: AtomicU64::new(0), histogram: Mutex::new(None) } }; PLACES];
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// Notes how long a poll took, if its task is watched.
pub(crate) fn note(id: u64, ticks: u64) {
    let Some(place) = WATCHED.iter().find(|place| place.id.load(Ordering::Acquire) == id) else { return };
    if let Some((owner, histogram)) = &mut *place.histogram.lock()
        && *owner == id
    {
        histogram.saturating_record(clock::nanos_between(0, ticks));
    }
}

/// A task whose polls are noted until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    place: &'static Place,
}

impl Watch {
    /// Notes polls of a task from now on; `None` if too many are watched. Only on the observer's thread.
    pub(super) fn begin(id: u64) -> Option<Self> {
        let place = WATCHED.iter().find(|place| place.id.load(Ordering::Relaxed) == 0)?;
        let histogram = Histogram::new_with_bounds(1, LONGEST_NANOS, DIGITS).ok()?;
        *place.histogram.lock() = Some((id, histogram));
        place.id.store(id, Ordering::Release);
        WATCHES.fetch_add(1, Ordering::Relaxed);
        registry().config.note_all_polls(true);
        Some(Self { place })
    }

    /// The poll times so far, as the console reads them; `None` if there are none.
    pub(super) fn histogram(&self) -> Option<DurationHistogram> {
        // Cloned, so that the task does not wait for the rest.
        let (_, histogram) = self.place.histogram.lock().clone().filter(|(_, polls)| !polls.is_empty())?;
        let mut raw_histogram = Vec::new();
        V2Serializer::new().serialize(&histogram, &mut raw_histogram).ok()?;
        Some(DurationHistogram { raw_histogram, max_value: LONGEST_NANOS, ..DurationHistogram::default() })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.place.id.store(0, Ordering::Release);
        *self.place.histogram.lock() = None;
        if WATCHES.fetch_sub(1, Ordering::Relaxed) == 1 {
            registry().config.note_all_polls(false);
        }
    }
}
