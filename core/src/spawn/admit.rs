//! What stands before a task's first poll: its limit and its key.
//!
//! [`rule`] decides about a task that has a plan, before the runtime has it. The task runs at once, is
//! rejected, or is spawned behind a [`Hold`], which waits in its place and keeps what it was given until the
//! task has ended.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use tokio::runtime::{Builder, Handle};
use tokio::task::{AbortHandle, JoinHandle, LocalSet};

use crate::clock;
use crate::outcome::Outcome;
use crate::registry::begin::Begun;
use crate::registry::local::{self, Current};
use crate::registry::outcomes::outcomes;
use crate::registry::plan::{self, Plan};
use crate::registry::slot::{LIMITED, REJECTED};
use crate::registry::terms::{look_for_deadlock, note_rejected};
use crate::registry::timeout;
use crate::registry::untracked::Untracked;
use crate::registry::{is_enabled, registry};
use crate::terms::gate::{Entered, Permit, Waiting};
use crate::terms::keys::{Claim, Claimed, Link, Turn, keys};
use crate::terms::{Limit, Reason};

/// What becomes of a task about to be handed to the runtime.
#[derive(Debug)]
pub(super) enum Ruling {
    /// Nothing stands before it.
    Plain,
    /// It is dropped.
    Out(Out),
    /// It goes behind this.
    Held(Box<Hold>),
}

/// Why a task is dropped before it began.
#[derive(Clone, Copy, Debug)]
pub(super) enum Out {
    /// The process stops.
    Closed,
    /// It was not admitted.
    Rejected(Reason),
}

thread_local! {
    /// What a task has passed whose spawn function asked before.
    static RULED: Cell<Option<Box<Hold>>> = const { Cell::new(None) };
}

/// Leaves what the next task of this thread goes behind.
pub(super) fn leave_ruled(hold: Box<Hold>) {
    let _ = RULED.try_with(|place| place.set(Some(hold)));
}

/// Whether [`rule`] is to be asked: the process, the task or its group is special, or tracking is off.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn is_special(begun: Option<Begun>) -> bool {
    begun.is_none_or(|begun| begun.seen.is_marked())
}

/// Decides about a task that has begun, or that is not tracked.
#[cold]
#[inline(never)]
pub(super) fn rule(begun: Option<Begun>) -> Ruling {
    let plan = plan::take();
    let hold = RULED.try_with(Cell::take).ok().flatten();
    if let Some(late) = begun.filter(|begun| begun.seen.is_marked() && registry().admission.refuses()) {
        late.current().refuse();
        return Ruling::Out(Out::Closed);
    }
    match (hold, plan) {
        (Some(hold), _) => Ruling::Held(hold),
        (None, Some(plan)) => decide(begun.filter(|_| is_enabled()).map(Begun::current), *plan),
        (None, None) => Ruling::Plain,
    }
}

fn decide(current: Option<Current>, plan: Plan) -> Ruling {
    let Plan { name, mut limit, unique, attempt, timeout, at_stop } = plan;
    if let Some(closed) = limit.filter(|limit| limit.is_closed() && attempt.permit.is_none()) {
        // Before it takes a key from another task.
        return reject(current, Reason::Full, Some(closed), attempt.is_try);
    }
    let mut hold = Hold::new(current, Untracked::keep(timeout, at_stop));
    if let Some(unique) = unique {
        // A task that is to run at once waits for no other.
        match keys().claim(&name, &unique.key, unique.replaces && !attempt.is_try) {
            Claimed::Held(claim) => hold.claim = Some(claim),
            Claimed::Waits(turn) => (hold.turn, hold.limit) = (Some(turn), limit.take()),
            Claimed::Duplicate => return reject(current, Reason::Duplicate, None, attempt.is_try),
        }
    }
    if let Some(permit) = attempt.permit {
        (hold.permit, hold.limit) = (Some(permit), None);
    } else if let Some(limit) = limit {
        let gate = limit.gate();
        let entered = if attempt.is_try {
            gate.try_enter().map_or(Entered::Full, Entered::Admitted)
        } else {
            gate.enter(true)
        };
        match entered {
            Entered::Admitted(permit) => hold.permit = Some(permit),
            Entered::Waits(waiting) => {
                hold.waiting = Some(waiting);
                if let Some(current) = current {
                    let registry = registry();
                    let group = registry.group(current.slot.own().group());
                    look_for_deadlock(registry, (group, current.id), local::current(), limit);
                }
            }
            Entered::Full => return reject(current, Reason::Full, Some(limit), attempt.is_try),
        }
    }
    if hold.is_empty() {
        return Ruling::Plain;
    }
    hold.begin();
    Ruling::Held(Box::new(hold))
}

/// Marks, counts and logs a task that is not admitted. A caller that has the answer needs no line.
fn reject(current: Option<Current>, reason: Reason, limit: Option<&'static Limit>, is_told: bool) -> Ruling {
    if let Some(current) = current {
        if let Some(mut task) = current.slot.lock(current.id) {
            task.set(REJECTED);
        }
        let group = registry().group(current.slot.own().group());
        note_rejected(group, current.id, reason, limit, is_told);
    }
    Ruling::Out(Out::Rejected(reason))
}

