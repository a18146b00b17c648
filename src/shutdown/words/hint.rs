//! What an operator can do about a task that was cut: one hint a group, true for the state that the task was
//! in.

use std::collections::HashSet;
use std::time::Duration;

use super::text;
use crate::snapshot::{Kind, OnShutdown, State, TaskInfo};
use headcount_core::GroupId;

/// What cut a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The deadline, or the end of the process before it.
    Deadline,
    /// A force.
    Force,
    /// Its own grace.
    Grace,
    /// It was aborted by policy, and was still there when it should have been gone.
    Stuck,
}

/// Gives hints, one a group.
#[derive(Debug)]
pub(crate) struct Hints {
    drain_timeout: Option<Duration>,
    hinted: HashSet<GroupId>,
}

impl Hints {
    pub(crate) fn new(drain_timeout: Option<Duration>) -> Self {
        Self { drain_timeout, hinted: HashSet::new() }
    }

    /// The hint for a task, if there is one that its group did not have; `finished`: whether one of its group
    /// ever ended.
    pub(crate) fn of(&mut self, task: &TaskInfo, cut: Cut, finished: bool) -> Option<String> {
        let hint = hint(task, cut, finished, self.drain_timeout)?;
        self.hinted.insert(task.group).then_some(hint)
    }
}

#[allow(clippy::match_same_arms, reason = "one arm a state")]
fn hint(task: &TaskInfo, cut: Cut, finished: bool, drain_timeout: Option<Duration>) -> Option<String> {
    let is_polled_by_us = matches!(task.kind, Kind::Task | Kind::Local | Kind::Service | Kind::Timer);
    if !is_polled_by_us || matches!(task.state, State::Running | State::Blocked) {
        return None;
    }
    match (cut, task.on_shutdown) {
        (Cut::Stuck, _) => None,
        (Cut::Grace, OnShutdown::Last) => Some(match task.grace {
            Some(grace) => {
                format!("its grace was {}: `.grace(…)` gives it more", text::setting(Some(grace)))
            }
            None => "its turn came when the others were abandoned: `HEADCOUNT_HOOK_TIMEOUT` and `.grace(…)` give it \
                     more"
                .to_owned(),
        }),
        (Cut::Grace, _) => {
            let grace = text::setting(Some(task.grace?));
            Some(format!("its grace was {grace}: `.grace(…)` gives it more"))
        }
        (Cut::Deadline, OnShutdown::Last) => {
            let longer = longer(drain_timeout?, drain_timeout?)?;
            Some(format!("it had the rest of the time: {longer} gives it more"))
        }
        (Cut::Force, OnShutdown::Last) => None,
        (Cut::Deadline, _) => needs_time(task, drain_timeout).or_else(|| unknown(task, finished, drain_timeout)),
        (Cut::Force, _) => unknown(task, finished, None),
    }
}

/// A task whose end is in sight.
fn needs_time(task: &TaskInfo, drain_timeout: Option<Duration>) -> Option<String> {
    let drain_timeout = drain_timeout?;
    if let Some(percent) = task.progress.and_then(text::percent).filter(|percent| (1..100).contains(percent))
    {
        let whole = task.age.checked_mul(100)? / u32::try_from(percent).ok()?;
        let left = whole.saturating_sub(task.age);
        let longer = longer(drain_timeout, left)?;
        return Some(format!("at its pace it needs {} more: {longer}", text::length(left)));
    }
    let usual = task.usual.filter(|usual| drain_timeout < usual.p95)?;
    let longer = longer(drain_timeout, usual.p95.saturating_sub(drain_timeout))?;
    Some(format!("such tasks take up to {}: {longer}", text::length(usual.p95)))
}

/// The setting, longer by at least so much: in whole seconds, a fifth added.
fn longer(drain_timeout: Duration, by: Duration) -> Option<String> {
    let wanted = drain_timeout.checked_add(by)?.checked_mul(6)? / 5;
    let seconds = wanted.as_secs().checked_add(1)?;
    let value = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    Some(format!("HEADCOUNT_DRAIN_TIMEOUT='{value}'"))
}

