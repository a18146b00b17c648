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
//! **Writers.** The thread that took the slot from the pool writes all fields in
//! [`begin`](slot::Slot::begin). From then on `poll`, `polls` and `busy` belong to the thread that polls the
//! task. There is one at a time, and whatever moves the task to another thread orders the two. `identity` and
//! the abort handle change under the slot's lock. [`TaskHandle`](crate::TaskHandle) and the coordinator set
//! flags: they lock by id and find nothing once the task has ended. The drop guard ends the task. `lineage`
//! and `started` stay as they began, but for marks of the thread that polls.
//!
//! **Readers.** Any thread, without a lock. [`read`](slot::Slot::read) takes the id before and after the
//! fields, so that fields of two tasks are never mixed.
//!
//! # The fast way and the whole way
//!
//! Most tasks have nothing special: a name of the code or a static one, at most two static labels, no fields,
//! no policy of their own. They begin and end the *fast way*, which touches the thread's own [cells](hot),
//! the slot, and one line of the group's stripe. All others take the *whole way*, in [`begin`](begin::begin)
//! and [`end`](end::end), which may do anything. Both write the same fields in the same order, so a reader
//! cannot tell them apart, and a task that began one way may end the other way.
//!
//! Four readings decide, and each stands for everything that could be special at that point:
//!
//! - The [flag word](flags), before anything else of a begin. If the process stops, counts, is switched off,
//!   has no counter or has [carriers], the task takes the whole way.
//! - The stripe's `first_bits`: kind, policy and flags of a task of this group. They become its first
//!   `identity`. `DETAILS` among them says that the operator gave the group a timeout or a limit, so its
//!   tasks take the whole way.
//! - `PLAIN` in `identity`, at each poll. It says that the counter times the task, and that the task ends
//!   where it is dropped. Without it, the poll goes to `poll_special`. `ASKED` in its place says that it was
//!   taken away for one poll, which does something for [stacks](crate::stacks) and gives it back.
//! - `DETAILS`, `WATCHED`, `COUNTED`, `FAILED` and `REFUSED` in the last `identity`. If one is set, there is
//!   more to do at the end, and the end takes the whole way.
//!
//! A new capability hangs on one of them. What concerns every spawn sets a flag of the flag word. What
//! concerns the tasks of a group goes into `first_bits`. What concerns single tasks is set in `identity`
//! under the slot's lock; to be asked at each poll, it takes `PLAIN` away. Tasks that use none of them pay
//! nothing for it.
//!
//! **A begin reads without a lock, so it may miss a change.** The spawn keeps what it [saw](flags::Seen) of
//! the flag word. Once the runtime has the task, the spawn locks the slot to keep the abort handle, and
//! compares: if the word is another one by then, it does what it missed under that lock (the function
//! `settle` in [`begin`]). A `track`ed future has no abort handle, so its begin locks the slot itself. A
//! thread that makes a change first writes the change, then changes the word, then goes through all slots and
//! locks each. So either that pass finds the task, or the spawn's comparison finds the change. This holds for
//! the census, for the shutdown's refusals, and for policies.
//!
//! **A thread's cells** hold free slots, ids, stripes, the history's chunk and the groups that it met by
//! their texts' addresses. Each stripe, chunk, slot and id has one thread at a time. When a thread ends,
//! [`Local`](local) empties the cells before it gives anything back, and what the thread still begins and
//! ends takes the whole way, with locks. So does what a subscriber begins and ends in a line that is logged
//! while `Local` is in use.
//!
//! # Invariants
//!
//! 1. Each id is in at most one slot, once, and never comes back.
//! 2. One store to one bucket of one [stripe](stripe) counts a task as ended. All totals follow from buckets
//!    and `spawned`.
//! 3. A slot's lock is held for a few stores, and for the entry of 4. No code of users runs meanwhile, and no
//!    other slot is locked.
//! 4. A task with an entry in the side table of [details](details) has the flag `DETAILS`, set under its lock
//!    in the section that makes the entry. The end of the task sees the flag and removes the entry.
//! 5. The abort handle is held from the spawn's return to the task's end, and dropped outside the lock: it
//!    keeps the task's memory.
//! 6. The fast way bails out before it has written anything, so the whole way begins from the start.
//! 7. A waker in the table of `wakers` belongs to the task of the slot with its number. The thread that polls
//!    the task puts it there and marks `STORED`, and the end of the task takes it out.
//!
//! Lock order: the list of tasks inside `idle()`, then a slot, then a shard of details; the shared history,
//! then a group's shared stripe; a slot, then the board of stacks or a waker's cell. All other locks are
//! taken alone.
//!
//! [`census`] says what is counted while something waits for the last task. The models in `model` check with
//! loom what is said here.

