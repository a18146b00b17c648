//! How a task enters the registry.

#![allow(clippy::inline_always, reason = "the fast way of a task is one piece of code")]

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::carry::Spawn;
use crate::clock;
use crate::name::{self, MAX_FIELD, MAX_NAME, MAX_TRACE_ID};
use crate::registry::config::TextSource;
use crate::registry::details::{Details, Scope};
use crate::registry::flags::{CARRIES, NOT_OPEN, Seen, flags};
use crate::registry::group::{Group, NameSource, Signature, first_flags};
use crate::registry::hot::{Hot, Key, Keys, hot};
use crate::registry::kind::{FUTURE, Kind, OnShutdown, kind_of};
use crate::registry::local::{self, Current, Local, with_local};
use crate::registry::plan::{self, Attempt, GivenTerms, Plan};
use crate::registry::site::Site;
use crate::registry::slab::FreeSlots;
use crate::registry::slot::{
    ABORT_WANTED, ASKED, Birth, DETAILS, LIMITED, NOT_CANCELLABLE, PLAIN, first_bits, group_bits, id_of,
    lineage,
};
use crate::registry::stripe::Stripe;
use crate::registry::terms::{choose, combine, is_exempt, limit_of, timeout_of};
use crate::registry::untracked::AtStop;
use crate::registry::wait::Admit;
use crate::registry::{Handle, Registry, TaskSlot, is_enabled, registry, timeout};
use crate::terms::rules::rules;

/// A task about to begin.
#[derive(Debug)]
pub struct NewTask<'a> {
    pub signature: Signature<'a>,
    pub fields: &'a [(Cow<'static, str>, String)],
    pub policy: OnShutdown,
    pub grace: Option<Duration>,
    /// The leak check that it belongs to, if that is not its parent's.
    pub scope: Option<Arc<Scope>>,
    /// Whether its polls are in a span.
    pub has_span: bool,
}

impl<'a> NewTask<'a> {
    /// A task that has nothing but its signature.
    pub fn of(signature: Signature<'a>) -> Self {
        Self { signature, fields: &[], policy: OnShutdown::Wait, grace: None, scope: None, has_span: false }
    }
}

/// A task that has begun, and what its spawn [saw](Seen) of the flag word.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    pub slot: TaskSlot,
    pub seen: Seen,
}

impl Begun {
    pub fn current(self) -> Current {
        Current { slot: self.slot, id: self.slot.id() }
    }
}

/// Begins a task that has a name and labels of the program's own, and nothing else: the fast way. `None` if
/// tracking is off.
///
/// Not inlined, since each spawn in a program would have a copy; the compiler makes one for each kind of
/// spawn.
#[inline(never)]
pub fn begin_known<const N: usize, const KIND: u64, const IS_GIVEN: bool>(
    name: &'static str,
    labels: [(&'static str, &'static str); N],
    location: &'static Location<'static>,
) -> Option<Begun>
where
    Hot<Handle>: Keys<N>,
{
    let key = Key { name, labels, location };
    let begun = hot(|hot| hot.begin(hot.find(&key, IS_GIVEN, KIND)?, flags(), clock::counter));
    match begun {
        Some((slot, seen)) => Some(begun_plain::<KIND>(slot, seen)),
        None => begin_unknown::<N, KIND, IS_GIVEN>(name, labels, location),
    }
}

/// The same for a thread that lacks something, or a process in which something is special.
#[cold]
#[inline(never)]
fn begin_unknown<const N: usize, const KIND: u64, const IS_GIVEN: bool>(
    name: &'static str,
    labels: [(&'static str, &'static str); N],
    location: &'static Location<'static>,
) -> Option<Begun>
where
    Hot<Handle>: Keys<N>,
{
    let key = Key { name, labels, location };
    if !is_enabled() {
        let given = Cow::Borrowed(name);
        let source = if IS_GIVEN { NameSource::Given(&given) } else { NameSource::Code(name) };
        let name = if IS_GIVEN { given.clone() } else { code_name(key.name) };
        let begun = begin_untracked(&name, kind_of(KIND), false);
        plan_untracked(
            source,
            location,
            (kind_of(KIND), OnShutdown::Wait, None),
            GivenTerms::default(),
            Attempt::default(),
        );
        return begun;
    }
    let find = |hot: &Hot<Handle>| hot.find(&key, IS_GIVEN, KIND);
    if let Some(begun) = begin_refilled::<KIND>(find) {
        return Some(begun);
    }
    let name = Cow::Borrowed(key.name);
    let name = if IS_GIVEN { NameSource::Given(&name) } else { NameSource::Code(key.name) };
    let labels = key.labels.map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value)));
    let signature = Signature { name, labels: &labels, kind: kind_of(KIND), location };
    let begun = begin(&NewTask::of(signature));
    learn(&signature, |hot, stripe| hot.keep(key, IS_GIVEN, stripe));
    Some(begun)
}

