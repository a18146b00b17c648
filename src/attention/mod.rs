//! What needs attention first: a few sentences by severity, each with the task or list that shows more.
//!
//! The page has them above everything, the API in `/api/v1/attention`, and the log at the head of a drain.
//! [`checks`] says what is worth a look in one group; this module names the tasks, and since when.

mod checks;
mod services;
mod terms;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

pub(crate) use checks::{Added, Code, Finding, Seen, Yardsticks, findings};
pub(crate) use terms::rejected_of;

use crate::forecast::words::span;
use crate::name::escape;
use crate::snapshot::{FinishedQuery, GroupInfo, Outcome, Snapshot, State, TaskInfo, TaskQuery};

/// Sentences at once.
const MOST: usize = 100;
/// Tasks that block and are looked at.
const BLOCKED: usize = 100;
/// Tasks of one group that are named one by one.
const NAMED: usize = 3;

/// How grave it is; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    Critical,
    Warning,
    Notice,
}

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) severity: Severity,
    pub(crate) sentence: String,
    pub(crate) since: Option<SystemTime>,
    pub(crate) location: Option<String>,
    pub(crate) link: Link,
}

/// Where more is to be seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Link {
    Task(u64),
    /// Live tasks that a search finds.
    Tasks(String),
    /// Finished tasks that a search finds.
    Finished(String),
    Group(u32),
    /// Services and timers.
    Services,
}

/// All items, the gravest first and then by age. `seen` returns what is remembered of a group.
///
/// Costs what the search for blocked tasks does where some block, and a look at the history for each group
/// that fails.
pub(crate) fn attention<'a>(snapshot: &'a Snapshot, seen: impl Fn(&'a GroupInfo) -> Seen<'a>) -> Vec<Item> {
    let mut items = if 0 < snapshot.blocked { blocked(snapshot) } else { Vec::new() };
    for group in &snapshot.groups {
        let seen = seen(group);
        let findings = findings(&seen);
        items.extend(findings.into_iter().filter_map(|finding| item(finding, group, snapshot.taken_at)));
        items.extend(terms::items(&seen));
    }
    items.extend(services::items(&headcount_core::services(), snapshot.taken_at));
    items.sort_by(|one, other| {
        let age = |item: &Item| item.since.unwrap_or(snapshot.taken_at);
        one.severity.cmp(&other.severity).then_with(|| age(one).cmp(&age(other)))
    });
    items.truncate(MOST);
    items
}

/// One line for each item, as the log writes it.
pub(crate) fn lines(items: &[Item], now: SystemTime) -> Vec<String> {
    let line = |item: &Item| {
        let place = item.location.as_deref().filter(|place| !place.is_empty());
        let since = item.since.filter(|_| !matches!(item.link, Link::Task(_)));
        let since = since.and_then(|since| now.duration_since(since).ok()).map(|ago| span(ago.as_secs_f64()));
        let since = since.map_or_else(String::new, |since| format!(", for {since}"));
        format!(
            "{}{since}{}",
            item.sentence,
            place.map_or_else(String::new, |place| format!(" ({})", escape(place)))
        )
    };
    items.iter().map(line).collect()
}

/// The tasks that do not yield, one by one or by group.
fn blocked(snapshot: &Snapshot) -> Vec<Item> {
    let query = TaskQuery::default().state(State::Blocked).limit(BLOCKED);
    let Ok(page) = crate::snapshot::tasks(&query) else { return Vec::new() };
    let mut groups: BTreeMap<u32, Vec<TaskInfo>> = BTreeMap::new();
    page.items.into_iter().for_each(|task| groups.entry(task.group.get()).or_default().push(task));
    let now = snapshot.taken_at;
    groups.into_iter().flat_map(|(group, tasks)| blocked_items(group, &tasks, now)).collect()
}

fn blocked_items(group: u32, tasks: &[TaskInfo], now: SystemTime) -> Vec<Item> {
    let longest = tasks.iter().map(|task| task.state_for).max().unwrap_or_default();
    let item = |task: &TaskInfo, sentence, since: Duration, link| Item {
        severity: Severity::Critical,
        sentence,
        since: now.checked_sub(since),
        location: Some(task.location.to_string()),
        link,
    };
    let name = |task: &TaskInfo| escape(&task.name).into_owned();
    if NAMED < tasks.len() {
        let task = &tasks[0];
        let sentence =
            format!("{} tasks of {} have not yielded for up to {}", tasks.len(), name(task), length(longest));
        return vec![item(task, sentence, longest, Link::Tasks(format!("state:blocked group:{group}")))];
    }
    let each = |task: &TaskInfo| {
        let sentence = format!("{} #{} has not yielded for {}", name(task), task.id, length(task.state_for));
        item(task, sentence, task.state_for, Link::Task(task.id.get()))
    };
    tasks.iter().map(each).collect()
}

