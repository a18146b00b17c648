//! What a forecast must know of the stop: of the one that runs, or of one that would begin now.

use std::time::Duration;

use super::control::control;
use super::drain::pending;
use super::listing::{self, Listing};
use super::report::Report;
use super::{Stage, is_stopping};
use crate::forecast::Terms;
use crate::settings::Settings;

/// The terms of a stop.
pub(crate) fn terms(settings: &Settings) -> Terms {
    let stage = super::stage();
    let status = control().status.lock();
    let running = status.as_ref().filter(|_| is_stopping());
    let elapsed = running.map(|status| status.started.elapsed()).unwrap_or_default();
    let left = |whole: Duration| whole.saturating_sub(elapsed).as_secs_f64();
    let deadline = running.map_or(settings.drain_timeout, |status| status.deadline);
    let is_told = Stage::Draining <= stage;
    Terms {
        within: if Stage::Aborting <= stage { Some(0.0) } else { deadline.map(left) },
        announce: if is_told { 0.0 } else { left(settings.announce_delay) },
        told_ago: if is_told { elapsed.saturating_sub(settings.announce_delay).as_secs_f64() } else { 0.0 },
        last_told_ago: last_told().then_some(0.0),
        abort_grace: settings.abort_grace.as_secs_f64(),
        is_stopping: running.is_some(),
    }
}

/// What will be waited for, while that is announced.
pub(crate) fn announced() -> Listing {
    listing::waited_for()
}

/// How many tasks are waited for before `Last` tasks are told.
pub(crate) fn others_pending() -> u64 {
    pending().wait
}

/// The report, once there is one.
pub(crate) fn report() -> Option<Report> {
    control().status.lock().as_ref().and_then(|status| status.report.clone())
}

fn last_told() -> bool {
    control().last_turn.is_open()
}