/// Begins a task of a [site](Site), which knows its group: the fast way without a search. `None` if tracking
/// is off.
#[inline(never)]
pub fn begin_site<const KIND: u64>(site: &'static Site) -> Option<Begun> {
    let begun = hot(|hot| hot.begin(hot.stripe(site.group(KIND))?, flags(), clock::counter));
    match begun {
        Some((slot, seen)) => Some(begun_plain::<KIND>(slot, seen)),
        None => begin_site_unknown::<KIND>(site),
    }
}

#[cold]
#[inline(never)]
fn begin_site_unknown<const KIND: u64>(site: &'static Site) -> Option<Begun> {
    if !is_enabled() {
        let name = Cow::Borrowed(site.name());
        let begun = begin_untracked(site.name(), kind_of(KIND), false);
        let (name, kind) = (NameSource::Given(&name), (kind_of(KIND), OnShutdown::Wait, None));
        plan_untracked(name, site.location(), kind, GivenTerms::default(), Attempt::default());
        return begun;
    }
    if let Some(begun) = begin_refilled::<KIND>(|hot| hot.stripe(site.group(KIND))) {
        return Some(begun);
    }
    let (name, labels) = (Cow::Borrowed(site.name()), site.labels());
    let name = NameSource::Given(&name);
    let signature = Signature { name, labels: &labels, kind: kind_of(KIND), location: site.location() };
    let begun = begin(&NewTask::of(signature));
    learn(&signature, |_, stripe| site.set_group(KIND, stripe.group_bits()));
    Some(begun)
}

/// Gives the thread ids and slots where it has run out of them, and tries the fast way once more.
fn begin_refilled<const KIND: u64>(
    find: impl FnOnce(&Hot<Handle>) -> Option<&'static Stripe>,
) -> Option<Begun> {
    if !hot(Hot::is_open) || !flags().see().is_plain() {
        return None;
    }
    let registry = registry();
    let begin = |local: &mut Local, hot: &Hot<Handle>| {
        local.refill_ids(hot, registry.clock.ticks());
        if hot.free.last().is_none() {
            registry.slab.refill(&hot.free);
        }
        hot.begin(find(hot)?, flags(), clock::counter)
    };
    let (slot, seen) = with_local(begin, || None)?;
    Some(begun_plain::<KIND>(slot, seen))
}

/// A task that has begun the fast way. A tracked future is not handed to a runtime, so nothing comes back to
/// [`hold`] it, and it looks here for what it may have missed.
#[inline(always)]
fn begun_plain<const KIND: u64>(slot: TaskSlot, seen: Seen) -> Begun {
    let begun = Begun { slot, seen };
    if KIND == FUTURE && slot.is_special(|| flags().see() != seen) {
        settle_future(begun);
    }
    begun
}

#[cold]
#[inline(never)]
fn settle_future(begun: Begun) {
    settle(registry(), begun.current(), begun.seen, None);
}

/// Lets the thread take the fast way for the next task with this signature.
fn learn(signature: &Signature<'_>, keep: impl FnOnce(&Hot<Handle>, &'static Stripe)) {
    let registry = registry();
    let learn = |local: &mut Local, hot: &Hot<Handle>| {
        let group = local.known.find(signature, &registry.groups, &registry.config);
        let stripe = local.stripe(group);
        hot.keep_stripe(stripe);
        keep(hot, stripe);
        local.meet_runtime();
        local.keep_chunk(hot, registry);
    };
    with_local(learn, || ());
}

