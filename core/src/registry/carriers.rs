//! What tasks carry beyond their spawn: the [carriers](crate::carry) of the process, and what each task has.
//!
//! The flag `CARRIES` of the flag word says that there are carriers, so that each spawn takes the whole way.
//! A task that has something loses `PLAIN`, and its polls take it from here and put it back.
//!
//! Carriers are code of users. All of it is called without a lock, and where a panic costs the task what it
//! carried, and nothing else.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tracing::warn;

use crate::carry::{Carried, Carrier, Spawn};
use crate::lock::{Mutex, RwLock};
use crate::name::escape;
use crate::outcome::Outcome;
use crate::registry::flags::{CARRIES, flags};
use crate::registry::registry;

/// As many as the side table has.
const SHARDS: usize = 256;

thread_local! {
    /// Whether a carrier is taking, so that what it spawns itself carries nothing.
    static TAKES: Cell<bool> = const { Cell::new(false) };
}

/// A carrier, and whether its first panic was logged.
struct Source {
    carrier: Arc<dyn Carrier>,
    is_known: AtomicBool,
}

/// What one carrier gave one task; `None` once it has panicked.
struct Item {
    carried: Option<Box<dyn Carried>>,
    source: Arc<Source>,
}

/// All that one task carries, the outermost first.
pub struct Load(Vec<Item>);

/// What a spawn took, and what is to be seen of it.
#[derive(Debug)]
pub struct Taken {
    pub load: Load,
    pub trace_id: Option<String>,
    pub fields: Vec<(Cow<'static, str>, String)>,
}

/// What the code that made a service or timer had, to be taken again by each of its runs.
#[derive(Debug)]
pub struct Captured(Load);

impl Captured {
    /// `None` where nothing is carried.
    pub fn new(name: &str) -> Option<Self> {
        if !flags().see().has(CARRIES) {
            return None;
        }
        registry().carriers.take(&Spawn::new(name, None, false)).map(|taken| Self(taken.load))
    }

    /// Spawns a run inside of it.
    pub fn within(&mut self, spawn: &mut dyn FnMut()) {
        registry().carriers.enter(&mut self.0.0, spawn);
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        self.0.0.iter_mut().for_each(|item| registry().carriers.drop_item(item));
    }
}

/// What the table knows of a task.
enum Entry {
    /// What it carries.
    Here(Load),
    /// A poll has it.
    Away,
    /// The task ended in the poll that has it.
    Over(Outcome),
}

type Shard = HashMap<u64, Entry, foldhash::fast::RandomState>;

/// The carriers of the process, and what its tasks carry.
pub struct Carriers {
    sources: RwLock<Arc<[Arc<Source>]>>,
    shards: [Mutex<Shard>; SHARDS],
    dropped: AtomicU64,
}

impl fmt::Debug for Carriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carriers").finish_non_exhaustive()
    }
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").finish_non_exhaustive()
    }
}

impl Carriers {
    pub fn new() -> Self {
        Self {
            sources: RwLock::new(Arc::new([])),
            shards: std::array::from_fn(|_| Mutex::default()),
            dropped: AtomicU64::new(0),
        }
    }

    /// Lets all spawns from now on take what these have.
    pub fn set(&self, carriers: impl IntoIterator<Item = Arc<dyn Carrier>>) {
        let source = |carrier| Arc::new(Source { carrier, is_known: AtomicBool::new(false) });
        let sources: Arc<[_]> = carriers.into_iter().map(source).collect();
        if !sources.is_empty() {
            *self.sources.write() = sources;
            flags().set(CARRIES);
        }
    }

    /// How often something was dropped because its carrier panicked.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What the code that spawns this task has; `None` if nothing.
    pub fn take(&self, task: &Spawn<'_>) -> Option<Taken> {
        if TAKES.replace(true) {
            return None;
        }
        let taken = self.take_from_all(task);
        TAKES.set(false);
        taken
    }

    fn take_from_all(&self, task: &Spawn<'_>) -> Option<Taken> {
        let sources = Arc::clone(&self.sources.read());
        let take = |source: &Arc<Source>| {
            let carried = self.guard(source, || source.carrier.take(task)).flatten()?;
            Some(Item { carried: Some(carried), source: Arc::clone(source) })
        };
        let items: Vec<Item> = sources.iter().filter_map(take).collect();
        if items.is_empty() {
            return None;
        }
        let (mut trace_id, mut fields) = (None, Vec::new());
        // With tracking off there is no id, and nothing is shown.
        for Item { carried, source } in items.iter().filter(|_| task.id.is_some()) {
            let Some(carried) = carried else { continue };
            let shown = self.guard(source, || (carried.trace_id(), carried.fields()));
            let Some((id, more)) = shown else { continue };
            trace_id = trace_id.or(id);
            fields.extend(more);
        }
        Some(Taken { load: Load(items), trace_id, fields })
    }

