//! Logs each panic or error once, at ERROR, and never floods the log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock;
use crate::name::escape;
use crate::outcome::Outcome;
use crate::registry::details::Details;
use crate::registry::group::{Group, LastFailure};
use crate::registry::history::Record;
use crate::registry::storm::Admission;
use crate::registry::terms::write_held_back as write_terms_held_back;
use crate::registry::{Registry, registry};
use crate::text::{length, named, took};

/// What stands for the location of tasks that are counted together: a slot knows its group, and theirs has
/// neither name nor location of its own.
const NO_PLACE: &str = "name and location not kept: `max_groups` has no room for more groups of its location; \
    see headcount_groups_overflowed_total";

/// Where a task comes from, as far as it carries that.
#[derive(Debug, Default)]
pub struct Origin {
    trace_id: Option<String>,
    /// The fields that it carries, as `key=value, …`.
    carried: Option<String>,
}

impl Origin {
    pub fn of(details: &Details) -> Self {
        let is_carried = |key: &str| details.carried.iter().any(|known| *known == key);
        let pairs = details.fields.iter().filter(|(key, _)| is_carried(key));
        let pairs: Vec<_> = pairs.map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
        Self {
            trace_id: details.trace_id.as_deref().map(|id| escape(id).into_owned()),
            carried: (!pairs.is_empty()).then(|| pairs.join(", ")),
        }
    }
}

/// Keeps a failure as its group's last, and writes its line unless there were too many.
pub fn tell(registry: &Registry, record: &Record, message: Option<Arc<str>>, origin: &Origin) {
    let group = registry.group(record.task.group());
    let admission = group.storm.lock().admit(record.ended);
    match admission {
        Admission::HoldBack => {
            registry.suppressed.fetch_add(1, Ordering::Relaxed);
        }
        Admission::Write { held_back } => {
            let text = message.as_deref().unwrap_or("");
            let write = || {
                write_held_back(group, held_back);
                write_failure(group, record, text, origin);
            };
            // A subscriber that panics takes nothing from the task, whose end goes on behind this.
            let _ = catch_unwind(AssertUnwindSafe(write));
        }
    }
    *group.last_failure.lock() =
        Some(LastFailure { at: record.ended, task: record.task.id(), outcome: record.outcome, message });
}

/// Counts a line that is not written.
pub fn hold_back() {
    registry().suppressed.fetch_add(1, Ordering::Relaxed);
}

/// Writes that a task's timeout ended it, unless there were too many.
pub fn tell_timeout(registry: &Registry, record: &Record, allowed: Option<Duration>) {
    let group = registry.group(record.task.group());
    let Admission::Write { held_back } = group.terms().storm.lock().admit(record.ended) else {
        return hold_back();
    };
    let task = named(&group.name, record.task.id());
    let after = took(clock::between(record.task.started, record.ended));
    let allowed = allowed.map(|allowed| format!("its timeout is {}", length(allowed))).unwrap_or_default();
    let place = if group.location.is_empty() { NO_PLACE } else { &group.location };
    let _ = catch_unwind(AssertUnwindSafe(|| {
        write_terms_held_back(group, held_back);
        tracing::warn!(target: "headcount::task", "{task} timed out after {after}: {allowed} ({place})");
    }));
}

/// How many lines were held back for each group whose minute is over. For callers that have a timer.
pub fn close_storms(registry: &Registry) -> Vec<(&'static Group, u64)> {
    let now = clock::ticks();
    let close = |group: &'static Group| (group, group.storm.lock().close_window(now));
    registry.groups.all().into_iter().map(close).filter(|(_, held_back)| 0 < *held_back).collect()
}

/// The same for lines about the terms of groups.
pub fn close_terms_storms(registry: &Registry) -> Vec<(&'static Group, u64)> {
    let now = clock::ticks();
    let close = |group: &'static Group| {
        let held_back = group.terms.get()?.storm.lock().close_window(now);
        (0 < held_back).then_some((group, held_back))
    };
    registry.groups.all().into_iter().filter_map(close).collect()
}

fn write_failure(group: &Group, record: &Record, text: &str, origin: &Origin) {
    let verb = if record.outcome == Outcome::Panic { "panicked" } else { "failed" };
    let after = took(clock::between(record.task.started, record.ended));
    let (task, text) = (named(&group.name, record.task.id()), escape(text));
    let place = if group.location.is_empty() { NO_PLACE } else { &group.location };
    tracing::error!(
        target: "headcount::task",
        trace_id = origin.trace_id,
        carried = origin.carried,
        "{task} {verb} after {after}: {text} ({place})"
    );
}

pub fn write_held_back(group: &Group, held_back: u64) {
    if 0 < held_back {
        let name = escape(&group.name);
        tracing::error!(target: "headcount::task", "{name}: {held_back} more failures were not logged");
    }
}
