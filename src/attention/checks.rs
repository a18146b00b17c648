//! What is worth a look in a group, in sentences that name the figure and the yardstick.

use std::time::Duration;

use super::Severity;
use crate::forecast::words::span;
use crate::snapshot::{GroupInfo, Kind};

/// How many must have finished before "usual" means something.
const ENOUGH: u64 = 20;

/// A group as it is now, beside what is remembered of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) group: &'a GroupInfo,
    /// What the last minute added; `None` if that is not remembered.
    pub(crate) added: Option<Added>,
    /// How many lived a minute ago, and after each third of it.
    pub(crate) steps: Option<[u64; 3]>,
    pub(crate) yardsticks: Yardsticks,
}

/// What a minute added to the totals of a group.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Added {
    pub(crate) spawned: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) polls: u64,
    pub(crate) slow_polls: u64,
    /// For a limit that was reached.
    pub(crate) rejected: u64,
}

/// The settings that a group is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yardsticks {
    pub(crate) slow_poll: Duration,
    pub(crate) blocked_after: Duration,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Blocked,
    Failing,
    Stuck,
    Growing,
    SlowPolls,
    Overflow,
}

/// One sentence about a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

type Check = fn(&Seen<'_>) -> Option<(Severity, String)>;

const CHECKS: [(Code, Check); 6] = [
    (Code::Blocked, blocked),
    (Code::Failing, failing),
    (Code::Stuck, stuck),
    (Code::Growing, growing),
    (Code::SlowPolls, slow_polls),
    (Code::Overflow, overflow),
];

/// All that is to be said of a group, the most urgent first.
pub(crate) fn findings(seen: &Seen<'_>) -> Vec<Finding> {
    let find = |(code, check): (Code, Check)| {
        let (severity, text) = check(seen)?;
        Some(Finding { code, severity, text })
    };
    let mut findings: Vec<Finding> = CHECKS.into_iter().filter_map(find).collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn blocked(seen: &Seen<'_>) -> Option<(Severity, String)> {
    let (tasks, each) = match seen.group.blocked {
        0 => return None,
        1 => ("1 task has".to_owned(), "it holds"),
        count => (format!("{count} tasks have"), "each holds"),
    };
    let limit = of(seen.yardsticks.blocked_after);
    let text =
        format!("{tasks} not yielded for more than {limit}: {each} a worker thread, look for blocking calls");
    Some((Severity::Critical, text))
}

fn failing(seen: &Seen<'_>) -> Option<(Severity, String)> {
    let (finished, failed, when) = failures(seen)?;
    if failed < 5 || 10 * failed < finished {
        return None;
    }
    let severity = if finished <= 2 * failed { Severity::Critical } else { Severity::Warning };
    let share = 100.0 * failed as f64 / finished as f64;
    Some((severity, format!("{share:.0} % of what finished {when} failed ({failed} of {finished})")))
}

/// How many finished, how many of them failed, and since when.
fn failures(seen: &Seen<'_>) -> Option<(u64, u64, &'static str)> {
    match seen.added {
        Some(added) if 0 < added.finished => Some((added.finished, added.failed, "in the last minute")),
        Some(_) => None,
        None => {
            let counts = &seen.group.finished;
            Some((counts.total(), counts.error + counts.panic + counts.timeout, "so far"))
        }
    }
}

fn stuck(seen: &Seen<'_>) -> Option<(Severity, String)> {
    // Runs of a service end because they fail, so how long those took says nothing of one that goes on.
    let group = Some(seen.group).filter(|group| group.kind != Kind::Service)?;
    let (oldest, usual) = (group.oldest?, group.usual?);
    let limit = (5 * usual.p99).max(Duration::from_secs(10));
    if usual.count < ENOUGH || oldest.age < limit {
        return None;
    }
    let (age, p99) = (of(oldest.age), of(usual.p99));
    let times = oldest.age.as_secs_f64() / usual.p99.as_secs_f64();
    let times = if times < 1000.0 { format!("{times:.0}×") } else { "over 1,000×".to_owned() };
    let text = format!(
        "the oldest (#{}) has run {times} longer than this group's p99 ({age} against {p99})",
        oldest.id
    );
    Some((Severity::Warning, text))
}

fn growing(seen: &Seen<'_>) -> Option<(Severity, String)> {
    let (steps, added) = (seen.steps?, seen.added?);
    let live = seen.group.live;
    let is_rising = steps[0] < steps[1] && steps[1] < steps[2] && steps[2] < live;
    if !is_rising || live < 100 || live < 2 * steps[0] {
        return None;
    }
    let Added { spawned, finished, .. } = added;
    let text = format!(
        "live grew from {} to {live} in a minute: {spawned} were spawned and {finished} ended in that time",
        steps[0]
    );
    Some((Severity::Warning, text))
}

fn slow_polls(seen: &Seen<'_>) -> Option<(Severity, String)> {
    let Added { polls, slow_polls, .. } = seen.added?;
    let many = 5 <= slow_polls && polls <= 20 * slow_polls;
    let share = 100.0 * slow_polls as f64 / polls as f64;
    let limit = of(seen.yardsticks.slow_poll);
    let text = format!(
        "{share:.0} % of polls in the last minute took more than {limit}: yield, or use spawn_blocking"
    );
    many.then_some((Severity::Notice, text))
}

fn overflow(seen: &Seen<'_>) -> Option<(Severity, String)> {
    let is_other = &*seen.group.name == "__other__" && seen.group.location.is_empty();
    let text = "groups beyond the limit are counted together here: use fewer names, or raise max_groups";
    is_other.then(|| (Severity::Notice, text.to_owned()))
}

fn of(duration: Duration) -> String {
    span(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use headcount_core::internal::samples::{self, group};

    use super::*;
    use crate::snapshot::{Outcome, OutcomeCounts};

    fn said(group: &GroupInfo, added: Option<Added>, steps: Option<[u64; 3]>) -> Vec<(Code, String)> {
        let yardsticks =
            Yardsticks { slow_poll: Duration::from_millis(10), blocked_after: Duration::from_secs(1) };
        let seen = Seen { group, added, steps, yardsticks };
        findings(&seen).into_iter().map(|finding| (finding.code, finding.text)).collect()
    }

    fn counts(ok: u64, error: u64) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        counts.add(Outcome::Ok, ok);
        counts.add(Outcome::Error, error);
        counts
    }

    fn added(finished: u64, failed: u64) -> Added {
        Added { finished, failed, ..Added::default() }
    }

    #[test]
    fn a_healthy_group_is_not_spoken_of() {
        let healthy = changed!(group(), live: 20, spawned: 1020, finished: counts(999, 1));
        assert_eq!(said(&healthy, Some(added(1000, 1)), None), []);
        assert_eq!(
            said(&changed!(group(), finished: counts(0, 90)), Some(added(0, 0)), None),
            [],
            "long ago"
        );
    }

    #[test]
    fn each_finding_names_the_figure_and_the_yardstick() {
        let usual = |p99| samples::usual(30, p99, p99, p99);
        let oldest = |age| samples::oldest(17, age);
        let seconds = Duration::from_secs;
        let polls = Added { polls: 100, slow_polls: 6, ..Added::default() };
        let cases = [
            (
                changed!(group(), blocked: 2, live: 2),
                None,
                Code::Blocked,
                "2 tasks have not yielded for more than 1 s",
            ),
            (
                group(),
                Some(added(100, 31)),
                Code::Failing,
                "31 % of what finished in the last minute failed (31 of 100)",
            ),
            (
                changed!(group(), finished: counts(0, 68)),
                None,
                Code::Failing,
                "100 % of what finished so far failed (68 of 68)",
            ),
            (
                changed!(group(), live: 1, usual: Some(usual(seconds(2))), oldest: Some(oldest(seconds(61)))),
                None,
                Code::Stuck,
                "(#17) has run 30× longer than this group's p99 (1 m 1 s against 2 s)",
            ),
            (
                changed!(group(), live: 600),
                Some(Added { spawned: 700, finished: 100, ..Added::default() }),
                Code::Growing,
                "live grew from 0 to 600",
            ),
            (group(), Some(polls), Code::SlowPolls, "6 % of polls in the last minute took more than 10 ms"),
            (
                changed!(group(), name: "__other__".into(), location: "".into()),
                None,
                Code::Overflow,
                "max_groups",
            ),
        ];
        for (group, added, code, part) in cases {
            let said = said(&group, added, Some([0, 200, 400]));
            assert!(said.len() == 1 && said[0].0 == code && said[0].1.contains(part), "{part}: {said:?}");
        }
    }
}
