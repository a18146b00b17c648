//! How a task leaves the registry.

use std::cell::Cell;
use std::sync::Arc;

use crate::name::{self, MAX_MESSAGE};
use crate::outcome::Outcome;
use crate::registry::config::Text;
use crate::registry::details::Details;
use crate::registry::failure;
use crate::registry::history::{HistoryWriter, Note, Record};
use crate::registry::local::with_local;
use crate::registry::slab::FreeSlots;
use crate::registry::slot::{ABANDONED, COUNTED, DETAILS, FAILED, Reading, WATCHED};
use crate::registry::stripe::Stripe;
use crate::registry::wait::Ended;
use crate::registry::{Registry, TaskSlot, registry};

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

/// Ends a task at `now`: it is counted by its outcome, goes to the history, and its slot is free.
#[inline]
pub fn end(slot: TaskSlot, ending: Ending, now: u64) {
    let registry = registry();
    // Off the list before it is counted: who reads the totals first and the list then does not see it in both.
    let (identity, handle) = slot.end();
    let task = Reading { identity, ..slot.own() };
    let outcome = outcome_of(&task, &ending);
    let record = Record { task, outcome, ended: now };
    leave(registry, slot, &record);
    drop(handle);
    if identity & (DETAILS | WATCHED | COUNTED) != 0 || outcome == Outcome::Panic {
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
        |local| {
            let stripe = local.stripe_of(task.group(), registry);
            count(stripe, local.history(registry));
            registry.slab.release(slot, &mut local.free);
        },
        || {
            let group = registry.group(task.group());
            registry.histories.with_shared(|writer| group.with_shared(|stripe| count(stripe, writer)));
            let mut batch = FreeSlots::new();
            registry.slab.release(slot, &mut batch);
            registry.slab.retire(&mut batch);
        },
    );
}

/// What only some ends need: details kept, failures told, the census served.
#[cold]
fn finish(registry: &Registry, record: &Record, ending: Ending) {
    let id = record.task.id();
    let mut details = if record.task.has(DETAILS) { registry.details.remove(id) } else { None };
    let message = message_of(registry, ending, details.as_deref_mut());
    let failure = matches!(record.outcome, Outcome::Error | Outcome::Panic);
    if details.is_some() || message.is_some() {
        keep_note(registry, record, Note { details, message: message.clone() });
    }
    if failure {
        failure::tell(registry, record, message);
    }
    // Last: whoever is woken finds all of the above.
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
    name::cut(registry.config.redacted(Text::Message, text), MAX_MESSAGE).into()
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
        |local| keep(local.history(registry)),
        || registry.histories.with_shared(|writer| keep(writer)),
    );
}