/// Enters a task: from now on it is counted, listed and readable. The whole way.
pub fn begin(task: &NewTask<'_>) -> Begun {
    begin_with(task, GivenTerms::default(), Attempt::default())
}

/// The same with terms.
///
/// Not inlined, since each spawn in a program would have a copy.
#[inline(never)]
pub fn begin_with(task: &NewTask<'_>, terms: GivenTerms, attempt: Attempt) -> Begun {
    let mut seen = flags().see().marked();
    let registry = registry();
    let kind = task.signature.kind;
    let is_late = registry.admission.current() != Admit::Open && kind != Kind::Request;
    let parent = local::current();
    let details = details_of(registry, task, parent);
    let Entered { current, group, has_timeout } = enter(registry, task, &terms, parent, details);
    if seen.has(CARRIES) && kind != Kind::Request {
        carry(registry, current, task.has_span);
    }
    if is_late {
        // The coordinator, which this wakes, finds the task.
        registry.admission.count_late();
    }
    if matches!(kind, Kind::Future | Kind::Request) {
        // It is not handed to a runtime, so nothing comes back to `hold` an abort handle.
        settle(registry, current, seen, None);
    } else if let Some(plan) = plan_of(group, task, terms, attempt) {
        plan::leave(Some(plan));
        seen = seen.marked_always();
    } else if has_timeout {
        // The timeout begins when the handle comes, the special way.
        plan::leave(None);
        seen = seen.marked_always();
    }
    Begun { slot: current.slot, seen }
}

/// Gives a task what the code that spawns it has for it.
#[cold]
fn carry(registry: &Registry, task: Current, has_span: bool) {
    let group = registry.group(task.slot.own().group());
    let Some(taken) = registry.carriers.take(&Spawn::new(&group.name, Some(task.id.into()), has_span)) else {
        return;
    };
    // Before any lock is taken, since `redact` is the application's code.
    let trace_id = taken.trace_id.map(|id| storable_trace_id(registry, &id));
    let fields = taken.fields.into_iter().map(|(key, value)| storable_field(registry, key, &value));
    let fields: Vec<_> = fields.collect();
    registry.carriers.keep(task.id, taken.load);
    let Some(mut locked) = task.slot.lock(task.id) else { return };
    // Its polls are never plain, so nothing is to be given back to it.
    locked.clear(PLAIN | ASKED);
    locked.set(DETAILS);
    registry.details.update(task.id, |details| {
        details.trace_id = trace_id;
        for (key, value) in fields {
            let is_new = !details.fields.iter().any(|(known, _)| *known == key);
            if is_new && details.set_field(key.clone(), value) {
                details.carried.push(key);
            }
        }
    });
}

/// Begins a task that is not tracked and may carry something all the same. `None` if it carries nothing.
#[cold]
pub fn begin_untracked(name: &str, kind: Kind, has_span: bool) -> Option<Begun> {
    let seen = flags().see();
    if !seen.has(CARRIES) || kind == Kind::Request {
        return None;
    }
    let registry = registry();
    let taken = registry.carriers.take(&Spawn::new(name, None, has_span))?;
    let (id, batch) = (local::shared_id(), FreeSlots::new());
    let slot = registry.untracked.acquire(&batch);
    registry.untracked.retire(&batch);
    let bits = first_bits(kind, OnShutdown::Wait, NOT_CANCELLABLE | DETAILS);
    slot.begin(&Birth { id, bits, lineage: lineage(0, false), group: group_bits(0), started: 0 });
    registry.carriers.keep(id, taken.load);
    Some(Begun { slot, seen: seen.marked() })
}