/// A task of which nothing is known but whether others like it ended: a loop, a connection, or a job that
/// takes long.
fn unknown(task: &TaskInfo, finished: bool, drain_timeout: Option<Duration>) -> Option<String> {
    if task.progress.and_then(text::percent).is_some() {
        return None;
    }
    if is_of_a_library(&task.location) {
        // Whatever spawned it and however others ended: a policy is all that there is for such code.
        return policy(task, "Cancel").map(|setting| format!("a loop of a library? Set {setting}"));
    }
    let longer = drain_timeout.and_then(|timeout| longer(timeout, timeout));
    if finished {
        // No loop, since others like it have ended: it waits for its peer, or it takes longer than they did.
        return match (policy(task, "Connection"), longer) {
            (Some(setting), Some(longer)) => {
                Some(format!("waits for its peer only? Set {setting}. A long job? Set {longer}"))
            }
            (Some(setting), None) => Some(format!("waits for its peer only? Set {setting}")),
            (None, longer) => longer.map(|longer| format!("a long job? Set {longer}")),
        };
    }
    if task.parent.is_some() {
        // Loops are spawned where a process starts; what a task spawns is a job.
        return longer.map(|longer| format!("a long job? {longer} gives it more time"));
    }
    let setting = policy(task, "Cancel");
    let mut hint = "a loop? End it on `draining()`, or spawn it with `OnShutdown::Last`".to_owned();
    if let Some(setting) = setting {
        hint.push_str(", or set ");
        hint.push_str(&setting);
    }
    if let Some(longer) = longer {
        hint.push_str(". A long job? Set ");
        hint.push_str(&longer);
    }
    Some(hint)
}

/// `HEADCOUNT_POLICY='bb8::*=Cancel'`; `None` for a name that the setting cannot hold.
fn policy(task: &TaskInfo, value: &str) -> Option<String> {
    let pattern = match task.name.split_once("::") {
        Some((krate, _)) if is_of_a_library(&task.location) => format!("{krate}::*"),
        _ => task.name.to_string(),
    };
    let is_plain = |c: char| !c.is_control() && !matches!(c, ',' | '=' | '\'' | '…');
    pattern.chars().all(is_plain).then(|| format!("HEADCOUNT_POLICY='{pattern}={value}'"))
}

