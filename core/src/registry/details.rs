//! The side table: what only some tasks have. A task without it never touches this.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::lock::Mutex;

use crate::name::MAX_FIELDS;
use crate::registry::kind::Progress;
use crate::registry::timeout::Timeout;

/// So many that none is locked for long while it grows, also with a million entries in all.
const SHARDS: usize = 256;
/// Statuses kept of one task.
const STATUSES: usize = 16;

/// Fields, status and whatever else a task may have.
#[derive(Clone, Debug, Default)]
pub struct Details {
    pub fields: Vec<(Cow<'static, str>, String)>,
    /// Newest last, each with its tick.
    pub statuses: VecDeque<(u64, Arc<str>)>,
    pub progress: Option<Progress>,
    /// When it first and last said how far it was, and how much was done at first.
    pub steps: Option<Steps>,
    pub grace: Option<Duration>,
    pub timeout: Option<Timeout>,
    /// The text of its `Err`, until it ends.
    pub message: Option<Arc<str>>,
    /// The trace that its spawn belongs to.
    pub trace_id: Option<Arc<str>>,
    /// The keys of the fields that it carries.
    pub carried: Vec<Cow<'static, str>>,
    /// The leak check that it belongs to.
    pub scope: Option<Arc<Scope>>,
}

/// From the first progress that a task set to the last.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    pub first_at: u64,
    pub first_done: u64,
    pub last_at: u64,
}

/// A leak check, inside of another or not.
#[derive(Debug)]
pub struct Scope {
    pub id: u64,
    pub outer: Option<Arc<Self>>,
}

impl Scope {
    pub fn is_within(&self, id: u64) -> bool {
        self.id == id || self.outer.as_ref().is_some_and(|outer| outer.is_within(id))
    }
}

impl Details {
    pub fn status(&self) -> Option<&Arc<str>> {
        self.statuses.back().map(|(_, status)| status)
    }

    pub fn set_progress(&mut self, at: u64, progress: Progress) {
        let first = Steps { first_at: at, first_done: progress.done, last_at: at };
        let is_back = |steps: &Steps| progress.done < steps.first_done;
        // Progress that starts over has a new pace.
        let steps = self.steps.filter(|steps| !is_back(steps)).unwrap_or(first);
        self.steps = Some(Steps { last_at: at, ..steps });
        self.progress = Some(progress);
    }

    /// Sets a field: a known key gets the new value, a new one is dropped if there are too many.
    /// Whether there was room for it.
    pub fn set_field(&mut self, key: Cow<'static, str>, value: String) -> bool {
        if let Some((_, known)) = self.fields.iter_mut().find(|(known, _)| *known == key) {
            *known = value;
        } else if self.fields.len() < MAX_FIELDS {
            self.fields.push((key, value));
        } else {
            return false;
        }
        true
    }

    pub fn push_status(&mut self, at: u64, status: Arc<str>) {
        if self.status().is_some_and(|last| *last == status) {
            return;
        }
        if self.statuses.len() == STATUSES {
            self.statuses.pop_front();
        }
        self.statuses.push_back((at, status));
    }
}

type Shard = HashMap<u64, Box<Details>, foldhash::fast::RandomState>;

/// Details by task id.
#[derive(Debug)]
pub struct DetailsTable {
    shards: [Mutex<Shard>; SHARDS],
}

impl DetailsTable {
    pub fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    fn shard(&self, id: u64) -> &Mutex<Shard> {
        &self.shards[usize::try_from(id % SHARDS as u64).unwrap_or(0)]
    }

    pub fn insert(&self, id: u64, details: Box<Details>) {
        self.shard(id).lock().insert(id, details);
    }

    pub fn remove(&self, id: u64) -> Option<Box<Details>> {
        self.shard(id).lock().remove(&id)
    }

    /// Changes the details of a task, made if it had none.
    pub fn update<R>(&self, id: u64, change: impl FnOnce(&mut Details) -> R) -> R {
        change(self.shard(id).lock().entry(id).or_default())
    }

    pub fn read<R>(&self, id: u64, read: impl FnOnce(&Details) -> R) -> Option<R> {
        self.shard(id).lock().get(&id).map(|details| read(details))
    }
}
