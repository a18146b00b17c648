//! What the fast way needs of its thread: plain cells without a destructor, so that reaching them is one
//! addition.
//!
//! The [whole way](super) fills the cells, and [`Local`](super::local) empties them when its thread ends:
//! from then on all that this thread still begins and ends takes the whole way. Each step of the fast way
//! bails out before it has written anything, so the whole way can begin from the start.

#![allow(clippy::inline_always, reason = "the fast way of a task is one piece of code")]

use std::cell::Cell;
use std::panic::Location;

use crate::outcome::Outcome;
use crate::registry::Handle;
use crate::registry::flags::{Flags, Seen};
use crate::registry::history::{Chunk, Record};
use crate::registry::slab::FreeSlots;
use crate::registry::slot::{
    Birth, COUNTED, DETAILS, FAILED, READY, REFUSED, STORED, Slot, WATCHED, group_of, is_kind,
};
use crate::registry::stripe::Stripe;

/// Places for stripes, one for all groups whose ids have the same last byte.
const STRIPES: usize = sized(256);

/// Small tables for the models, whose threads have small stacks.
const fn sized(places: usize) -> usize {
    if cfg!(headcount_loom) { 1 } else { places }
}

/// Flags that make an end take the whole way.
const SPECIAL_END: u64 = DETAILS | WATCHED | COUNTED | FAILED | REFUSED;

thread_local! {
    static HOT: Hot<Handle> = const { Hot::new() };
}

/// Runs on the thread's own cells.
#[inline(always)]
pub fn hot<R>(run: impl FnOnce(&Hot<Handle>) -> R) -> R {
    // `with` is not inlined, and nothing here has a destructor that could have run.
    match HOT.try_with(run) {
        Ok(result) => result,
        Err(_) => unreachable!("cells without a destructor are there to the end"),
    }
}

/// Where a thread keeps the task that it polls. Other threads read it to know which thread a task blocks.
#[cfg(feature = "stacks")]
type CurrentCell<H> = headcount_stack::Shared<Slot<H>>;
#[cfg(not(feature = "stacks"))]
type CurrentCell<H> = Cell<Option<&'static Slot<H>>>;

#[cfg(feature = "stacks")]
const fn no_current<H>() -> CurrentCell<H> {
    CurrentCell::new()
}

#[cfg(not(feature = "stacks"))]
const fn no_current<H>() -> CurrentCell<H> {
    CurrentCell::new(None)
}

/// Lets other threads read which task this one polls.
#[cfg(feature = "stacks")]
pub fn publish_current() {
    headcount_stack::publish(&HOT, |hot| &hot.current);
}

/// How a spawn names its task: texts and locations of the program itself, the same if they are at the same
/// address.
#[derive(Clone, Copy, Debug)]
pub struct Key<const N: usize> {
    pub name: &'static str,
    pub labels: [(&'static str, &'static str); N],
    pub location: &'static Location<'static>,
}

impl<const N: usize> Key<N> {
    #[inline(always)]
    fn is(&self, other: &Self) -> bool {
        let mut same = std::ptr::eq(self.location, other.location) && std::ptr::eq(self.name, other.name);
        for (one, other) in self.labels.iter().zip(&other.labels) {
            same = same && std::ptr::eq(one.0, other.0) && std::ptr::eq(one.1, other.1);
        }
        same
    }

    /// A number whose last bits differ between keys that are used in turn.
    #[inline(always)]
    fn mix(&self) -> usize {
        // Locations are 24 bytes long and lie one after the other, and so do texts.
        let mut mixed =
            (std::ptr::from_ref(self.location) as usize >> 3).wrapping_add(self.name.as_ptr() as usize);
        for (_, value) in &self.labels {
            mixed = mixed.wrapping_add(value.as_ptr() as usize);
        }
        mixed
    }
}

/// Keys of one set. Names that a program uses in turn may share a set, by where the linker put their texts.
/// One name more than there are ways would send each of them the whole way.
const WAYS: usize = 4;

/// Keys that this thread has met and the stripes of their groups, in sets whose newest key comes first.
#[derive(Debug)]
struct KeyTable<const N: usize, const SETS: usize>([[Place<N>; WAYS]; SETS]);