/// Whether code is of a package that cargo fetched: `bb8-0.9.1/src/inner.rs:28`, or in a folder for such.
fn is_of_a_library(location: &str) -> bool {
    let location = location.replace('\\', "/");
    let package = location.split('/').next().unwrap_or_default();
    let is_version = |text: &str| {
        let mut parts = text.split('.');
        parts.clone().count() == 3 && parts.all(|part| part.starts_with(|c: char| c.is_ascii_digit()))
    };
    let is_published = package.rsplit_once('-').is_some_and(|(_, version)| is_version(version));
    is_published || ["vendor/", "/.cargo/"].iter().any(|part| location.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::testing::example;
    use headcount_core::internal::samples::usual;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn bare() -> TaskInfo {
        changed!(example(), status: None, progress: None)
    }

    /// Each state that exists, and the one sentence that is true of it.
    #[test]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn a_hint_fits_the_state_of_its_task() {
        let last = || changed!(bare(), on_shutdown: OnShutdown::Last);
        let library = || {
            let location = "bb8-0.9.1/src/inner.rs:28";
            changed!(bare(), location: location.into(), name: "bb8::inner::reap".into())
        };
        let table: Vec<(&str, TaskInfo, Cut, bool, Option<&str>)> = vec![
            (
                "a loop of the application, or a job",
                bare(),
                Cut::Deadline,
                false,
                Some(
                    "a loop? End it on `draining()`, or spawn it with `OnShutdown::Last`, or set \
                     HEADCOUNT_POLICY='send-email=Cancel'. A long job? Set HEADCOUNT_DRAIN_TIMEOUT='1m 1s'",
                ),
            ),
            (
                "the same, forced: no time would have been enough",
                bare(),
                Cut::Force,
                false,
                Some(
                    "a loop? End it on `draining()`, or spawn it with `OnShutdown::Last`, or set \
                     HEADCOUNT_POLICY='send-email=Cancel'",
                ),
            ),
            (
                "a job of a request",
                changed!(bare(), parent: Some(3.into())),
                Cut::Deadline,
                false,
                Some("a long job? HEADCOUNT_DRAIN_TIMEOUT='1m 1s' gives it more time"),
            ),
            ("a job of a request, forced", changed!(bare(), parent: Some(3.into())), Cut::Force, false, None),
            (
                "a loop of a library",
                library(),
                Cut::Deadline,
                false,
                Some("a loop of a library? Set HEADCOUNT_POLICY='bb8::*=Cancel'"),
            ),
            (
                "a task of a library that a task spawned, and others like it have ended",
                changed!(library(), parent: Some(3.into())),
                Cut::Deadline,
                true,
                Some("a loop of a library? Set HEADCOUNT_POLICY='bb8::*=Cancel'"),
            ),
            (
                "others like it have ended",
                bare(),
                Cut::Deadline,
                true,
                Some(
                    "waits for its peer only? Set HEADCOUNT_POLICY='send-email=Connection'. A long job? Set \
                     HEADCOUNT_DRAIN_TIMEOUT='1m 1s'",
                ),
            ),
            (
                "the same of a task that another spawned, forced",
                changed!(bare(), parent: Some(3.into())),
                Cut::Force,
                true,
                Some("waits for its peer only? Set HEADCOUNT_POLICY='send-email=Connection'"),
            ),
            (
                "a job that says how far it is",
                example(),
                Cut::Deadline,
                false,
                Some("at its pace it needs 7.4s more: HEADCOUNT_DRAIN_TIMEOUT='39s'"),
            ),
            ("the same, forced", example(), Cut::Force, false, None),
            (
                "a job that is usually longer",
                changed!(bare(), usual: Some(usual(9, seconds(20), seconds(40), seconds(50)))),
                Cut::Deadline,
                true,
                Some("such tasks take up to 40s: HEADCOUNT_DRAIN_TIMEOUT='49s'"),
            ),
            (
                "a `Last` task that had the budget",
                last(),
                Cut::Deadline,
                false,
                Some("it had the rest of the time: HEADCOUNT_DRAIN_TIMEOUT='1m 1s' gives it more"),
            ),
            (
                "a `Last` task notified when the others were abandoned",
                last(),
                Cut::Grace,
                false,
                Some(
                    "its turn came when the others were abandoned: `HEADCOUNT_HOOK_TIMEOUT` and `.grace(…)` give it \
                     more",
                ),
            ),
            ("a `Last` task that was forced", last(), Cut::Force, false, None),
            (
                "a grace of its own",
                changed!(bare(), grace: Some(Duration::from_millis(300))),
                Cut::Grace,
                false,
                Some("its grace was 300ms: `.grace(…)` gives it more"),
            ),
            ("inside a poll", changed!(bare(), state: State::Blocked), Cut::Deadline, false, None),
            ("cancelled and stuck", bare(), Cut::Stuck, false, None),
            ("a closure", changed!(bare(), kind: Kind::Blocking), Cut::Deadline, false, None),
            ("a request", changed!(bare(), kind: Kind::Request), Cut::Force, false, None),
            ("a `track` future", changed!(bare(), kind: Kind::Future), Cut::Force, false, None),
            (
                "a name that no setting can hold",
                changed!(bare(), name: "it's".into()),
                Cut::Force,
                false,
                Some("a loop? End it on `draining()`, or spawn it with `OnShutdown::Last`"),
            ),
        ];
        for (state, task, cut, finished, expected) in table {
            let hint = Hints::new(Some(seconds(25))).of(&task, cut, finished);
            assert_eq!(hint.as_deref(), expected, "{state}");
        }
    }

    #[test]
    fn a_group_has_one_hint() {
        let mut hints = Hints::new(None);
        assert!(hints.of(&bare(), Cut::Force, false).is_some());
        assert_eq!(hints.of(&bare(), Cut::Force, false), None);
    }
}
