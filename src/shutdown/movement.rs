//! What of a shutdown moves, for a service manager that gives more time only while something does.

use std::time::Duration;

use super::census::slots;
use super::control::control;
use super::machine::Stage;
use super::status::Status;
use super::words::text;
use crate::name::escape;
use crate::registry::registry;
use crate::registry::slot::DETAILS;
use crate::settings::Settings;

/// The longest summary. A service manager shows it in one line.
const LONGEST: usize = 900;

/// A shutdown at one moment. Two that are equal mean that nothing moved in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Movement {
    /// The number of the stage.
    pub(crate) stage: u8,
    /// Tasks that have ended.
    pub(crate) ended: u64,
    /// What the tasks that are waited for have done, added up.
    pub(crate) done: u64,
}

/// How far the shutdown has got. Costs a pass over the live tasks.
pub(crate) fn movement() -> Movement {
    let ended = control().status.lock().as_ref().map_or(0, Status::ends);
    let mut done = 0_u64;
    slots::each(|current, task| {
        if task.has(DETAILS) && slots::is_still_hoped_for(&task) {
            let progress = registry().details.read(current.id, |details| details.progress).flatten();
            done = done.wrapping_add(progress.map_or(0, |progress| progress.done));
        }
    });
    Movement { stage: super::stage().number(), ended, done }
}

/// How long until the process is ended in any case; `None` for never.
pub(crate) fn exit_in(settings: &Settings) -> Option<Duration> {
    let status = control().status.lock();
    let Some(status) = &*status else { return settings.exit_after };
    let exit_at = status.exit_at.or(settings.exit_after)?;
    Some(exit_at.saturating_sub(status.started.elapsed()))
}

/// A line for people about how the shutdown goes, with names and counts; `None` where there is nothing to
/// say.
pub(crate) fn summary(settings: &Settings) -> Option<String> {
    let status = control().status.lock();
    let status = status.as_ref()?;
    let elapsed = status.started.elapsed();
    let left = |at: Duration| text::whole_seconds(at.saturating_sub(elapsed));
    let (total, names) = (status.listing.total, text::by_name(&status.listing.by_name));
    let summary = match super::stage() {
        Stage::Announcing => {
            format!(
                "Stopping ({}): tasks are asked to end in {}",
                escape(&status.reason),
                left(settings.announce_delay)
            )
        }
        Stage::Draining if total != 0 => {
            let deadline = status.deadline.map(|at| format!(", deadline in {}", left(at)));
            let likely =
                status.listing.estimate().map(|in_| format!(", likely done in {}", text::whole_seconds(in_)));
            let more = [deadline, likely].into_iter().flatten().collect::<String>();
            format!("Waiting for {}{more}: {names}", text::tasks(total))
        }
        Stage::Aborting if total != 0 => format!("Aborting {}: {names}", text::tasks(total)),
        Stage::Lingering => "Staying for a last scrape of the metrics".to_owned(),
        _ => return None,
    };
    Some(crate::name::cut(summary.into(), LONGEST).into_owned())
}
