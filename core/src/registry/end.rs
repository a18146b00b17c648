//! How a task leaves the registry.

use std::cell::Cell;
use std::sync::Arc;

use crate::clock;
use crate::name::{self, MAX_MESSAGE};
use crate::outcome::Outcome;
use crate::registry::config::TextSource;
use crate::registry::details::Details;
use crate::registry::failure::{self, Origin};
use crate::registry::flags::{CARRIES, flags};
use crate::registry::history::{HistoryWriter, Note, Record};
use crate::registry::hot::{Hot, hot};
use crate::registry::local::{Local, with_local};
use crate::registry::slab::FreeSlots;
use crate::registry::slot::{
    ABANDONED, COUNTED, DETAILS, FAILED, REFUSED, Reading, TIMED_OUT, WATCHED, id_of,
};
use crate::registry::stripe::Stripe;
use crate::registry::wait::Ended;
#[cfg(feature = "stacks")]
use crate::registry::wakers;
use crate::registry::{Handle, Registry, TaskSlot, is_enabled, registry, timeout};

/// Why a task ends.
#[derive(Debug)]
pub enum Ending {
    /// Its future was ready or its closure returned.
    Ready,
    /// It unwound with this text.
    Panicked(Option<String>),
    /// It was dropped.
    Dropped,
}

/// Ends a task whose future was dropped: the fast way if it was ready and nothing about it is special.
#[inline]
pub fn end_dropped(slot: TaskSlot) {
    // Off the list before it is counted: a reader of the totals and then of the list does not see it in both.
    let (identity, handle) = slot.end();
    drop(handle);
    if !hot(|hot| hot.end(slot, identity, clock::nanos_between_known)) {
        end_special(slot, identity);
    }
}

/// The same for a thread that lacks something, or a task about which something is special.
#[cold]
#[inline(never)]
fn end_special(slot: TaskSlot, identity: u64) {
    let registry = registry();
    #[cfg(feature = "stacks")]
    wakers::forget(slot);
    if !is_enabled() {
        end_untracked(registry, slot, identity);
        return;
    }
    let retry = |local: &mut Local, hot: &Hot<Handle>| {
        if hot.free.room().is_none() {
            registry.slab.hand_over(&hot.free);
        }
        local.keep_chunk(hot, registry);
        hot.end(slot, identity, clock::nanos_between_known)
    };
    if hot(Hot::is_open) && with_local(retry, || false) {
        return;
    }
    let (ending, now) = match slot.ready_at() {
        Some(now) => (Ending::Ready, now),
        None => (Ending::Dropped, registry.clock.ticks()),
    };
    end_with(slot, identity, ending, now);
}

/// Ends a task that only carried something.
fn end_untracked(registry: &Registry, slot: TaskSlot, identity: u64) {
    registry.carriers.discard(id_of(identity));
    let batch = FreeSlots::new();
    registry.untracked.release(slot, &batch);
    registry.untracked.retire(&batch);
}

/// Ends a task at `now`: it is counted by its outcome, goes to the history, and its slot is free. The whole
/// way.
pub fn end(slot: TaskSlot, ending: Ending, now: u64) {
    let (identity, handle) = slot.end();
    drop(handle);
    #[cfg(feature = "stacks")]
    wakers::forget(slot);
    end_with(slot, identity, ending, now);
}

fn end_with(slot: TaskSlot, identity: u64, ending: Ending, now: u64) {
    let registry = registry();
    let task = Reading { identity, ..slot.own() };
    let outcome = outcome_of(&task, &ending);
    let record = Record { task, outcome, ended: now };
    let is_aside = identity & (COUNTED | REFUSED) != 0 && registry.begin_aside(&task, outcome);
    leave(registry, slot, &record);
    if is_aside {
        registry.note_aside(outcome);
    }
    if identity & (DETAILS | WATCHED | COUNTED | REFUSED) != 0 || outcome == Outcome::Panic {
        finish(registry, &record, ending);
    }
}