pub mod begin;
pub mod carriers;
pub mod census;
pub mod config;
pub mod details;
pub mod end;
pub mod failure;
pub mod flags;
pub mod group;
pub mod history;
pub mod hot;
pub mod kind;
pub mod known;
pub mod local;
pub mod outcomes;
pub mod panicked;
pub mod plan;
pub mod polls;
pub mod recent;
pub mod runtimes;
pub mod site;
pub mod slab;
pub mod slot;
pub mod storm;
pub mod stripe;
pub mod terms;
pub mod timeout;
pub mod untracked;
pub mod wait;
#[cfg(feature = "stacks")]
pub mod wakers;

#[cfg(all(test, headcount_loom))]
mod model;

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

use tokio::task::AbortHandle;

use crate::clock::{self, Clock};
use crate::lock::Mutex;

use self::carriers::Carriers;
use self::census::Census;
use self::config::Config;
use self::details::DetailsTable;
use self::flags::flags;
use self::group::{Group, Groups};
use self::history::Histories;
use self::polls::WatchedPolls;
use self::recent::Durations;
use self::runtimes::Runtimes;
use self::slab::Slab;
use self::slot::Slot;
use self::wait::{Admission, Watch};

/// The abort handle of a task.
pub type Handle = AbortHandle;
pub type TaskSlot = &'static Slot<Handle>;

/// Slots made at a time: 64 kB.
const CHUNK: usize = 1024;
/// Slots moved between a thread and the pool at a time.
const BATCH: usize = 64;

/// The core's state, except the statics that docs/ARCHITECTURE.md lists.
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
    pub(crate) durations: Mutex<Durations>,
    /// For each group the highest polls and busy time that were read. A task that ends between the two passes
    /// of a reading is missing from both, and no total may go backwards for that.
    pub(crate) highest: Mutex<Vec<(u64, u64)>>,
    /// Ended tasks that the history no longer has.
    pub history_dropped: AtomicU64,
    /// Log lines held back since the process started.
    pub suppressed: AtomicU64,
    pub next_id: AtomicU64,
    /// How many scopes of `assert_no_leaks` began.
    pub scopes: AtomicU64,
    pub runtimes: Runtimes,
    pub carriers: Carriers,
    /// Slots of tasks that carry something while tracking is off: no reader sees them.
    pub untracked: Slab<Handle>,
    census: Census,
    counted: std::sync::Once,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let registry = Registry {
        clock: Clock::get(),
        slab: Slab::new(CHUNK, BATCH),
        groups: Groups::default(),
        details: DetailsTable::new(),
        histories: Histories::default(),
        config: Config::new(),
        admission: Admission::default(),
        watch: Watch::default(),
        polls: WatchedPolls::new(),
        durations: Mutex::default(),
        highest: Mutex::default(),
        history_dropped: AtomicU64::new(0),
        suppressed: AtomicU64::new(0),
        next_id: AtomicU64::new(1),
        scopes: AtomicU64::new(1),
        runtimes: Runtimes::default(),
        carriers: Carriers::new(),
        untracked: Slab::new(CHUNK, BATCH),
        census: Census::new(),
        counted: std::sync::Once::new(),
    };
    if is_enabled() && clock::is_counter() {
        flags().clear(flags::NOT_READY);
    }
    registry
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
