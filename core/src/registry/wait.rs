//! What the shutdown coordinator and `idle()` need of the registry: exact counts, ends of certain tasks,
//! admission, aborts.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::lock::Mutex;
use tokio::sync::{Notify, mpsc};

use crate::outcome::{Outcome, OutcomeCounts};
use crate::registry::census;
use crate::registry::flags::{COUNTING, NOT_OPEN, flags};
use crate::registry::group::Group;
use crate::registry::kind::OnShutdown;
use crate::registry::local::Current;
use crate::registry::outcomes::outcomes;
use crate::registry::slot::{
    ABANDONED, ABORT_WANTED, COUNTED, Locked, NOT_CANCELLABLE, REFUSED, Reading, WATCHED,
};
use crate::registry::{Handle, Registry, TaskSlot};

/// What becomes of new tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// They are tasks like any other.
    Open,
    /// Draining: they are counted as late, and waited for.
    Adopt,
    /// They are dropped, and counted as late.
    Refuse,
}

/// The switch for new tasks, and the number of late ones.
#[derive(Debug, Default)]
pub struct Admission {
    switch: AtomicU8,
    late: AtomicU64,
    refused: AtomicU64,
    arrival: Notify,
}

impl Admission {
    #[inline]
    pub fn current(&self) -> Admit {
        match self.switch.load(Ordering::Relaxed) {
            0 => Admit::Open,
            1 => Admit::Adopt,
            _ => Admit::Refuse,
        }
    }

    pub fn set(&self, admit: Admit) {
        self.switch.store(admit as u8, Ordering::Release);
        if admit == Admit::Open {
            flags().clear(NOT_OPEN);
        } else {
            flags().set(NOT_OPEN);
        }
    }

    pub fn count_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
        self.arrival.notify_one();
    }

    /// Whether a task that has just begun is to be dropped again.
    #[inline]
    pub fn refuses(&self) -> bool {
        self.current() == Admit::Refuse
    }

    /// Counts a task of the group that was refused and has ended as cancelled, and wakes the waiter, which
    /// logs it.
    fn count_refused(&self, group: &Group) {
        group.refused.fetch_add(1, crate::sync::Ordering::Relaxed);
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.look();
    }

    /// Tasks of all groups that were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Wakes the waiter for late tasks, which then looks at all of them.
    pub fn look(&self) {
        self.arrival.notify_one();
    }

    /// Resolves when a task came late, or is to be looked at like one.
    pub async fn arrival(&self) {
        self.arrival.notified().await;
    }

    pub fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }
}

/// The end of a watched task.
#[derive(Clone, Debug)]
pub struct Ended {
    pub task: Reading,
    pub outcome: Outcome,
    pub at: u64,
}

/// The receiver of the ends of watched tasks, and the waiters to wake when no task is left to wait for.
#[derive(Debug, Default)]
pub struct Watch {
    ends: Mutex<Option<mpsc::UnboundedSender<Ended>>>,
    none_left: Notify,
    aside: Aside,
    /// Tasks inside `idle()`, each as often as it is.
    inside: Mutex<Vec<Current>>,
}

/// Ends that a stop does not count among those it waited for.
///
/// Each is counted in `begun` before the totals of its group have it, and in `ended` after. As long as both
/// are the same, the totals have exactly the ends of `ended`.
#[derive(Debug, Default)]
struct Aside {
    begun: AtomicU64,
    ended: [AtomicU64; Outcome::COUNT],
}

/// How often both are read until they are the same; a thread between the two is there for less.
const ASIDE_READS: usize = 10_000;

/// What an abort came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// The runtime received the abort and drops the future at its next await.
    Told,
    /// A `track` future, a request or a running closure.
    NotCancellable,
}

impl Registry {
    /// Switches exact counting on; see [`census`](super::census). On return all live tasks are counted, also
    /// if another thread began.
    pub fn begin_counting(&self) {
        self.counted.call_once(|| {
            self.census.begin();
            flags().set(COUNTING);
            self.slab.slots().for_each(|slot| self.count(slot));
        });
    }

    fn count(&self, slot: TaskSlot) {
        if let Some(mut task) = slot.lock_any() {
            self.count_locked(&mut task);
        }
    }

    /// Counts a task if counting is on and it is not counted already.
    #[inline]
    pub fn count_locked(&self, task: &mut Locked<'_, Handle>) {
        if self.census.is_counting() && !task.has(COUNTED) {
            task.set(COUNTED);
            self.census.add(task.policy());
        }
    }