#[inline]
fn outcome_of(task: &Reading, ending: &Ending) -> Outcome {
    match ending {
        Ending::Ready if task.has(FAILED) => Outcome::Error,
        Ending::Ready => Outcome::Ok,
        Ending::Panicked(_) => Outcome::Panic,
        Ending::Dropped if task.has(ABANDONED) => Outcome::Abandoned,
        Ending::Dropped if task.is_rejected() => Outcome::Rejected,
        Ending::Dropped if task.has(TIMED_OUT) => Outcome::Timeout,
        Ending::Dropped => Outcome::Cancelled,
    }
}

/// Counts, records, and gives the slot back.
#[inline]
fn leave(registry: &Registry, slot: TaskSlot, record: &Record) {
    let task = &record.task;
    let nanos = registry.clock.nanos_between(task.started, record.ended);
    let busy = registry.clock.nanos_between(0, task.busy);
    let limit = registry.config.history();
    let count = |stripe: &Stripe, writer: &mut HistoryWriter| {
        stripe.count_end(record.outcome, nanos, task.polls(), busy);
        writer.push(record, limit);
    };
    with_local(
        |local, hot| {
            let stripe = local.stripe_of(task.group(), registry);
            hot.keep_stripe(stripe);
            count(stripe, local.history(registry));
            local.keep_chunk(hot, registry);
            registry.slab.release(slot, &hot.free);
        },
        || {
            let group = registry.group(task.group());
            registry.histories.with_shared(|writer| group.with_shared(|stripe| count(stripe, writer)));
            let batch = FreeSlots::new();
            registry.slab.release(slot, &batch);
            registry.slab.retire(&batch);
        },
    );
}

/// What only some ends need: details kept, failures logged, the census served.
#[cold]
fn finish(registry: &Registry, record: &Record, ending: Ending) {
    let id = record.task.id();
    let mut details = if record.task.has(DETAILS) { registry.details.remove(id) } else { None };
    if let Some(details) = &mut details {
        timeout::disarm(details, record.ended);
    }
    let message = message_of(registry, ending, details.as_deref_mut());
    let allowed = details.as_ref().and_then(|details| Some(details.timeout.as_ref()?.allowed));
    let failure = matches!(record.outcome, Outcome::Error | Outcome::Panic);
    let origin = details.as_deref().filter(|_| failure).map(Origin::of).unwrap_or_default();
    if details.is_some() || message.is_some() {
        keep_note(registry, record, Note { details, message: message.clone() });
    }
    let mut tell = || {
        if failure {
            failure::tell(registry, record, message.clone(), &origin);
        } else if record.outcome == Outcome::Timeout {
            failure::tell_timeout(registry, record, allowed);
        }
    };
    if flags().see().has(CARRIES) {
        registry.carriers.end(id, record.outcome, &mut tell);
    } else {
        tell();
    }
    // Last, so that a woken waiter finds all of the above.
    registry.leave_count(Ended { task: record.task, outcome: record.outcome, at: record.ended });
}

/// The text of a panic or error, as it may be stored.
fn message_of(registry: &Registry, ending: Ending, details: Option<&mut Details>) -> Option<Arc<str>> {
    match ending {
        Ending::Panicked(text) => text.map(|text| storable_message(registry, &text)),
        Ending::Ready => details?.message.take(),
        Ending::Dropped => None,
    }
}

/// A message redacted and in bounds.
pub fn storable_message(registry: &Registry, text: &str) -> Arc<str> {
    name::cut(registry.config.redacted(TextSource::Message, text), MAX_MESSAGE).into()
}

fn keep_note(registry: &Registry, record: &Record, note: Note) {
    let limit = registry.config.history();
    // Only one of the two below runs, so only one takes the note.
    let note = Cell::new(Some(note));
    let keep = |writer: &HistoryWriter| {
        if let Some(note) = note.take() {
            writer.note(record.task.id(), record.outcome, note, limit);
        }
    };
    with_local(
        |local, _| keep(local.history(registry)),
        || registry.histories.with_shared(|writer| keep(writer)),
    );
}
