//! One live task: 64 bytes, one cache line.

#![allow(clippy::inline_always, reason = "the fast way of a task is one piece of code")]

use crate::registry::kind::{Kind, OnShutdown};
use crate::sync::{AtomicU64, Ordering, ShortMutex, ShortMutexGuard, fence};

/// Bits below the id in [`Slot::identity`].
pub(super) const FLAG_BITS: u32 = 18;
const KIND_MASK: u64 = 0b111;
const POLICY_SHIFT: u32 = 3;
const POLICY_MASK: u64 = 0b111 << POLICY_SHIFT;
/// It has an entry in the side table of details.
pub const DETAILS: u64 = 1 << 6;
/// The census counts it.
pub const COUNTED: u64 = 1 << 7;
/// The census reports its end.
pub const WATCHED: u64 = 1 << 8;
/// The coordinator abandons it: if it is dropped, it was aborted.
pub const ABANDONED: u64 = 1 << 9;
/// Nothing of ours can abort it.
pub const NOT_CANCELLABLE: u64 = 1 << 10;
/// It returned an `Err` that counts.
pub const FAILED: u64 = 1 << 11;
/// It is to be aborted as soon as its abort handle is there.
pub const ABORT_WANTED: u64 = 1 << 12;
/// Nothing about its polls is special: the processor's counter times them, and it ends where its future is
/// dropped.
pub const PLAIN: u64 = 1 << 13;
/// It waits for its limit or its key: the runtime polls what stands before its future.
pub const LIMITED: u64 = 1 << 14;
/// Its timeout has passed: if it is dropped, that is why.
pub const TIMED_OUT: u64 = 1 << 15;
/// It was not admitted. A timeout counts from the admission, so nothing else has both flags.
pub const REJECTED: u64 = LIMITED | TIMED_OUT;
/// Its next poll does something for stacks, and then makes its polls [`PLAIN`] again: that flag was taken
/// away for this one.
pub const ASKED: u64 = 1 << 16;
/// It came when the process no longer takes tasks: if it is dropped, it was refused.
pub const REFUSED: u64 = 1 << 17;

/// Below the parent in [`Slot::lineage`]: it descends from a block that looks for leaks.
pub const SCOPED: u64 = 1;
/// There too: it was ready, and its future is about to be dropped.
pub const READY: u64 = 1 << 1;
/// There too: it asked whether the process stops.
const LISTENS: u64 = 1 << 2;
/// There too: its waker is stored.
pub const STORED: u64 = 1 << 3;

/// In [`Slot::poll`]: the tick is the start of a poll, not the end of one.
const POLLING: u64 = 1;

const GROUP_SHIFT: u32 = 48;
const POLLS_MASK: u64 = (1 << GROUP_SHIFT) - 1;

/// Bits for groups in [`Slot::polls`].
pub const MAX_GROUP_ID: u32 = (1 << (64 - GROUP_SHIFT)) - 1;

/// The protocol of these fields stands in [`registry`](super).
#[derive(Debug)]
#[repr(align(64))]
pub struct Slot<H> {
    /// Id and flags; 0 while free.
    identity: AtomicU64,
    /// Parent's id, 0 without one, `SCOPED`, `READY` and `LISTENS`.
    lineage: AtomicU64,
    /// Tick of the spawn.
    started: AtomicU64,
    /// Tick at which the last poll began or ended, and `POLLING`; 0 before the first.
    poll: AtomicU64,
    /// Ticks in finished polls.
    busy: AtomicU64,
    /// Group, and polls begun.
    polls: AtomicU64,
    /// The abort handle, and the slot's number.
    held: ShortMutex<Held<H>>,
}

/// What the slot's lock holds. Packed, so that the number lies beside the lock's byte and the slot stays as
/// large as a cache line. The handle is moved and never borrowed.
#[repr(C, packed(4))]
struct Held<H> {
    /// Which slot of the slab it is.
    number: u32,
    handle: Option<H>,
}