    /// Takes an ended task off the count, reports its end if it is watched, and wakes those waiting for the
    /// last one.
    ///
    /// The order matters: a receiver of an end finds it counted, and a woken waiter finds all ends reported.
    pub fn leave_count(&self, ended: Ended) {
        let task = ended.task;
        if is_refusal(&task, ended.outcome) {
            self.admission.count_refused(self.group(task.group()));
        }
        let was_last = task.has(COUNTED) && self.census.remove(task.policy());
        if task.has(WATCHED) {
            self.report_end(ended);
        }
        if was_last {
            self.watch.none_left.notify_waiters();
        }
    }

    /// Whether a task that is about to enter the totals of its group is none of those that were waited for.
    /// [`note_aside`](Self::note_aside) follows if so.
    pub(super) fn begin_aside(&self, task: &Reading, outcome: Outcome) -> bool {
        // An abandoned task is reported separately.
        let is_detached = task.has(COUNTED) && !task.has(ABANDONED) && task.policy() == OnShutdown::Detach;
        let is_aside = is_detached || is_refusal(task, outcome);
        if is_aside {
            self.watch.aside.begun.fetch_add(1, Ordering::AcqRel);
        }
        is_aside
    }

    /// The totals have it.
    pub(super) fn note_aside(&self, outcome: Outcome) {
        self.watch.aside.ended[outcome as usize].fetch_add(1, Ordering::AcqRel);
    }

    /// Reads totals, together with the ends in them of tasks that were not waited for.
    pub fn with_ends_aside<T>(&self, read: impl Fn() -> T) -> (T, OutcomeCounts) {
        let aside = &self.watch.aside;
        let mut reads = 0;
        loop {
            let mut ended = OutcomeCounts::default();
            for &outcome in Outcome::ALL {
                ended.add(outcome, aside.ended[outcome as usize].load(Ordering::Acquire));
            }
            let totals = read();
            reads += 1;
            if aside.begun.load(Ordering::Acquire) == ended.total() || reads == ASIDE_READS {
                return (totals, ended);
            }
            std::thread::yield_now();
        }
    }

    /// Takes a task off the count of a policy that it had, and wakes those waiting for the last one.
    pub fn uncount(&self, former: Option<OnShutdown>) {
        if former.is_some_and(|policy| self.census.remove(policy)) {
            self.watch.none_left.notify_waiters();
        }
    }

    /// Live tasks of a policy, exact while counting is on. Only `Wait`, `Connection` and `Last` are
    /// counted, `Connection` as `Wait`.
    pub fn counted(&self, policy: OnShutdown) -> usize {
        self.census.count(policy)
    }

    /// Whether no counted task is left.
    pub fn is_idle(&self) -> bool {
        self.census.total() == 0
    }

    /// Whether no counted task is left but those inside `idle()`.
    pub fn only_idle_left(&self) -> bool {
        self.are_idle(|| self.census.total(), census::is_counted)
    }

    /// Whether no `Wait` task is left but those inside `idle()`, which wait for the `Last` tasks themselves.
    pub fn only_idle_wait(&self) -> bool {
        self.are_idle(
            || self.census.left(OnShutdown::Wait),
            |policy| matches!(policy, OnShutdown::Wait | OnShutdown::Connection),
        )
    }

    /// Whether as many are left as are of these policies and inside `idle()`.
    fn are_idle(&self, left: impl Fn() -> usize, is_one: impl Fn(OnShutdown) -> bool) -> bool {
        // Held to the end: a task in this list can neither go on nor end meanwhile, and spawns nothing that
        // is missed.
        let inside = self.watch.inside.lock();
        if inside.len() < left() {
            return false;
        }
        let counted = |task: &&Current| task.counted_as().is_some_and(&is_one);
        let mut waiting: Vec<u64> = inside.iter().filter(counted).map(|task| task.id).collect();
        waiting.sort_unstable();
        waiting.dedup();
        // After those that wait: one of them that is counted only now is not taken for one that does not.
        left() == waiting.len()
    }

    /// A task waits for all others until [`leave_idle`](Self::leave_idle).
    pub fn enter_idle(&self, task: Current) {
        self.watch.inside.lock().push(task);
        self.census.enter();
        // Other waiters no longer wait for this task.
        self.watch.none_left.notify_waiters();
    }

