//! Limits, as users see them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::terms::gate::{Bounds, Gate};
use crate::terms::rules;
use crate::terms::set_by::SetBy;

/// How many tasks may wait, unless set.
pub const DEFAULT_QUEUE: u32 = 10_000;

/// How many tasks of a kind run at once, and how many may wait for that: a `static` that
/// [`limit`](crate::TaskBuilder::limit) refers to.
///
/// Tasks above the limit wait in the order in which they were spawned. The future of a task that waits is
/// allocated, so the queue has a bound: 10,000 unless [set](Self::queue). A task above it is
/// [rejected](crate::Outcome::Rejected).
///
/// The operator changes a limit by its name: `HEADCOUNT_LIMIT="send-email=32/500"`. A limit of 0 rejects
/// every task, and its first use is logged as an error, since a `static` cannot return one.
///
/// # Cost
///
/// One uncontended atomic operation for each task that begins, and one for each that ends, while there is
/// room. The spawn of a task that has any terms does more than a plain one: `docs/TERMS.md` has the figures.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use headcount::Limit;
///
/// static EMAILS: Limit = Limit::new("send-email", 64).queue(1_000);
///
/// headcount::task("send-email").limit(&EMAILS).spawn(async { /* … */ }).await.unwrap();
/// assert_eq!(EMAILS.running(), 0);
/// # }
/// ```
pub struct Limit {
    name: &'static str,
    code: Bounds,
    gate: Gate,
    is_known: AtomicBool,
    /// The place of its [`SetBy`] among them all.
    set_by: AtomicU8,
}

impl Limit {
    /// At most `at_once` tasks at once. `name` is what the operator calls the limit; give it the name of its
    /// tasks.
    #[cfg(not(headcount_loom))]
    pub const fn new(name: &'static str, at_once: usize) -> Self {
        Self::with(name, Bounds { at_once: bounded(at_once), queue: DEFAULT_QUEUE })
    }

    /// At most so many tasks wait. With 0, a task above the limit is rejected at once.
    #[cfg(not(headcount_loom))]
    #[must_use = "it gives the limit back"]
    pub const fn queue(mut self, tasks: usize) -> Self {
        self.code.queue = bounded(tasks);
        self.gate.begin_with(self.code);
        self
    }

    #[cfg(not(headcount_loom))]
    pub(crate) const fn with(name: &'static str, code: Bounds) -> Self {
        let (is_known, set_by) = (AtomicBool::new(false), AtomicU8::new(0));
        Self { name, code, gate: Gate::new(code), is_known, set_by }
    }

    #[cfg(headcount_loom)]
    pub(crate) fn with(name: &'static str, code: Bounds) -> Self {
        let (is_known, set_by) = (AtomicBool::new(false), AtomicU8::new(0));
        Self { name, code, gate: Gate::new(code), is_known, set_by }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How many tasks may run at once now.
    pub fn at_once(&self) -> usize {
        self.gate.bounds().at_once as usize
    }

    /// How many tasks may wait now.
    pub fn queue_length(&self) -> usize {
        self.gate.bounds().queue as usize
    }

    /// How many tasks run: they were admitted and have not ended.
    pub fn running(&self) -> usize {
        usize::try_from(self.gate.running()).unwrap_or(usize::MAX)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        usize::try_from(self.gate.waiting()).unwrap_or(usize::MAX)
    }

    /// How many of those that wait count against the bound of the queue.
    pub(crate) fn queued(&self) -> u64 {
        self.gate.queued()
    }

    /// The bounds that the code gave it.
    pub(crate) const fn code(&self) -> Bounds {
        self.code
    }

    /// The gate. The first use lets the operator's rules change its bounds.
    #[inline]
    pub(crate) fn gate(&'static self) -> &'static Gate {
        if !self.is_known.load(Ordering::Acquire) {
            self.meet();
        }
        &self.gate
    }

    /// Rules made it for a name of tasks: they set its bounds, and it is not to be [met](Self::meet).
    pub(crate) fn set_made(&self) {
        self.is_known.store(true, Ordering::Release);
    }

    #[cold]
    fn meet(&'static self) {
        rules::meet(self, || self.is_known.swap(true, Ordering::AcqRel));
    }

    /// Sets its bounds; what waits is [admitted](Self::admit) afterwards.
    pub(crate) fn set_bounds(&self, bounds: Bounds, set_by: SetBy) {
        self.gate.store_bounds(bounds);
        self.set_by.store(set_by as u8, Ordering::Relaxed);
    }

    /// Admits what there is room for.
    pub(crate) fn admit(&self) {
        self.gate.admit();
    }

    /// Whether it admits nothing.
    pub(crate) fn is_closed(&'static self) -> bool {
        self.gate().bounds().at_once == 0
    }

    /// Whether a rule says that it does not count.
    pub(crate) fn is_lifted(&self) -> bool {
        self.bounds().at_once == rules::UNLIMITED
    }

    /// Where its bounds come from.
    pub(crate) fn set_by(&self) -> SetBy {
        let place = usize::from(self.set_by.load(Ordering::Relaxed));
        SetBy::ALL.get(place).copied().unwrap_or_default()
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.gate.bounds()
    }
}

/// More than 32 bits hold cannot run at once.
#[cfg(not(headcount_loom))]
#[allow(clippy::cast_possible_truncation, reason = "it is bounded before")]
pub(crate) const fn bounded(count: usize) -> u32 {
    if u32::MAX as usize - 1 < count { u32::MAX - 1 } else { count as u32 }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit")
            .field("name", &self.name)
            .field("at_once", &self.at_once())
            .finish_non_exhaustive()
    }
}