/// The name that a type gives, for a task that has no group.
pub fn code_name(code: &'static str) -> Cow<'static, str> {
    name::of_type(code).map_or(Cow::Borrowed(code), |code| Cow::Owned(code.path))
}

/// What the task passes before its first poll, if anything.
#[inline]
fn plan_of(
    group: &'static Group,
    task: &NewTask<'_>,
    terms: GivenTerms,
    attempt: Attempt,
) -> Option<Box<Plan>> {
    let has_own = terms.limit.is_some() || terms.unique.is_some() || attempt.is_try;
    if !has_own && group.terms.get().is_none() {
        return None;
    }
    let is_exempt = is_exempt(group.kind, group.policy().unwrap_or(task.policy));
    let limit = limit_of(group, terms.limit, is_exempt);
    (has_own || limit.is_some()).then(|| {
        let Signature { name, location, .. } = task.signature;
        Box::new(Plan {
            // Tasks that are counted together have keys of their own.
            name: if group.is_overflow() { own_name(name, location) } else { group.name.clone() },
            limit,
            unique: terms.unique,
            attempt,
            timeout: None,
            at_stop: None,
        })
    })
}

/// The same for a task that is not tracked, with its kind and policy: its terms, and what rules say
/// of its name. Called after [`begin_untracked`], since a carrier may spawn tasks that leave plans of their
/// own.
#[cold]
#[inline(never)]
pub fn plan_untracked(
    name: NameSource<'_>,
    location: &'static Location<'static>,
    (kind, policy, grace): (Kind, OnShutdown, Option<Duration>),
    terms: GivenTerms,
    attempt: Attempt,
) {
    let at_stop = AtStop::of(policy, grace);
    let has_own = at_stop.is_some()
        || terms.timeout.is_some()
        || terms.limit.is_some()
        || terms.unique.is_some()
        || attempt.is_try;
    if !has_own && !rules().exist() {
        return plan::leave(None);
    }
    let name = own_name(name, location);
    let is_exempt = is_exempt(kind, policy);
    let timeout = combine(rules().timeout(&name, is_exempt), terms.timeout);
    plan::leave(Some(Box::new(Plan {
        timeout: timeout.map(|(timeout, _)| timeout),
        limit: choose(rules().limit(&name, is_exempt), terms.limit, &name),
        unique: terms.unique,
        attempt,
        at_stop,
        name,
    })));
}

/// The name that a task has without a group.
fn own_name(name: NameSource<'_>, location: &'static Location<'static>) -> Arc<str> {
    match name {
        NameSource::Given(name) if !name.is_empty() => name::cut(name.clone(), MAX_NAME).into(),
        NameSource::Given(_) => name::location(location).into(),
        NameSource::Code(code) => {
            name::of_type(code).map_or_else(|| name::location(location), |code| code.path).into()
        }
    }
}

struct Entered {
    current: Current,
    group: &'static Group,
    has_timeout: bool,
}

#[inline]
fn enter(
    registry: &Registry,
    task: &NewTask<'_>,
    terms: &GivenTerms,
    parent: Option<Current>,
    details: Option<Box<Details>>,
) -> Entered {
    let started = registry.clock.ticks();
    let kind = task.signature.kind;
    let is_scoped = details.as_ref().is_some_and(|details| details.scope.is_some());
    // Only one of the two below runs, so only one takes the details.
    let details = Cell::new(details);
    let start = |slot: TaskSlot, id: u64, group: &'static Group| {
        let policy = group.policy().unwrap_or(task.policy);
        let mut details = details.take();
        let mut has_timeout = false;
        group.note_given(task.policy, task.grace);
        if terms.timeout.is_some() || group.terms.get().is_some() {
            let timeout = timeout_of(group, terms.timeout, is_exempt(kind, policy));
            has_timeout = timeout.is_some();
            if has_timeout {
                details.get_or_insert_default().timeout = timeout;
            }
        }
        let mut flags = first_flags(kind);
        // The side table comes first: a reader that sees the slot's flag finds the entry.
        if let Some(details) = details {
            flags |= DETAILS;
            registry.details.insert(id, details);
        }
        slot.begin(&Birth {
            id,
            bits: first_bits(kind, policy, flags),
            lineage: lineage(parent.map_or(0, |parent| parent.id), is_scoped),
            group: group_bits(group.id),
            started,
        });
        Entered { current: Current { slot, id }, group, has_timeout }
    };
    with_local(
        |local, hot| {
            let group = local.known.find(&task.signature, &registry.groups, &registry.config);
            local.stripe(group).count_spawn();
            local.refill_ids(hot, started);
            let slot = registry.slab.acquire(&hot.free);
            start(slot, hot.take_id().expect("there are ids now"), group)
        },
        || {
            let group = registry.groups.find(&task.signature, &registry.config);
            group.with_shared(Stripe::count_spawn);
            let batch = FreeSlots::new();
            let slot = registry.slab.acquire(&batch);
            registry.slab.retire(&batch);
            start(slot, local::shared_id(), group)
        },
    )
}