impl<H> Held<H> {
    #[inline(always)]
    fn replace(&mut self, handle: Option<H>) -> Option<H> {
        let number = self.number;
        let Self { handle, .. } = std::mem::replace(self, Self { number, handle });
        handle
    }
}

impl<H> std::fmt::Debug for Held<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = self.number;
        f.debug_struct("Held").field("number", &number).finish_non_exhaustive()
    }
}

/// What is known of a task when it begins.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    pub id: u64,
    /// Kind, policy and flags, from [`first_bits`].
    pub bits: u64,
    /// Parent and `SCOPED`, from [`lineage`] or [`as_parent`](Slot::as_parent).
    pub lineage: u64,
    /// From [`group_bits`].
    pub group: u64,
    pub started: u64,
}

/// Kind, policy and flags of a task that begins.
#[inline]
pub const fn first_bits(kind: Kind, policy: OnShutdown, flags: u64) -> u64 {
    kind as u64 | policy_bits(policy) | flags
}

/// A parent's id as its child has it; 0 without one.
#[inline]
pub const fn lineage(parent: u64, is_scoped: bool) -> u64 {
    parent << FLAG_BITS | is_scoped as u64
}

/// A group as its tasks have it, beside the number of polls.
#[inline]
pub const fn group_bits(group: u32) -> u64 {
    (group as u64) << GROUP_SHIFT
}

/// The group of such bits.
#[inline]
pub const fn group_of(bits: u64) -> u32 {
    (bits >> GROUP_SHIFT) as u32
}

/// The id of an identity.
#[inline]
pub const fn id_of(identity: u64) -> u64 {
    identity >> FLAG_BITS
}

/// The kind that bits begin with.
#[inline]
pub const fn is_kind(bits: u64, kind: u64) -> bool {
    bits & KIND_MASK == kind
}

/// A consistent reading of a slot, or of a record of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub identity: u64,
    pub lineage: u64,
    pub started: u64,
    pub poll: u64,
    pub busy: u64,
    pub polls_and_group: u64,
}

impl Reading {
    pub const fn id(&self) -> u64 {
        self.identity >> FLAG_BITS
    }

    pub const fn has(&self, flag: u64) -> bool {
        self.identity & flag != 0
    }

    pub const fn is_rejected(&self) -> bool {
        self.identity & REJECTED == REJECTED
    }

    pub fn kind(&self) -> Kind {
        kind_of(self.identity)
    }

    pub const fn policy(&self) -> OnShutdown {
        policy_of(self.identity)
    }

    pub const fn parent(&self) -> Option<u64> {
        match self.lineage >> FLAG_BITS {
            0 => None,
            id => Some(id),
        }
    }

    /// Whether it awaits `draining()` or asked whether the process stops.
    pub const fn listens(&self) -> bool {
        self.lineage & LISTENS != 0
    }

    pub const fn is_scoped(&self) -> bool {
        self.lineage & SCOPED != 0
    }

    pub const fn group(&self) -> u32 {
        (self.polls_and_group >> GROUP_SHIFT) as u32
    }

    pub const fn polls(&self) -> u64 {
        self.polls_and_group & POLLS_MASK
    }

    pub const fn is_queued(&self) -> bool {
        self.poll == 0
    }

    /// The tick at which the poll began that it is in.
    pub const fn polling_since(&self) -> Option<u64> {
        if self.poll & POLLING != 0 { Some(self.poll >> 1) } else { None }
    }

    /// The tick at which it entered its state.
    pub const fn since(&self) -> u64 {
        if self.poll == 0 { self.started } else { self.poll >> 1 }
    }

    /// Ticks in polls up to `now`, the current one included.
    pub const fn busy_until(&self, now: u64) -> u64 {
        match self.polling_since() {
            Some(since) => self.busy + now.saturating_sub(since),
            None => self.busy,
        }
    }
}

