//! The registry's own settings. They act from the moment they are set; before, their defaults do.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::lock::RwLock;

use crate::clock;
use crate::name::fits;
use crate::registry::flags::flags;
use crate::registry::kind::OnShutdown;
use crate::registry::slot::MAX_GROUP_ID;
use crate::registry::stripe::Bounds;

/// Upper bounds of the duration buckets, in seconds: jobs reach hours.
pub const DEFAULT_BUCKETS: [f64; 20] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
    3600.0, 7200.0, 21600.0,
];
pub const DEFAULT_HISTORY: usize = 1000;
pub const DEFAULT_MAX_GROUPS: usize = 200;
pub const DEFAULT_SLOW_POLL: Duration = Duration::from_millis(10);
pub const DEFAULT_BLOCKED_AFTER: Duration = Duration::from_secs(1);

/// A text about to be stored: where it comes from, for the function that `headcount`'s setting `redact`
/// names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextSource<'a> {
    /// The value of the field with this key; `Field("trace_id")` for trace ids.
    Field(&'a str),
    /// A status.
    Status,
    /// The text of a panic or error. At most 4,096 bytes are stored.
    Message,
}

pub type Redact = Arc<dyn Fn(TextSource<'_>, &str) -> Option<String> + Send + Sync>;

pub struct Config {
    history: AtomicUsize,
    max_groups: AtomicUsize,
    slow_poll_ticks: AtomicU64,
    blocked_after_ticks: AtomicU64,
    hides_fields: AtomicBool,
    hides_messages: AtomicBool,
    bounds: RwLock<Arc<Bounds>>,
    redact: RwLock<Option<Redact>>,
    policies: RwLock<Vec<(String, OnShutdown)>>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").finish_non_exhaustive()
    }
}

impl Config {
    pub fn new() -> Self {
        flags().set_notable_poll_ticks(clock::ticks_in(DEFAULT_SLOW_POLL));
        Self {
            history: AtomicUsize::new(DEFAULT_HISTORY),
            max_groups: AtomicUsize::new(DEFAULT_MAX_GROUPS),
            slow_poll_ticks: AtomicU64::new(clock::ticks_in(DEFAULT_SLOW_POLL)),
            blocked_after_ticks: AtomicU64::new(clock::ticks_in(DEFAULT_BLOCKED_AFTER)),
            hides_fields: AtomicBool::new(false),
            hides_messages: AtomicBool::new(false),
            bounds: RwLock::new(Arc::new(Bounds::new(DEFAULT_BUCKETS.to_vec()))),
            redact: RwLock::new(None),
            policies: RwLock::new(Vec::new()),
        }
    }

    pub fn history(&self) -> usize {
        self.history.load(Ordering::Relaxed)
    }

    pub fn set_history(&self, entries: usize) {
        self.history.store(entries, Ordering::Relaxed);
    }

    pub fn max_groups(&self) -> usize {
        self.max_groups.load(Ordering::Relaxed).min(MAX_GROUP_ID as usize - 8)
    }

    pub fn set_max_groups(&self, groups: usize) {
        self.max_groups.store(groups, Ordering::Relaxed);
    }

    pub fn slow_poll_ticks(&self) -> u64 {
        self.slow_poll_ticks.load(Ordering::Relaxed)
    }

    pub fn set_slow_poll(&self, threshold: Duration) {
        self.slow_poll_ticks.store(clock::ticks_in(threshold), Ordering::Relaxed);
        flags().set_notable_poll_ticks(clock::ticks_in(threshold));
    }

    /// Whether all polls get the closer look that slow ones get.
    pub fn note_all_polls(&self, all: bool) {
        let ticks = if all { 0 } else { self.slow_poll_ticks() };
        flags().set_notable_poll_ticks(ticks);
    }

    pub fn blocked_after_ticks(&self) -> u64 {
        self.blocked_after_ticks.load(Ordering::Relaxed)
    }

    pub fn set_blocked_after(&self, threshold: Duration) {
        self.blocked_after_ticks.store(clock::ticks_in(threshold), Ordering::Relaxed);
    }

    pub fn hides_fields(&self) -> bool {
        self.hides_fields.load(Ordering::Relaxed)
    }

    pub fn hides_messages(&self) -> bool {
        self.hides_messages.load(Ordering::Relaxed)
    }

    /// What no reader is shown is not found by a search either, which would give it away letter by letter.
    pub fn set_hidden(&self, fields: bool, messages: bool) {
        self.hides_fields.store(fields, Ordering::Relaxed);
        self.hides_messages.store(messages, Ordering::Relaxed);
    }

    pub fn bounds(&self) -> Arc<Bounds> {
        self.bounds.read().clone()
    }

    pub fn set_bounds(&self, seconds: Vec<f64>) {
        *self.bounds.write() = Arc::new(Bounds::new(seconds));
    }

    pub fn set_redact(&self, redact: Redact) {
        *self.redact.write() = Some(redact);
    }

    pub fn set_policies(&self, policies: Vec<(String, OnShutdown)>) {
        *self.policies.write() = policies;
    }

    /// The first policy whose pattern fits; `*` stands for any text.
    pub fn policy_for(&self, name: &str) -> Option<OnShutdown> {
        self.policies.read().iter().find(|(pattern, _)| fits(pattern, name)).map(|(_, policy)| *policy)
    }

    /// The text as it may be stored. A panic of the user's function is not passed on: the text is withheld.
    pub fn redacted<'a>(&self, source: TextSource<'_>, text: &'a str) -> std::borrow::Cow<'a, str> {
        let Some(redact) = self.redact.read().clone() else { return text.into() };
        let call = std::panic::AssertUnwindSafe(|| redact(source, text));
        match std::panic::catch_unwind(call) {
            Ok(Some(replacement)) => replacement.into(),
            Ok(None) => text.into(),
            Err(_) => "[withheld: redact panicked]".into(),
        }
    }
}