type Place<const N: usize> = Cell<Option<(Key<N>, &'static Stripe)>>;

impl<const N: usize, const SETS: usize> KeyTable<N, SETS> {
    const fn new() -> Self {
        Self([const { [const { Cell::new(None) }; WAYS] }; SETS])
    }

    #[inline(always)]
    fn find(&self, key: &Key<N>, kind: u64) -> Option<&'static Stripe> {
        for place in &self.0[key.mix() % SETS] {
            let (known, stripe) = place.get()?;
            if known.is(key) && is_kind(stripe.first_bits(), kind) {
                return Some(stripe);
            }
        }
        None
    }

    /// Keeps a key in place of the oldest one of its set.
    fn keep(&self, key: Key<N>, stripe: &'static Stripe) {
        let set = &self.0[key.mix() % SETS];
        let mut kept = Some((key, stripe));
        for place in set {
            kept = place.replace(kept);
        }
    }

    fn clear(&self) {
        self.0.iter().flatten().for_each(|place| place.set(None));
    }
}

/// The keys with so many labels.
pub trait Keys<const N: usize> {
    /// The stripe of a group that this thread knows by this key; `is_given` where the name is not that of the
    /// code.
    fn find(&self, key: &Key<N>, is_given: bool, kind: u64) -> Option<&'static Stripe>;

    fn keep(&self, key: Key<N>, is_given: bool, stripe: &'static Stripe);
}

/// A thread's own cells.
#[derive(Debug)]
#[repr(align(128))]
pub struct Hot<H: 'static> {
    /// The task that this thread polls.
    pub current: CurrentCell<H>,
    /// Ids that no other thread has.
    next_id: Cell<u64>,
    end_id: Cell<u64>,
    /// The moment from which on they are too old to be given to a task, in ticks.
    ids_until: Cell<u64>,
    /// Where the history takes the next record.
    chunk: Cell<Option<&'static Chunk>>,
    /// The runtime that this thread spawned on last from outside.
    pub spawned_on: Cell<Option<tokio::runtime::Id>>,
    /// Whether the thread's [`Local`](super::local) is there, which empties these cells.
    is_open: Cell<bool>,
    pub free: FreeSlots<H>,
    stripes: [Cell<Option<&'static Stripe>>; STRIPES],
    given: KeyTable<0, { sized(64) }>,
    code: KeyTable<0, { sized(32) }>,
    one: KeyTable<1, { sized(16) }>,
    two: KeyTable<2, { sized(8) }>,
}

impl<H> Keys<0> for Hot<H> {
    #[inline(always)]
    fn find(&self, key: &Key<0>, is_given: bool, kind: u64) -> Option<&'static Stripe> {
        if is_given { self.given.find(key, kind) } else { self.code.find(key, kind) }
    }

    fn keep(&self, key: Key<0>, is_given: bool, stripe: &'static Stripe) {
        if is_given { self.given.keep(key, stripe) } else { self.code.keep(key, stripe) }
    }
}

impl<H> Keys<1> for Hot<H> {
    #[inline(always)]
    fn find(&self, key: &Key<1>, _: bool, kind: u64) -> Option<&'static Stripe> {
        self.one.find(key, kind)
    }

    fn keep(&self, key: Key<1>, _: bool, stripe: &'static Stripe) {
        self.one.keep(key, stripe);
    }
}

impl<H> Keys<2> for Hot<H> {
    #[inline(always)]
    fn find(&self, key: &Key<2>, _: bool, kind: u64) -> Option<&'static Stripe> {
        self.two.find(key, kind)
    }

    fn keep(&self, key: Key<2>, _: bool, stripe: &'static Stripe) {
        self.two.keep(key, stripe);
    }
}

impl<H> Hot<H> {
    pub const fn new() -> Self {
        Self {
            current: no_current(),
            next_id: Cell::new(0),
            end_id: Cell::new(0),
            ids_until: Cell::new(0),
            chunk: Cell::new(None),
            spawned_on: Cell::new(None),
            is_open: Cell::new(false),
            free: FreeSlots::new(),
            stripes: [const { Cell::new(None) }; STRIPES],
            given: KeyTable::new(),
            code: KeyTable::new(),
            one: KeyTable::new(),
            two: KeyTable::new(),
        }
    }

