//! The log lines of services and timers. A subscriber that panics takes no supervisor with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tracing::{error, warn};

use crate::id::TaskId;
use crate::name::{escape, place};
use crate::outcome::Outcome;
use crate::registry::kind::Kind;
use crate::service::critical::CriticalEnd;
use crate::service::record::{Ended, Record};
use crate::text::{length, named, took};

fn guarded(write: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(write));
}

/// Why a service is lost.
pub(super) const RUNTIME_ENDED: &str = "its runtime ended";

/// How a run ended, in a few words: `error: connection refused`.
pub(super) fn how(ended: &Ended) -> String {
    match &ended.message {
        Some(message) => format!("{}: {}", ended.outcome, escape(message)),
        None => briefly(ended).to_owned(),
    }
}

/// The same without its message: `error`.
pub(super) fn briefly(ended: &Ended) -> &'static str {
    if ended.outcome == Outcome::Ok { "it returned" } else { ended.outcome.as_str() }
}

pub(super) fn restarts(record: &Record, ended: &Ended, delay: Duration, number: u64) {
    let Some(held_back) = record.admits_line() else { return };
    let (name, how, wait) = (escape(&record.terms.name), how(ended), length(delay));
    guarded(|| {
        if 0 < held_back {
            warn!(target: "headcount::service", "{name}: {held_back} more restarts were not logged");
        }
        let after = took(ended.took);
        warn!(
            target: "headcount::service",
            task = &*record.terms.name, restarts = number, outcome = ended.outcome.as_str(), wait_seconds = delay.as_secs_f64(),
            "{name} ended after {after} ({how}): restart {number} in {wait}"
        );
    });
}

pub(super) fn failed(record: &Record, ended: &Ended, failures: u64) {
    let (name, how, place) = (escape(&record.terms.name), how(ended), place(&record.terms.location));
    let times = if ended.outcome == Outcome::Ok {
        "ends too often".to_owned()
    } else {
        format!("has failed {failures} times in a row")
    };
    guarded(|| {
        error!(
            target: "headcount::service",
            task = &*record.terms.name, failures, outcome = ended.outcome.as_str(),
            "{name} {times} and is not restarted ({how}) ({place})"
        );
    });
}

pub(super) fn critical_ended(end: &CriticalEnd, stops: bool) {
    let (name, how) = (escape(&end.name), &end.how);
    let then =
        if stops { "the process stops" } else { "headcount is not installed, so nothing stops the process" };
    guarded(|| {
        error!(
            target: "headcount::service", task = &*end.name,
            "Critical service {name} has ended for good ({how}): {then}"
        );
    });
}

pub(super) fn overruns(record: &Record, task: Option<TaskId>, period: Duration) {
    let name = &record.terms.name;
    let task = task.map_or_else(|| escape(name).into_owned(), |id| named(name, id));
    let period = length(period);
    guarded(|| {
        warn!(
            target: "headcount::service", task = &**name,
            "{task} takes longer than its period of {period}: ticks are skipped until it ends"
        );
    });
}

pub(super) fn lost(record: &Record) {
    let what = if record.terms.kind == Kind::Timer { "Timer" } else { "Service" };
    let (name, place) = (escape(&record.terms.name), place(&record.terms.location));
    guarded(|| {
        warn!(
            target: "headcount::service", task = &*record.terms.name,
            "{what} {name} is lost: its runtime ended before it was stopped ({place})"
        );
    });
}