    pub fn leave_idle(&self, task: Current) {
        let mut inside = self.watch.inside.lock();
        if let Some(place) = inside.iter().position(|known| known.id == task.id) {
            inside.swap_remove(place);
        }
        self.census.leave();
    }

    /// Resolves when no more `Wait` or no more `Last` tasks are left than wait themselves, or such a number
    /// changes; look at the counts after it was enabled.
    pub fn none_left(&self) -> tokio::sync::futures::Notified<'_> {
        self.watch.none_left.notified()
    }

    /// Gives a live task another policy.
    pub fn set_policy(&self, current: Current, policy: OnShutdown) {
        let Some(mut task) = current.slot.lock(current.id) else { return };
        let former = self.change_policy(&mut task, policy);
        drop(task);
        self.uncount(former);
    }

    /// Gives the task of a locked slot another policy. The caller [takes it off](Self::uncount) the count of
    /// the former one, if it was on that, after the lock.
    #[must_use]
    pub fn change_policy(&self, task: &mut Locked<'_, Handle>, policy: OnShutdown) -> Option<OnShutdown> {
        let former = task.has(COUNTED).then(|| task.policy());
        if former.is_some() {
            // Before the task can end, which takes it off the count of its new policy.
            self.census.add(policy);
        }
        task.set_policy(policy);
        former
    }

    /// Gives all live tasks the policy that whoever runs the service set for their name.
    pub fn apply_policies(&self) {
        self.groups.apply_policies(&self.config);
        // A task that begins with the former policy is met below, or it sees this change when its handle is
        // held.
        flags().change();
        let policies: Vec<_> = self.groups.all().into_iter().map(super::Group::policy).collect();
        self.slab.slots().for_each(|slot| {
            let Some(mut task) = slot.lock_any() else { return };
            let policy = policies.get(task.group() as usize).copied().flatten();
            let former = policy.and_then(|policy| self.change_policy(&mut task, policy));
            drop(task);
            self.uncount(former);
        });
    }

    /// Where the ends of watched tasks go from now on.
    pub fn watch_ends(&self) -> mpsc::UnboundedReceiver<Ended> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.watch.ends.lock() = Some(sender);
        receiver
    }

    fn report_end(&self, ended: Ended) {
        if let Some(sender) = &*self.watch.ends.lock() {
            // The receiver is gone once the coordinator is done.
            let _ = sender.send(ended);
        }
    }

    /// A live task by its id: a pass over all slots.
    pub fn find(&self, id: u64) -> Option<Current> {
        self.slab.slots().find(|slot| slot.id() == id && id != 0).map(|slot| Current { slot, id })
    }
}

/// Whether a task was dropped because it came too late.
fn is_refusal(task: &Reading, outcome: Outcome) -> bool {
    task.has(REFUSED) && outcome == Outcome::Cancelled
}

impl Current {
    /// As what the census counts the task, or would if it counted such.
    fn counted_as(self) -> Option<OnShutdown> {
        let task = self.slot.lock(self.id)?;
        task.has(COUNTED).then(|| task.policy())
    }

    /// Has the end of the task reported to [`watch_ends`](Registry::watch_ends); false if it has ended.
    pub fn watch(self) -> bool {
        self.slot.lock(self.id).map(|mut task| task.set(WATCHED)).is_some()
    }

    /// Flags the task: when it is dropped from now on, it counts as abandoned.
    pub fn abandon(self) {
        let Some(mut task) = self.slot.lock(self.id) else { return };
        task.set(ABANDONED);
        let id = task.handle().as_ref().map(Handle::id);
        drop(task);
        if let Some(id) = id {
            outcomes().keep(id, Outcome::Abandoned);
        }
    }

    /// Flags the task: when it is dropped from now on, it was refused.
    pub fn refuse(self) {
        if let Some(mut task) = self.slot.lock(self.id) {
            task.set(REFUSED);
        }
    }

    /// Aborts the task; `None` if it has ended.
    pub fn abort(self) -> Option<Abort> {
        let mut task = self.slot.lock(self.id)?;
        if task.has(NOT_CANCELLABLE) {
            return Some(Abort::NotCancellable);
        }
        let handle = task.handle();
        if handle.is_none() {
            // Its spawner comes with it in a moment.
            task.set(ABORT_WANTED);
        }
        // Outside the lock: the runtime may drop the future at once, which ends the task.
        drop(task);
        if let Some(handle) = handle {
            handle.abort();
        }
        Some(Abort::Told)
    }
}