    /// Begins a task of a group that is known, if nothing is special about the process, the parent or this
    /// thread.
    #[inline(always)]
    pub fn begin(
        &self,
        stripe: &'static Stripe,
        flags: &Flags,
        now: impl FnOnce() -> u64,
    ) -> Option<(&'static Slot<H>, Seen)> {
        // Before the group's bits are read: a change of them that is missed here is a change of the flag word
        // since.
        let seen = flags.see();
        let id = self.next_id.get();
        let slot = self.free.last()?;
        let bits = stripe.first_bits();
        if !seen.is_plain() || id == self.end_id.get() || bits & DETAILS != 0 {
            return None;
        }
        let lineage = match self.current.get() {
            Some(parent) => parent.as_parent()?,
            None => 0,
        };
        let started = now();
        if self.ids_until.get() <= started {
            return None;
        }
        self.free.pop();
        self.next_id.set(id + 1);
        stripe.count_spawn();
        slot.begin(&Birth { id, bits, lineage, group: stripe.group_bits(), started });
        Some((slot, seen))
    }

    /// Counts, records and frees the slot of a task that was ready, if nothing about its end is special.
    /// False if so.
    #[inline(always)]
    #[must_use]
    pub fn end(&self, slot: &'static Slot<H>, identity: u64, nanos: impl Fn(u64, u64) -> u64) -> bool {
        self.try_end(slot, identity, nanos).is_some()
    }

    #[inline(always)]
    fn try_end(&self, slot: &'static Slot<H>, identity: u64, nanos: impl Fn(u64, u64) -> u64) -> Option<()> {
        let lineage = slot.lineage();
        if lineage & (READY | STORED) != READY || identity & SPECIAL_END != 0 {
            return None;
        }
        let task = slot.last(identity, lineage);
        let stripe = self.stripe(task.polls_and_group)?;
        let chunk = self.chunk.get()?;
        let place = chunk.room()?;
        let room = self.free.room()?;
        let ended = task.poll >> 1;
        let lifetime = nanos(task.started, ended);
        if !stripe.is_first(lifetime) {
            return None;
        }
        chunk.write(place, &Record { task, outcome: Outcome::Ok, ended });
        self.free.push(room, slot);
        let polls = task.polls_and_group - stripe.group_bits();
        stripe.count_first_ok(lifetime, polls, nanos(0, task.busy));
        Some(())
    }

    /// The stripe for a group, given as a task has it.
    #[inline]
    pub fn stripe(&self, group: u64) -> Option<&'static Stripe> {
        let place = &self.stripes[group_of(group) as usize % STRIPES];
        place.get().filter(|stripe| group_of(stripe.group_bits() ^ group) == 0)
    }

    /// Keeps the stripe of a group.
    pub fn keep_stripe(&self, stripe: &'static Stripe) {
        self.stripes[group_of(stripe.group_bits()) as usize % STRIPES].set(Some(stripe));
    }

    /// Keeps the chunk that the history fills now.
    pub fn keep_chunk(&self, chunk: Option<&'static Chunk>) {
        self.chunk.set(chunk);
    }

    /// The next id of this thread's own, if it has one.
    pub fn take_id(&self) -> Option<u64> {
        let id = self.next_id.get();
        (id < self.end_id.get()).then(|| self.next_id.replace(id + 1))
    }

    /// How many ids of the range are left.
    pub fn ids_left(&self) -> u64 {
        self.end_id.get() - self.next_id.get()
    }

    /// Whether the range may still give ids.
    pub fn are_ids_fresh(&self, now: u64) -> bool {
        now < self.ids_until.get()
    }

    /// Keeps a range of ids, until this moment in ticks.
    pub fn keep_ids(&self, ids: std::ops::Range<u64>, until: u64) {
        self.next_id.set(ids.start);
        self.end_id.set(ids.end);
        self.ids_until.set(until);
    }

    /// Whether these cells may be filled.
    pub fn is_open(&self) -> bool {
        self.is_open.get()
    }

    pub fn open(&self) {
        self.is_open.set(true);
    }

    /// Forgets all but the free slots, since the thread ends; those the caller takes back.
    pub fn close(&self) {
        self.is_open.set(false);
        self.keep_ids(0..0, 0);
        self.chunk.set(None);
        self.stripes.iter().for_each(|place| place.set(None));
        self.given.clear();
        self.code.clear();
        self.one.clear();
        self.two.clear();
    }
}
