//! What a forecast must know of the stop: of the one that runs, or of one that would begin now.

use std::time::Duration;

use super::census::{self, Listing};
use super::control::control;
use super::gates::gates;
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
        connection_grace: settings.connection_grace.as_secs_f64(),
        is_stopping: running.is_some(),
    }
}

/// What will be waited for, while that is announced.
pub(crate) fn announced(settings: &Settings) -> Listing {
    census::waited_for(terms(settings))
}

/// How many tasks are waited for before `Last` tasks are asked to stop.
pub(crate) fn others_pending() -> u64 {
    census::pending().wait
}

fn last_told() -> bool {
    gates().last_turn.is_open()
}
