//! The registry: every live task, its group's totals, and the history.
//!
//! # Protocol
//!
//! A task's life is one [slot](slot) of the [slab](slab).
//!
//! | state | `identity` | `poll` |
//! |---|---|---|
//! | free | 0 | – |
//! | queued | id, flags | 0 |
//! | running | id, flags | tick the poll began, `POLLING` |
//! | idle | id, flags | tick the poll ended |
//!
//! **Who writes.** The thread that took the slot from the pool writes all fields in [`begin`](slot::Slot::begin). Then `poll`, `polls` and `busy` are the
//! task's poller's alone: a task has one at a time, and whatever moves it to another thread orders the two. `identity` and the abort handle
//! are written under the slot's lock: flags by [`CurrentTask`](crate::CurrentTask) and the coordinator, which lock by id and find nothing
//! once the task has ended; the end by the task's drop guard. `lineage` and `started` stay as they began, but for the poller's mark
//! that the task was ready.
//!
//! **Who reads.** Anybody, without a lock: [`read`](slot::Slot::read) takes the id before and after, so that fields of two tasks are never mixed.
//!
//! Invariants:
//!
//! 1. Each id is in at most one slot, once, and never comes back.
//! 2. A task is counted as ended by one store to one bucket of one [stripe](stripe); all totals follow from buckets and `spawned`.
//! 3. A slot's lock is held for a few stores, and for the entry of 4; never while code of users runs or while another slot is locked.
//! 4. A task with an entry in the side table of [details](details) has the flag `DETAILS`, set under its lock in the same section that makes the entry;
//!    who ends the task sees the flag and removes the entry.
//! 5. The abort handle is held from the spawn's return to the task's end, and dropped outside the lock: it keeps the task's memory.
//!
//! Lock order: the list of tasks inside `idle()`, then a slot, then a shard of details; the shared history, then a group's shared stripe. All other
//! locks are taken alone.
//!
//! What is counted when somebody waits for the last task stands in [`census`].

pub(crate) mod begin;
mod census;
pub(crate) mod config;
pub(crate) mod details;
pub(crate) mod end;
pub(crate) mod failure;
pub(crate) mod group;
pub(crate) mod history;
mod known;
pub(crate) mod local;
pub(crate) mod page;
mod quantile;
pub(crate) mod read;
mod slab;
pub(crate) mod slot;
pub(crate) mod storm;
pub(crate) mod stripe;
pub(crate) mod wait;

#[cfg(all(test, headcount_loom))]
mod model;

use std::sync::LazyLock;

use tokio::task::AbortHandle;

use crate::clock::Clock;

use self::census::Census;
use self::config::Config;
use self::details::DetailsTable;
use self::group::{Group, Groups};
use self::history::Histories;
use self::slab::Slab;
use self::slot::Slot;
use self::wait::{Admission, Watch};

/// What aborts a task.
pub(crate) type Handle = AbortHandle;
pub(crate) type TaskSlot = &'static Slot<Handle>;

/// Slots made at a time: 64 kB.
const CHUNK: usize = 1024;
/// Slots moved between a thread and the pool at a time.
const BATCH: usize = 64;

/// All that there is.
#[derive(Debug)]
pub(crate) struct Registry {
    /// At hand, so that the hot path makes sure of one static and not of two.
    pub(crate) clock: &'static Clock,
    pub(crate) slab: Slab<Handle>,
    pub(crate) groups: Groups,
    pub(crate) details: DetailsTable,
    pub(crate) histories: Histories,
    pub(crate) config: Config,
    pub(crate) admission: Admission,
    pub(crate) watch: Watch,
    census: Census,
    counted: std::sync::Once,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry {
    clock: Clock::get(),
    slab: Slab::new(CHUNK, BATCH),
    groups: Groups::default(),
    details: DetailsTable::new(),
    histories: Histories::default(),
    config: Config::new(),
    admission: Admission::default(),
    watch: Watch::default(),
    census: Census::new(),
    counted: std::sync::Once::new(),
});

static ENABLED: LazyLock<bool> = LazyLock::new(|| !crate::settings::is_off().unwrap_or(false));

#[inline]
pub(crate) fn registry() -> &'static Registry {
    &REGISTRY
}

/// Whether tasks are tracked at all: not with `HEADCOUNT=off`.
#[inline]
pub(crate) fn is_enabled() -> bool {
    *ENABLED
}

impl Registry {
    /// The group of a task that lives or lived.
    pub(crate) fn group(&self, id: u32) -> &'static Group {
        self.groups.get(id).expect("groups are never removed")
    }
}