/// The places and keys that a task has, or waits for. Dropping it gives them back.
#[derive(Debug)]
pub(super) struct Hold {
    /// The task, where it is tracked.
    current: Option<Current>,
    is_admitted: bool,
    /// Since when it waits; 0 if it does not.
    since: u64,
    turn: Option<Turn>,
    waiting: Option<Waiting>,
    /// What it enters once it has its key.
    limit: Option<&'static Limit>,
    untracked: Option<Arc<Untracked>>,
    permit: Option<Permit>,
    // Given back last: the next task with the key finds the place free.
    claim: Option<Claim>,
}

/// What must know the abort handle of a task.
#[derive(Debug)]
pub(super) struct Handles {
    link: Option<Arc<Link>>,
    untracked: Option<Arc<Untracked>>,
}

impl Handles {
    /// The runtime has the task.
    pub(super) fn set(self, handle: impl Fn() -> AbortHandle) {
        if let Some(link) = self.link {
            link.set_handle(handle());
        }
        if let Some(untracked) = self.untracked {
            untracked.set_handle(handle());
        }
    }
}

impl Hold {
    fn new(current: Option<Current>, untracked: Option<Arc<Untracked>>) -> Self {
        Self {
            current,
            is_admitted: false,
            since: 0,
            turn: None,
            waiting: None,
            limit: None,
            untracked,
            permit: None,
            claim: None,
        }
    }

    fn is_empty(&self) -> bool {
        self.untracked.is_none() && self.permit.is_none() && self.claim.is_none() && !self.waits()
    }

    /// Whether it waits.
    pub(super) fn waits(&self) -> bool {
        self.turn.is_some() || self.waiting.is_some()
    }

    /// The task is about to be handed to the runtime.
    fn begin(&mut self) {
        if !self.waits() {
            return;
        }
        self.since = clock::ticks();
        if let Some(mut task) = self.current.and_then(|current| current.slot.lock(current.id)) {
            task.set(LIMITED);
        }
    }

    pub(super) fn handles(&self) -> Handles {
        let link = match (&self.claim, &self.turn) {
            (Some(claim), _) => Some(Arc::clone(&claim.link)),
            (None, Some(turn)) => turn.link(),
            (None, None) => None,
        };
        Handles { link, untracked: self.untracked.clone() }
    }

    /// Ready once the task may run.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.is_admitted {
            return Poll::Ready(());
        }
        if let Some(turn) = &mut self.turn {
            self.claim = Some(ready!(turn.poll(context)));
            self.turn = None;
            // It stood in the line of its key, so it is not rejected here.
            match self.limit.take().map(|limit| limit.gate().enter(false)) {
                Some(Entered::Admitted(permit)) => self.permit = Some(permit),
                Some(Entered::Waits(waiting)) => self.waiting = Some(waiting),
                // Nothing makes a limit 0 while a process runs, and a queue bounds no other task.
                Some(Entered::Full) | None => {}
            }
        }
        if let Some(waiting) = &mut self.waiting {
            self.permit = Some(ready!(waiting.poll(context)));
            self.waiting = None;
        }
        self.admit();
        Poll::Ready(())
    }

    /// The task may run: its timeout begins.
    pub(super) fn admit(&mut self) {
        self.is_admitted = true;
        if let Some(untracked) = &self.untracked {
            untracked.arm();
        }
        if let Some(current) = self.current.filter(|_| self.since != 0) {
            timeout::admitted(current, clock::between(self.since, clock::ticks()));
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(untracked) = &self.untracked {
            untracked.disarm();
        }
    }
}

pin_project_lite::pin_project! {
    /// A task behind what it must pass first.
    pub(super) struct Gated<F> {
        #[pin]
        task: F,
        // After the task, which is dropped in this order: what comes next finds it ended.
        hold: Box<Hold>,
    }
}

impl<F> Gated<F> {
    pub(super) fn new(task: F, hold: Box<Hold>) -> Self {
        Self { task, hold }
    }
}

impl<F> fmt::Debug for Gated<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated").finish_non_exhaustive()
    }
}

impl<F: Future> Future for Gated<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        ready!(this.hold.poll(context));
        this.task.poll(context)
    }
}

/// A runtime that has been shut down: a task that it is given has ended at once, and nothing of it lives.
pub(super) fn closed() -> &'static Handle {
    static CLOSED: LazyLock<Handle> = LazyLock::new(|| {
        let runtime = Builder::new_current_thread().build().expect("it asks the system for nothing");
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        handle
    });
    &CLOSED
}

/// The handle of a task that never was: it is finished, as cancelled.
pub(super) fn finished<T: Send + 'static>(out: Out) -> JoinHandle<T> {
    noted(closed().spawn(std::future::pending()), out)
}

/// The same of a task whose result stays on its thread.
pub(super) fn finished_local<T: 'static>(out: Out) -> JoinHandle<T> {
    let set = LocalSet::new();
    let handle = set.spawn_local(std::future::pending());
    // With the set ends what was spawned in it.
    drop(set);
    noted(handle, out)
}

fn noted<T>(handle: JoinHandle<T>, out: Out) -> JoinHandle<T> {
    note(handle.id(), out);
    handle
}

/// Lets the code that awaits a handle know why its task never was.
pub(super) fn note(id: tokio::task::Id, out: Out) {
    if let Out::Rejected(_) = out {
        outcomes().keep(id, Outcome::Rejected);
    }
}
