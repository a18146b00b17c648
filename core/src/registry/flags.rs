//! The flag word: one number, read by each spawn, that says whether anything in this process is special.
//!
//! The [protocol](super) says how it is used. A capability that must see each spawn adds a flag here, and
//! does its work in the whole way; tasks pay nothing for it while the flag is clear.

use crate::sync::{AtomicU64, Ordering};

/// No task has begun yet, tracking is off, or the processor has no counter that serves as a clock.
pub const NOT_READY: u64 = 1;
/// The process stops: new tasks are late.
pub const NOT_OPEN: u64 = 1 << 1;
/// The census counts live tasks.
pub const COUNTING: u64 = 1 << 2;
/// Something is carried beyond spawns.
pub const CARRIES: u64 = 1 << 3;

/// Flags lie below, the number of changes above.
const CHANGE: u64 = 1 << 16;
const ALL: u64 = CHANGE - 1;

/// The flag word, and the other number that each poll reads. Both change seldom, and share their cache lines
/// with nothing that is written more often.
#[derive(Debug)]
#[repr(align(128))]
pub struct Flags {
    word: AtomicU64,
    notable_poll_ticks: std::sync::atomic::AtomicU64,
}

#[cfg(not(headcount_loom))]
static FLAGS: Flags = Flags { word: AtomicU64::new(NOT_READY), notable_poll_ticks: NEVER };
#[cfg(headcount_loom)]
static FLAGS: std::sync::LazyLock<Flags> = std::sync::LazyLock::new(Flags::new);

/// No poll is notable before the registry's settings are there.
#[allow(clippy::declare_interior_mutable_const, reason = "a first value")]
const NEVER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(u64::MAX);

/// The flag word of the process.
#[inline]
pub fn flags() -> &'static Flags {
    &FLAGS
}

/// What a spawn saw of the flag word before it looked at anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(u64);

/// No flag word has it.
const MARK: u64 = 1 << 63;

impl Seen {
    /// Whether nothing in the process was special.
    #[inline]
    pub const fn is_plain(self) -> bool {
        self.0 & ALL == 0
    }

    #[inline]
    pub const fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// Marks it, if anything was special, so that it equals no reading of the flag word.
    #[must_use]
    pub const fn marked(self) -> Self {
        if self.is_plain() { self } else { Self(self.0 | MARK) }
    }

    /// Marks it, since something about the task is special.
    #[must_use]
    pub const fn marked_always(self) -> Self {
        Self(self.0 | MARK)
    }

    #[inline]
    pub const fn is_marked(self) -> bool {
        self.0 & MARK != 0
    }

    /// Whether what a spawn copies may have changed between the two.
    pub const fn differs_from(self, other: Self) -> bool {
        (self.0 ^ other.0) & !MARK & !ALL != 0
    }
}

impl Flags {
    /// The flag word of a model.
    #[cfg(headcount_loom)]
    pub fn new() -> Self {
        Self { word: AtomicU64::new(NOT_READY), notable_poll_ticks: NEVER }
    }

    #[inline]
    pub fn see(&self) -> Seen {
        // Acquire: a spawn that sees a change sees what was changed before it, such as policies.
        Seen(self.word.load(Ordering::Acquire))
    }

    pub fn set(&self, flag: u64) {
        self.word.fetch_or(flag, Ordering::AcqRel);
    }

    pub fn clear(&self, flag: u64) {
        self.word.fetch_and(!flag, Ordering::AcqRel);
    }

    /// Makes the word another one, so that each spawn under way looks again at what it copied.
    pub fn change(&self) {
        self.word.fetch_add(CHANGE, Ordering::AcqRel);
    }

    /// A poll that takes longer gets a closer look: it is slow, or an observer wants to see all.
    #[inline]
    pub fn notable_poll_ticks(&self) -> u64 {
        self.notable_poll_ticks.load(Ordering::Relaxed)
    }

    pub fn set_notable_poll_ticks(&self, ticks: u64) {
        self.notable_poll_ticks.store(ticks, Ordering::Relaxed);
    }
}