    /// Keeps what a task carries until it ends.
    pub fn keep(&self, id: u64, load: Load) {
        self.shard(id).lock().insert(id, Entry::Here(load));
    }

    /// Runs one poll of a task inside what it carries, if anything. The poll does not unwind.
    pub fn poll(&self, id: u64, poll: &mut dyn FnMut()) {
        let Some(mut load) = self.lift(id) else { return poll() };
        self.enter(&mut load.0, poll);
        let mut shard = self.shard(id).lock();
        if let Some(entry @ Entry::Away) = shard.get_mut(&id) {
            *entry = Entry::Here(load);
            return;
        }
        let over = shard.remove(&id);
        drop(shard);
        if let Some(Entry::Over(outcome)) = over {
            self.end_load(load, outcome);
        }
    }

    fn lift(&self, id: u64) -> Option<Load> {
        let mut shard = self.shard(id).lock();
        let entry = shard.get_mut(&id)?;
        match std::mem::replace(entry, Entry::Away) {
            Entry::Here(load) => Some(load),
            other => {
                *entry = other;
                None
            }
        }
    }

    /// Ends what a task carried: `tell` runs inside it, where a poll is not inside it already.
    pub fn end(&self, id: u64, outcome: Outcome, tell: &mut dyn FnMut()) {
        let lifted = self.lift(id);
        let Some(mut load) = lifted else {
            tell();
            if let Some(entry) = self.shard(id).lock().get_mut(&id) {
                *entry = Entry::Over(outcome);
            }
            return;
        };
        self.enter(&mut load.0, tell);
        self.shard(id).lock().remove(&id);
        self.end_load(load, outcome);
    }

    /// Drops what a task carried with tracking off.
    pub fn discard(&self, id: u64) {
        let entry = self.shard(id).lock().remove(&id);
        if let Some(Entry::Here(mut load)) = entry {
            load.0.iter_mut().for_each(|item| self.drop_item(item));
        }
    }

    fn end_load(&self, mut load: Load, outcome: Outcome) {
        for item in &mut load.0 {
            if let Some(carried) = &mut item.carried {
                self.guard(&item.source, || carried.end(outcome));
            }
            self.drop_item(item);
        }
    }

    /// Enters the first of these, and the others within it.
    fn enter(&self, items: &mut [Item], poll: &mut dyn FnMut()) {
        let Some((first, rest)) = items.split_first_mut() else { return poll() };
        let Some(carried) = &mut first.carried else { return self.enter(rest, poll) };
        let mut has_run = false;
        let mut inner = || {
            if !std::mem::replace(&mut has_run, true) {
                self.enter(rest, poll);
            }
        };
        let entered = catch_unwind(AssertUnwindSafe(|| carried.enter(&mut inner)));
        if entered.is_err() || !has_run {
            self.count(&first.source);
            self.drop_item(first);
        }
        if !has_run {
            self.enter(rest, poll);
        }
    }

    fn drop_item(&self, item: &mut Item) {
        if let Some(carried) = item.carried.take() {
            self.guard(&item.source, || drop(carried));
        }
    }

    /// Calls a carrier's code. `None` if it panicked, which is counted.
    fn guard<T>(&self, source: &Source, call: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(call));
        if result.is_err() {
            self.count(source);
        }
        result.ok()
    }

    /// Counts a panic, and logs the carrier's first.
    fn count(&self, source: &Source) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        if !source.is_known.swap(true, Ordering::Relaxed) {
            // A subscriber may panic, and a name is the user's code too.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let name = escape(source.carrier.name());
                warn!(
                    target: "headcount",
                    "The carrier {name} panicked: tasks go on without what it carries; \
                     headcount_carriers_dropped_total counts how often"
                );
            }));
        }
    }

    fn shard(&self, id: u64) -> &Mutex<Shard> {
        &self.shards[usize::try_from(id % SHARDS as u64).unwrap_or(0)]
    }
}
