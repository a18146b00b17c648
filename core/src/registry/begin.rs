//! How a task enters the registry.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::name::{self, MAX_FIELD};
use crate::registry::config::Text;
use crate::registry::details::{Details, Scope};
use crate::registry::group::{Group, Signature};
use crate::registry::kind::{Kind, OnShutdown};
use crate::registry::local::{self, Current, with_local};
use crate::registry::slab::FreeSlots;
use crate::registry::slot::{ABORT_WANTED, Birth, DETAILS, NOT_CANCELLABLE};
use crate::registry::stripe::Stripe;
use crate::registry::wait::Admit;
use crate::registry::{Handle, Registry, TaskSlot, registry};

/// A task about to begin.
#[derive(Debug)]
pub struct NewTask<'a> {
    pub signature: Signature<'a>,
    pub fields: &'a [(Cow<'static, str>, String)],
    pub policy: OnShutdown,
    pub grace: Option<Duration>,
    /// The leak check that it opens.
    pub scope: Option<u64>,
}

/// Enters a task: from now on it is counted, listed and readable.
///
/// Not inlined, since each spawn in a program would have a copy.
pub fn begin(task: &NewTask<'_>) -> Current {
    let registry = registry();
    let kind = task.signature.kind;
    let is_late = registry.admission.current() != Admit::Open && kind != Kind::Request;
    let parent = local::current();
    let details = details_of(registry, task, parent);
    let current = enter(registry, task, parent, details);
    if is_late {
        // Who is woken by this finds it.
        registry.admission.count_late();
    }
    if matches!(kind, Kind::Future | Kind::Request) {
        // Nobody hands it to a runtime and comes back to `hold` what aborts it.
        registry.count_if_counting(current);
    }
    current
}

#[inline]
fn enter(
    registry: &Registry,
    task: &NewTask<'_>,
    parent: Option<Current>,
    details: Option<Box<Details>>,
) -> Current {
    let started = registry.clock.ticks();
    let kind = task.signature.kind;
    let flags = first_flags(kind, details.is_some());
    let scoped = details.as_ref().is_some_and(|details| details.scope.is_some());
    // Only one of the two below runs, so only one takes the details.
    let details = Cell::new(details);
    let start = |slot: TaskSlot, id: u64, group: &Group| {
        // The side table comes first: whoever sees the slot's flag finds the entry.
        if let Some(details) = details.take() {
            registry.details.insert(id, details);
        }
        slot.begin(&Birth {
            id,
            parent: parent.map_or(0, |parent| parent.id),
            scoped,
            kind,
            policy: group.policy().unwrap_or(task.policy),
            flags,
            group: group.id,
            started,
        });
        Current { slot, id }
    };
    with_local(
        |local| {
            let group = local.known.find(&task.signature, &registry.groups, &registry.config);
            local.stripe(group).count_spawn();
            let slot = registry.slab.acquire(&mut local.free);
            start(slot, local.next_id(), group)
        },
        || {
            let group = registry.groups.find(&task.signature, &registry.config);
            group.with_shared(Stripe::count_spawn);
            let mut batch = FreeSlots::new();
            let slot = registry.slab.acquire(&mut batch);
            registry.slab.retire(&mut batch);
            start(slot, local::shared_id(), group)
        },
    )
}

#[inline]
fn first_flags(kind: Kind, has_details: bool) -> u64 {
    let fixed = if matches!(kind, Kind::Future | Kind::Request) { NOT_CANCELLABLE } else { 0 };
    if has_details { fixed | DETAILS } else { fixed }
}

/// The entry in the side table, for a task that needs one.
#[inline]
fn details_of(registry: &Registry, task: &NewTask<'_>, parent: Option<Current>) -> Option<Box<Details>> {
    let outer = parent.and_then(|parent| scope_of(registry, parent));
    let scope = match task.scope {
        Some(id) => Some(Arc::new(Scope { id, outer })),
        None => outer,
    };
    if task.fields.is_empty() && task.grace.is_none() && scope.is_none() {
        return None;
    }
    let mut details = Details { grace: task.grace, scope, ..Details::default() };
    for (key, value) in task.fields {
        let (key, value) = storable_field(registry, key.clone(), value);
        details.set_field(key, value);
    }
    Some(Box::new(details))
}

/// The leak check that a task belongs to, which its children inherit.
#[inline]
fn scope_of(registry: &Registry, task: Current) -> Option<Arc<Scope>> {
    if !task.slot.own().is_scoped() {
        return None;
    }
    registry.details.read(task.id, |details| details.scope.clone()).flatten()
}

/// Puts a field in bounds: redacted, then cut.
pub fn storable_field(
    registry: &Registry,
    key: Cow<'static, str>,
    value: &str,
) -> (Cow<'static, str>, String) {
    let key = name::cut(key, MAX_FIELD);
    let value = name::cut(registry.config.redacted(Text::Field(&key), value), MAX_FIELD).into_owned();
    (key, value)
}

/// Keeps what aborts a task that was handed to a runtime, unless it has ended already.
pub fn hold(task: Current, handle: Handle) {
    let registry = registry();
    // Whatever is not held is dropped after the lock.
    let mut handle = Some(handle);
    let mut abort_wanted = false;
    if let Some(mut locked) = task.slot.lock(task.id) {
        abort_wanted = locked.has(ABORT_WANTED);
        if let Some(handle) = handle.take_if(|_| !locked.has(NOT_CANCELLABLE)) {
            locked.hold(handle);
        }
        registry.count_locked(&mut locked);
    }
    if abort_wanted {
        task.abort();
    }
}

/// Takes away what aborts a task: its closure runs now.
pub fn release_handle(task: Current) {
    let handle = task.slot.lock(task.id).and_then(|mut locked| {
        locked.set(NOT_CANCELLABLE);
        locked.release()
    });
    drop(handle);
}