fn kind_of(identity: u64) -> Kind {
    Kind::ALL[(identity & KIND_MASK) as usize % Kind::ALL.len()]
}

const fn policy_of(identity: u64) -> OnShutdown {
    match (identity & POLICY_MASK) >> POLICY_SHIFT {
        0 => OnShutdown::Wait,
        1 => OnShutdown::Cancel,
        2 => OnShutdown::Last,
        3 => OnShutdown::Detach,
        _ => OnShutdown::Connection,
    }
}

const fn policy_bits(policy: OnShutdown) -> u64 {
    let index = match policy {
        OnShutdown::Wait => 0,
        OnShutdown::Cancel => 1,
        OnShutdown::Last => 2,
        OnShutdown::Detach => 3,
        OnShutdown::Connection => 4,
    };
    index << POLICY_SHIFT
}

impl<H> Slot<H> {
    pub fn new() -> Self {
        Self::numbered(0)
    }

    /// The slot with this number.
    pub fn numbered(number: u32) -> Self {
        Self {
            identity: AtomicU64::new(0),
            lineage: AtomicU64::new(0),
            started: AtomicU64::new(0),
            poll: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            held: ShortMutex::new(Held { number, handle: None }),
        }
    }

    /// Makes a free slot a task's. The caller took it from the pool and is its only writer.
    #[inline]
    pub fn begin(&self, birth: &Birth) {
        // Release: a reader that sees one of the stores below also sees that the slot was free before, so
        // that it does not take them for the former task's. Pairs with the acquire fence in `read`.
        fence(Ordering::Release);
        self.lineage.store(birth.lineage, Ordering::Relaxed);
        self.started.store(birth.started, Ordering::Relaxed);
        self.poll.store(0, Ordering::Relaxed);
        self.busy.store(0, Ordering::Relaxed);
        self.polls.store(birth.group, Ordering::Relaxed);
        // Release: a thread that sees the id also sees the fields.
        self.identity.store(birth.id << FLAG_BITS | birth.bits, Ordering::Release);
    }

    /// Marks the begin of a poll. Only the task's poller calls it, and there is one at a time.
    #[inline]
    pub fn poll_began(&self, now: u64) {
        self.poll.store(now << 1 | POLLING, Ordering::Relaxed);
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Marks the end of a poll. Only the task's poller calls it.
    #[inline]
    pub fn poll_ended(&self, began: u64, now: u64) {
        self.poll.store(now << 1, Ordering::Relaxed);
        // Release, and after `poll`: a reader that finds this poll in the sum also finds that it is over, and
        // does not add it again.
        let busy = self.busy.load(Ordering::Relaxed) + now.saturating_sub(began);
        self.busy.store(busy, Ordering::Release);
    }

    /// Whether the task ends where its future is dropped, and not where that is ready: a runtime drops what
    /// is ready at once, the owner of a tracked future when it likes.
    #[inline]
    pub fn ends_when_dropped(&self) -> bool {
        !matches!(kind_of(self.identity.load(Ordering::Relaxed)), Kind::Future | Kind::Request)
    }

    /// Marks that the poll which just ended was the last. Only by the task's poller.
    #[inline]
    pub fn mark_ready(&self) {
        self.lineage.store(self.lineage.load(Ordering::Relaxed) | READY, Ordering::Relaxed);
    }

    /// Marks that it asks whether the process stops. Only by the task's poller.
    pub fn mark_listening(&self) {
        let lineage = self.lineage.load(Ordering::Relaxed);
        if lineage & LISTENS == 0 {
            self.lineage.store(lineage | LISTENS, Ordering::Relaxed);
        }
    }

    /// Marks whether its waker is stored. Only by the task's poller, and by the thread that ends it.
    pub fn mark_stored(&self, is_stored: bool) {
        let lineage = self.lineage.load(Ordering::Relaxed) & !STORED;
        self.lineage.store(if is_stored { lineage | STORED } else { lineage }, Ordering::Relaxed);
    }

    /// What [`restore_since`](Self::restore_since) takes, before a poll. Only for the task's poller.
    pub fn since_mark(&self) -> u64 {
        self.poll.load(Ordering::Relaxed)
    }

    /// Has the task be in its state since before the poll that just ended, which was not its own idea.
    pub fn restore_since(&self, mark: u64) {
        if mark != 0 {
            self.poll.store(mark, Ordering::Relaxed);
        }
    }

    /// Its number in the slab.
    pub fn number(&self) -> u32 {
        self.held.lock().number
    }

    /// Whether its next poll does something for stacks.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.identity.load(Ordering::Relaxed) & ASKED != 0
    }

