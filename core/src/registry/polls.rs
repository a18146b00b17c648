//! Poll times of single tasks: of those that an observer watches, from the moment it begins.
//!
//! Without an observer, only slow polls are examined. With one, every poll of every task compares the task's
//! id with a few numbers, and a match goes to the observer's recorder under the recorder's lock.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::lock::Mutex;

use crate::clock;
use crate::registry::config::Config;

/// The most tasks watched at a time.
const PLACES: usize = 8;

/// Takes the length of one poll in nanoseconds. It runs on the task's worker thread.
pub type Recorder = Box<dyn FnMut(u64) + Send>;

/// The tasks whose polls are recorded.
pub struct WatchedPolls {
    places: [Place; PLACES],
    watches: AtomicUsize,
}

struct Place {
    /// The task's id; 0 while free.
    id: AtomicU64,
    /// With the id once more, for a poll that saw it just before the place changed hands.
    recorder: Mutex<Option<(u64, Recorder)>>,
}

/// One watched task, until [`end`](WatchedPolls::end).
#[derive(Debug)]
pub struct Watched {
    place: usize,
}

impl WatchedPolls {
    pub const fn new() -> Self {
        Self {
            places: [const { Place { id: AtomicU64::new(0), recorder: Mutex::new(None) } }; PLACES],
            watches: AtomicUsize::new(0),
        }
    }

    /// Records a poll if its task is watched.
    pub fn note(&self, id: u64, ticks: u64) {
        let is_it = |place: &&Place| place.id.load(Ordering::Acquire) == id;
        let Some(place) = self.places.iter().find(is_it) else { return };
        let mut recorder = place.recorder.lock();
        match &mut *recorder {
            Some((owner, record)) if *owner == id => record(clock::nanos_between(0, ticks)),
            _ => {}
        }
    }

    /// Records polls of a task from now on; `None` if too many are watched. Only one thread begins watches.
    pub fn begin(&self, id: u64, recorder: Recorder, config: &Config) -> Option<Watched> {
        let index = self.places.iter().position(|place| place.id.load(Ordering::Relaxed) == 0)?;
        let place = &self.places[index];
        *place.recorder.lock() = Some((id, recorder));
        place.id.store(id, Ordering::Release);
        self.watches.fetch_add(1, Ordering::Relaxed);
        config.note_all_polls(true);
        Some(Watched { place: index })
    }

    /// Ends a watch.
    pub fn end(&self, watched: &Watched, config: &Config) {
        let place = &self.places[watched.place];
        place.id.store(0, Ordering::Release);
        let recorder = place.recorder.lock().take();
        drop(recorder);
        if self.watches.fetch_sub(1, Ordering::Relaxed) == 1 {
            config.note_all_polls(false);
        }
    }
}

impl Default for WatchedPolls {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WatchedPolls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedPolls").field("watches", &self.watches).finish_non_exhaustive()
    }
}