#[allow(clippy::needless_pass_by_value, reason = "it becomes the item")]
/// A finding as an item; blocked tasks have items of their own.
fn item(finding: Finding, group: &GroupInfo, now: SystemTime) -> Option<Item> {
    let id = group.id.get();
    let (since, link) = match finding.code {
        Code::Blocked => return None,
        Code::Failing => {
            (failing_since(group), Link::Finished(format!("group:{id} outcome:error,panic,timeout")))
        }
        Code::Stuck => {
            let oldest = group.oldest?;
            (Some(oldest.started_at), Link::Task(oldest.id.get()))
        }
        Code::Growing => (now.checked_sub(Duration::new(60, 0)), Link::Group(id)),
        Code::SlowPolls | Code::Overflow => (None, Link::Group(id)),
    };
    let sentence = match finding.code {
        Code::Failing => format!("{}: {}", escape(&group.name), failing(&finding.text, group)),
        _ => format!("{}: {}", escape(&group.name), finding.text),
    };
    Some(Item {
        severity: finding.severity,
        sentence,
        since,
        location: Some(group.location.to_string()),
        link,
    })
}

/// The same with the outcome, where all that failed panicked.
fn failing(text: &str, group: &GroupInfo) -> String {
    let counts = &group.finished;
    if 0 < counts.panic && counts.error + counts.timeout == 0 {
        text.replace(" failed (", " panicked (")
    } else {
        text.to_owned()
    }
}

/// Since when all tasks of a group have failed; `None` if the newest end was none, or the history does not
/// reach back.
fn failing_since(group: &GroupInfo) -> Option<SystemTime> {
    let query = FinishedQuery::default().group(group.id).limit(500);
    let page = crate::snapshot::finished(&query).ok()?;
    let is_failure = |outcome: Outcome| matches!(outcome, Outcome::Error | Outcome::Panic | Outcome::Timeout);
    let run = page.items.iter().take_while(|task| is_failure(task.outcome));
    run.last().map(|task| task.finished_at)
}

fn length(duration: Duration) -> String {
    span(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use headcount_core::internal::samples;

    use super::*;

    fn stuck(id: u64, seconds: u64) -> TaskInfo {
        changed!(samples::task(), id: id.into(), state_for: Duration::from_secs(seconds))
    }

    #[test]
    fn a_few_blocked_tasks_are_named_and_many_are_counted() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let one = blocked_items(0, &[stuck(5, 300)], now);
        assert_eq!(one[0].sentence, "send-email #5 has not yielded for 5 m");
        assert_eq!((&one[0].link, one[0].severity), (&Link::Task(5), Severity::Critical));
        assert_eq!(one[0].since, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(700)));
        assert_eq!(lines(&one, now), ["send-email #5 has not yielded for 5 m (src/main.rs:41)"]);
        let many: Vec<_> = (1..9).map(|id| stuck(id, 60 * id)).collect();
        let many = blocked_items(3, &many, now);
        assert_eq!(many.len(), 1);
        assert_eq!(many[0].sentence, "8 tasks of send-email have not yielded for up to 8 m");
        assert_eq!(many[0].link, Link::Tasks("state:blocked group:3".to_owned()));
    }

    #[test]
    fn a_finding_has_its_place_and_its_list() {
        let mut counts = crate::snapshot::OutcomeCounts::default();
        counts.add(Outcome::Panic, 68);
        let group = changed!(samples::group(), finished: counts);
        let text = "100 % of what finished in the last minute failed (68 of 68)".to_owned();
        let finding = Finding { code: Code::Failing, severity: Severity::Critical, text };
        let item = item(finding, &group, SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(
            item.sentence,
            "send-email: 100 % of what finished in the last minute panicked (68 of 68)"
        );
        assert_eq!(item.link, Link::Finished("group:1 outcome:error,panic,timeout".to_owned()));
    }
}