    /// The tick at which it was ready. Only for the thread that ends the task.
    #[inline]
    pub fn ready_at(&self) -> Option<u64> {
        let is_ready = self.lineage.load(Ordering::Relaxed) & READY != 0;
        is_ready.then(|| self.poll.load(Ordering::Relaxed) >> 1)
    }

    /// Id and flags, for the thread that began the task and has not handed it to a runtime yet.
    #[inline]
    pub fn identity(&self) -> u64 {
        self.identity.load(Ordering::Relaxed)
    }

    /// Whether its polls are [`PLAIN`].
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.identity.load(Ordering::Relaxed) & PLAIN != 0
    }

    /// Parent, `SCOPED` and `READY`. Only for the task's poller, and for the thread that ends it.
    #[inline]
    pub fn lineage(&self) -> u64 {
        self.lineage.load(Ordering::Relaxed)
    }

    /// Group, and polls begun; the same threads.
    #[inline]
    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Its lineage as a child's, where it is the current task; `None` if it is scoped, which its children
    /// then are too.
    #[inline]
    pub fn as_parent(&self) -> Option<u64> {
        let is_scoped = self.lineage.load(Ordering::Relaxed) & SCOPED != 0;
        // Acquire: like every reader of the id.
        (!is_scoped).then(|| self.identity.load(Ordering::Acquire) & !((1 << FLAG_BITS) - 1))
    }

    /// The fields of an ended task whose last `identity` and `lineage` are known. Only for the thread that
    /// ended it.
    #[inline]
    pub fn last(&self, identity: u64, lineage: u64) -> Reading {
        Reading {
            identity,
            lineage,
            started: self.started.load(Ordering::Relaxed),
            poll: self.poll.load(Ordering::Relaxed),
            busy: self.busy.load(Ordering::Relaxed),
            polls_and_group: self.polls.load(Ordering::Relaxed),
        }
    }

    /// Keeps the abort handle of a task that began as `born`, if under the lock nothing about it turns out to
    /// be special. Else the caller has the handle back.
    #[inline(always)]
    pub fn hold_plain(&self, born: u64, handle: H, is_plain: impl FnOnce() -> bool) -> Option<H> {
        let mut held = self.held.lock();
        let identity = self.identity.load(Ordering::Relaxed);
        let is_same = (identity ^ born) >> FLAG_BITS == 0;
        if is_same && identity & (ABORT_WANTED | NOT_CANCELLABLE) == 0 && is_plain() {
            let former = held.replace(Some(handle));
            debug_assert!(former.is_none(), "a slot that was begun holds nothing");
            // There is nothing to drop, and the compiler cannot know that.
            std::mem::forget(former);
            return None;
        }
        Some(handle)
    }

    /// Asks under the lock whether something about a task that nothing holds turns out to be special. What
    /// goes through all slots either finds the task, or has made its change before this asks.
    #[inline(always)]
    pub fn is_special(&self, is_special: impl FnOnce() -> bool) -> bool {
        let _held = self.held.lock();
        is_special()
    }

    /// What the owner sees: needs no validation.
    #[inline]
    pub fn own(&self) -> Reading {
        // Acquire, and before `poll`: pairs with `poll_ended`.
        let busy = self.busy.load(Ordering::Acquire);
        Reading {
            identity: self.identity.load(Ordering::Relaxed),
            lineage: self.lineage.load(Ordering::Relaxed),
            started: self.started.load(Ordering::Relaxed),
            poll: self.poll.load(Ordering::Relaxed),
            busy,
            polls_and_group: self.polls.load(Ordering::Relaxed),
        }
    }

    /// What another thread sees; `None` if the slot is free or changed hands meanwhile.
    #[inline]
    pub fn read(&self) -> Option<Reading> {
        // Acquire: pairs with the release in `begin`, for the fields.
        let identity = self.identity.load(Ordering::Acquire);
        if identity == 0 {
            return None;
        }
        let reading = Reading { identity, ..self.own() };
        // Acquire: if a field above came from the next task, the load below sees that the id is gone.
        fence(Ordering::Acquire);
        let same = self.identity.load(Ordering::Relaxed) >> FLAG_BITS == reading.id();
        same.then_some(reading)
    }

    /// The id of the task in it; 0 while free.
    #[inline]
    pub fn id(&self) -> u64 {
        self.identity.load(Ordering::Acquire) >> FLAG_BITS
    }

    /// Takes the slot's lock if the slot still belongs to `id`. The task cannot end while the lock is held.
    #[inline]
    pub fn lock(&self, id: u64) -> Option<Locked<'_, H>> {
        let held = self.held.lock();
        let identity = self.identity.load(Ordering::Relaxed);
        (identity >> FLAG_BITS == id).then_some(Locked { slot: self, held, identity })
    }

    /// Takes the slot's lock, whatever task the slot belongs to; `None` while it is free.
    pub fn lock_any(&self) -> Option<Locked<'_, H>> {
        let held = self.held.lock();
        // Acquire, as `begin` takes no lock: a thread that sees a flag set below also sees the fields.
        let identity = self.identity.load(Ordering::Acquire);
        (identity != 0).then_some(Locked { slot: self, held, identity })
    }

    /// Ends the task: the slot is free, its last flags and handle are the caller's.
    #[inline]
    pub fn end(&self) -> (u64, Option<H>) {
        let mut held = self.held.lock();
        let identity = self.identity.load(Ordering::Relaxed);
        self.identity.store(0, Ordering::Release);
        (identity, held.replace(None))
    }
}

