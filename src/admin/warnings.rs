//! What is worth a look, in plain sentences that name the figure and the yardstick.

use std::time::{Duration, Instant};

use super::history::{History, Totals};
use super::wire::{Warning, WarningCode};
use crate::snapshot::GroupInfo;

/// How many must have finished before "usual" means something.
const ENOUGH: u64 = 20;
const MINUTE: Duration = Duration::new(60, 0);

/// A group as it is now, beside what is remembered of it.
pub(super) struct Seen<'a> {
    pub(super) group: &'a GroupInfo,
    pub(super) history: &'a History,
    pub(super) at: Instant,
    pub(super) slow_poll: Duration,
    pub(super) blocked_after: Duration,
}

/// Says something of a group, or nothing.
type Check = fn(&Seen<'_>) -> Option<String>;

/// All that is to be said of a group, the most urgent first.
pub(super) fn warnings(seen: &Seen<'_>) -> Vec<Warning> {
    let checks: [(WarningCode, Check); 6] = [
        (WarningCode::Blocked, blocked),
        (WarningCode::Failing, failing),
        (WarningCode::Stuck, stuck),
        (WarningCode::Growing, growing),
        (WarningCode::SlowPolls, slow_polls),
        (WarningCode::Overflow, overflow),
    ];
    checks.into_iter().filter_map(|(code, check)| Some(Warning { code, text: check(seen)? })).collect()
}

fn blocked(seen: &Seen<'_>) -> Option<String> {
    let (tasks, each) = match seen.group.blocked {
        0 => return None,
        1 => ("1 task has".to_owned(), "it holds"),
        count => (format!("{count} tasks have"), "each holds"),
    };
    let limit = short(seen.blocked_after);
    Some(format!(
        "{tasks} not yielded for more than {limit}: {each} a worker thread, look for blocking calls"
    ))
}

fn failing(seen: &Seen<'_>) -> Option<String> {
    let Totals { finished, failed, .. } = added(seen)?;
    let many = 5 <= failed && finished <= 10 * failed;
    let share = 100.0 * failed as f64 / finished as f64;
    many.then(|| format!("{share:.0}% of what finished in the last minute failed ({failed} of {finished})"))
}

fn stuck(seen: &Seen<'_>) -> Option<String> {
    let (oldest, usual) = (seen.group.oldest?, seen.group.usual?);
    let limit = (5 * usual.p99).max(Duration::from_secs(10));
    if usual.count < ENOUGH || oldest.age < limit {
        return None;
    }
    let (age, p99) = (short(oldest.age), short(usual.p99));
    let times = oldest.age.as_secs_f64() / usual.p99.as_secs_f64();
    let times = if times < 1000.0 { format!("{times:.0}×") } else { "over 1,000×".to_owned() };
    Some(format!(
        "the oldest (#{}) has run {times} longer than this group's p99 ({age} against {p99})",
        oldest.id
    ))
}

fn growing(seen: &Seen<'_>) -> Option<String> {
    let steps = seen.history.live_by_steps(seen.group.id.get())?;
    let live = seen.group.live;
    let rising = steps[0] < steps[1] && steps[1] < steps[2] && steps[2] < live;
    if !rising || live < 100 || live < 2 * steps[0] {
        return None;
    }
    let Totals { spawned, finished, .. } = added(seen)?;
    Some(format!(
        "live grew from {} to {live} in a minute: {spawned} were spawned and {finished} ended in that time",
        steps[0]
    ))
}

fn slow_polls(seen: &Seen<'_>) -> Option<String> {
    let Totals { polls, slow_polls, .. } = added(seen)?;
    let many = 5 <= slow_polls && polls <= 20 * slow_polls;
    let share = 100.0 * slow_polls as f64 / polls as f64;
    let limit = short(seen.slow_poll);
    many.then(|| {
        format!(
            "{share:.0}% of polls in the last minute took more than {limit}: yield, or use spawn_blocking"
        )
    })
}

fn overflow(seen: &Seen<'_>) -> Option<String> {
    let other = &*seen.group.name == "__other__";
    other.then(|| {
        "groups beyond the limit are counted together here: use fewer names, or raise max_groups".into()
    })
}

fn added(seen: &Seen<'_>) -> Option<Totals> {
    let now = Totals::of_group(seen.group);
    seen.history.added(Some(seen.group.id.get()), seen.at, now, MINUTE).map(|(added, _)| added)
}

/// One or two units, as people write it.
pub(super) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.is_zero() => "0s".to_owned(),
        0 => format!("{}ms", duration.as_millis().max(1)),
        1..10 if duration.subsec_millis() != 0 => format!("{:.1}s", duration.as_secs_f64()),
        1..120 => format!("{seconds}s"),
        120..7200 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use headcount_core::internal::samples::{self, group};

    use crate::snapshot::{Outcome, OutcomeCounts, Snapshot};

    /// A minute in which the group went from nothing to what it is, evenly.
    fn history(end: Instant, group: &GroupInfo) -> History {
        let mut history = History::new(2);
        for second in 0..=60 {
            let mut then = group.clone();
            then.live = group.live * second / 60;
            if second < 60 {
                (then.spawned, then.polls, then.slow_polls) = (0, 0, 0);
                then.finished = OutcomeCounts::default();
            }
            let at = end.checked_sub(Duration::from_secs(60 - second)).unwrap();
            history.record(at, &snapshot(then));
        }
        history
    }

    fn snapshot(group: GroupInfo) -> Snapshot {
        let mut snapshot = crate::snapshot();
        snapshot.taken_at = SystemTime::UNIX_EPOCH;
        (snapshot.live, snapshot.spawned, snapshot.finished) = (group.live, group.spawned, group.finished);
        snapshot.groups = vec![group];
        snapshot
    }

    fn said(group: &GroupInfo) -> Vec<(WarningCode, String)> {
        let at = Instant::now() + Duration::from_secs(100);
        let history = history(at, group);
        let (slow_poll, blocked_after) = (Duration::from_millis(10), Duration::from_secs(1));
        let seen = Seen { group, history: &history, at, slow_poll, blocked_after };
        warnings(&seen).into_iter().map(|warning| (warning.code, warning.text)).collect()
    }

    fn counts(ok: u64, error: u64) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        counts.add(Outcome::Ok, ok);
        counts.add(Outcome::Error, error);
        counts
    }

    #[test]
    fn a_healthy_group_is_not_spoken_of() {
        let healthy = changed!(group(), live: 20, spawned: 1020, finished: counts(999, 1), polls: 5000);
        assert_eq!(said(&healthy), []);
    }

    #[test]
    fn each_warning_names_the_figure_and_the_yardstick() {
        let usual = |p99| samples::usual(30, p99, p99, p99);
        let oldest = |age| samples::oldest(17, age);
        let seconds = Duration::from_secs;
        let cases = [
            (
                changed!(group(), blocked: 2, live: 2),
                WarningCode::Blocked,
                "2 tasks have not yielded for more than 1s",
            ),
            (
                changed!(group(), finished: counts(69, 31)),
                WarningCode::Failing,
                "31% of what finished in the last minute failed (31 of 100)",
            ),
            (
                changed!(group(), live: 1,
                    usual: Some(usual(seconds(2))),
                    oldest: Some(oldest(seconds(61)))),
                WarningCode::Stuck,
                "(#17) has run 30× longer than this group's p99 (61s against 2s)",
            ),
            (
                changed!(group(), live: 600, spawned: 700, finished: counts(100, 0)),
                WarningCode::Growing,
                "live grew from 0 to 600",
            ),
            (
                changed!(group(), polls: 100, slow_polls: 6),
                WarningCode::SlowPolls,
                "6% of polls in the last minute took more than 10ms",
            ),
            (changed!(group(), name: "__other__".into()), WarningCode::Overflow, "max_groups"),
        ];
        for (group, code, part) in cases {
            let said = said(&group);
            assert!(said.len() == 1 && said[0].0 == code && said[0].1.contains(part), "{part}: {said:?}");
        }
    }

    #[test]
    fn rates_are_of_the_last_seconds_and_absent_at_first() {
        let group = changed!(group(), live: 1, spawned: 600, finished: counts(300, 300));
        let at = Instant::now() + Duration::from_secs(100);
        let rates = history(at, &group).rates(Some(1), at, Totals::of_group(&group));
        assert_eq!((rates.spawned_per_second, rates.failed_share), (Some(60.0), Some(0.5)));
        let first = History::new(2).rates(Some(1), at, Totals::of_group(&group));
        assert_eq!((first.spawned_per_second, first.failed_share), (None, None));
    }
}