/// The entry in the side table, for a task that needs one.
#[inline]
fn details_of(registry: &Registry, task: &NewTask<'_>, parent: Option<Current>) -> Option<Box<Details>> {
    let scope = task.scope.clone().or_else(|| scope_of(registry, parent?));
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

/// The leak check around the code that runs here.
pub fn current_scope() -> Option<Arc<Scope>> {
    scope_of(registry(), local::current()?)
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
    let value = name::cut(registry.config.redacted(TextSource::Field(&key), value), MAX_FIELD).into_owned();
    (key, value)
}

/// A trace's id redacted, as a field with the key `trace_id` is, and in bounds.
fn storable_trace_id(registry: &Registry, id: &str) -> Arc<str> {
    name::cut(registry.config.redacted(TextSource::Field("trace_id"), id), MAX_TRACE_ID).into()
}

/// Keeps the abort handle of a task that was handed to a runtime, unless it has ended already. It began as
/// `born`.
#[inline(always)]
pub fn hold(begun: Begun, born: u64, handle: Handle) {
    if let Some(handle) = begun.slot.hold_plain(born, handle, || flags().see() == begun.seen) {
        hold_special(begun, born, handle);
    }
}

#[cold]
#[inline(never)]
fn hold_special(begun: Begun, born: u64, handle: Handle) {
    if !is_enabled() {
        return;
    }
    let task = Current { slot: begun.slot, id: id_of(born) };
    settle(registry(), task, begun.seen, Some(handle));
}

/// Makes up, under the slot's lock, for what the begin of a task may have missed: a policy set meanwhile, the
/// census, the shutdown, an abort. Keeps its abort handle.
fn settle(registry: &Registry, task: Current, seen: Seen, handle: Option<Handle>) {
    // Whatever is not held is dropped after the lock.
    let mut handle = handle;
    let mut may_refuse = handle.is_some();
    let mut is_aborted = false;
    let group = registry.group(task.slot.own().group());
    let Some(mut locked) = task.slot.lock(task.id) else { return };
    let now = flags().see();
    let has_changed = now.differs_from(seen);
    let policy = if has_changed { group.policy() } else { None };
    let former = policy.and_then(|policy| registry.change_policy(&mut locked, policy));
    if let Some(handle) = handle.take_if(|_| !locked.has(NOT_CANCELLABLE)) {
        is_aborted = locked.has(ABORT_WANTED);
        locked.hold(handle);
    }
    may_refuse &= !locked.has(NOT_CANCELLABLE);
    registry.count_locked(&mut locked);
    let has_details = locked.has(DETAILS);
    let is_waiting = locked.has(LIMITED);
    drop(locked);
    drop(handle);
    registry.uncount(former);
    if has_changed && group.has_rules() {
        registry.give_timeout(task.slot);
    }
    // The rules leave a timeout of the code alone, so it begins here all the same.
    if has_details && !is_waiting {
        timeout::arm(task);
    }
    if now.has(NOT_OPEN) && !seen.has(NOT_OPEN) {
        // The process began to stop after this task had begun: the coordinator may have looked for tasks
        // before it was there.
        if may_refuse && registry.admission.refuses() {
            // It may end by itself all the same: how it ends decides what it counts as.
            task.refuse();
            task.abort();
        }
        registry.admission.look();
    }
    if is_aborted {
        task.abort();
    }
}

/// Drops the abort handle: the closure runs now.
pub fn release_handle(task: Current) {
    let handle = task.slot.lock(task.id).and_then(|mut locked| {
        locked.set(NOT_CANCELLABLE);
        locked.release()
    });
    drop(handle);
}