/// A live task whose end waits until this is dropped. Flags and handle change only through it.
#[allow(missing_debug_implementations, reason = "a lock guard")]
pub struct Locked<'a, H> {
    slot: &'a Slot<H>,
    held: ShortMutexGuard<'a, Held<H>>,
    identity: u64,
}

impl<H> Locked<'_, H> {
    pub fn group(&self) -> u32 {
        self.slot.own().group()
    }

    pub fn has(&self, flag: u64) -> bool {
        self.identity & flag != 0
    }

    pub fn policy(&self) -> OnShutdown {
        policy_of(self.identity)
    }

    pub fn set(&mut self, flag: u64) {
        self.store(self.identity | flag);
    }

    pub fn clear(&mut self, flag: u64) {
        self.store(self.identity & !flag);
    }

    pub fn set_policy(&mut self, policy: OnShutdown) {
        self.store(self.identity & !POLICY_MASK | policy_bits(policy));
    }

    fn store(&mut self, identity: u64) {
        self.identity = identity;
        self.slot.identity.store(identity, Ordering::Release);
    }

    pub fn hold(&mut self, handle: H) {
        let former = self.held.replace(Some(handle));
        debug_assert!(former.is_none(), "a task is held once");
    }

    pub fn release(&mut self) -> Option<H> {
        self.held.replace(None)
    }

    /// A copy of the abort handle.
    pub fn handle(&mut self) -> Option<H>
    where
        H: Clone,
    {
        let handle = self.held.replace(None);
        let copy = handle.clone();
        self.held.replace(handle);
        copy
    }

    /// The slot's number in the slab.
    pub fn number(&self) -> u32 {
        self.held.number
    }
}
