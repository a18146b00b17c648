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
//! are written under the slot's lock: flags by [`TaskHandle`](crate::TaskHandle) and the coordinator, which lock by id and find nothing
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

pub mod begin;
pub mod census;
pub mod config;
pub mod details;
pub mod end;
pub mod failure;
pub mod group;
pub mod history;
pub mod id;
pub mod kind;
pub mod known;
pub mod local;
pub mod polls;
pub mod slab;
pub mod slot;
pub mod storm;
pub mod stripe;
pub mod wait;

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
use self::polls::WatchedPolls;
use self::slab::Slab;
use self::slot::Slot;
use self::wait::{Admission, Watch};

/// What aborts a task.
pub type Handle = AbortHandle;
pub type TaskSlot = &'static Slot<Handle>;

/// Slots made at a time: 64 kB.
const CHUNK: usize = 1024;
/// Slots moved between a thread and the pool at a time.
const BATCH: usize = 64;

/// All that there is.
#[derive(Debug)]
pub struct Registry {
    /// At hand, so that the hot path makes sure of one static and not of two.
    pub clock: &'static Clock,
    pub slab: Slab<Handle>,
    pub groups: Groups,
    pub details: DetailsTable,
    pub histories: Histories,
    pub config: Config,
    pub admission: Admission,
    pub watch: Watch,
    pub polls: WatchedPolls,
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
    polls: WatchedPolls::new(),
    census: Census::new(),
    counted: std::sync::Once::new(),
});

static ENABLED: LazyLock<bool> = LazyLock::new(|| off_switch() != Ok(true));

#[inline]
pub fn registry() -> &'static Registry {
    &REGISTRY
}

/// Whether tasks are tracked at all: not with `HEADCOUNT=off`.
#[inline]
pub fn is_enabled() -> bool {
    *ENABLED
}

/// Whether the variable `HEADCOUNT` turns tracking off; its text where it is neither `on` nor `off`.
pub fn off_switch() -> Result<bool, String> {
    let Some(text) = std::env::var_os("HEADCOUNT") else { return Ok(false) };
    off_text(&text.to_string_lossy())
}

fn off_text(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Ok(true),
        "on" | "" => Ok(false),
        _ => Err(text.to_owned()),
    }
}

impl Registry {
    /// The group of a task that lives or lived.
    pub fn group(&self, id: u32) -> &'static Group {
        self.groups.get(id).expect("groups are never removed")
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::off_text;

    #[test]
    fn the_off_switch_takes_on_and_off() {
        assert_eq!(off_text("OFF"), Ok(true));
        assert_eq!(off_text(""), Ok(false));
        assert_eq!(off_text("perhaps"), Err("perhaps".to_owned()));
    }
}
