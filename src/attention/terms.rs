//! What needs attention of limits: tasks that were rejected, and those that wait for long.

use std::time::Duration;

use headcount_core::Reason;

use super::{Item, Link, Seen, Severity};
use crate::forecast::words::span;
use crate::name::escape;
use crate::snapshot::{GroupInfo, TermsInfo};

/// A task that waits for that long is worth a look.
const LONG: Duration = Duration::new(60, 0);

/// At most two items for a group: what it lost, and what it is about to lose or holds up.
pub(super) fn items(seen: &Seen<'_>) -> Vec<Item> {
    let group = seen.group;
    let Some(terms) = &group.terms else { return Vec::new() };
    rejected(seen, group, terms).into_iter().chain(limited(group, terms)).collect()
}

/// How many tasks of a group were rejected since its limit and queue were full. Those whose key was taken are
/// left out, since that is what a key is for.
pub(crate) fn rejected_of(group: &GroupInfo) -> u64 {
    let counts = group.terms.iter().flat_map(|terms| &terms.rejected);
    counts.filter(|(reason, _)| *reason == Reason::Full).map(|(_, count)| count).sum()
}

fn rejected(seen: &Seen<'_>, group: &GroupInfo, terms: &TermsInfo) -> Option<Item> {
    let (count, when) = match seen.added {
        Some(added) => (added.rejected, "in the last minute"),
        None => (rejected_of(group), "so far"),
    };
    let tasks = match count {
        0 => return None,
        1 => "1 task was".to_owned(),
        count => format!("{count} tasks were"),
    };
    let why = match (terms.limit, terms.queue) {
        (Some(0), _) => "its limit is 0, so nothing can run".to_owned(),
        (Some(limit), Some(queue)) => format!("its limit allows {limit} at once, and {queue} that wait"),
        _ => "its limit was reached".to_owned(),
    };
    Some(Item {
        severity: Severity::Warning,
        sentence: format!("{}: {tasks} rejected {when}: {why}", escape(&group.name)),
        since: None,
        location: Some(group.location.to_string()),
        link: Link::Finished(format!("group:{} outcome:rejected", group.id)),
    })
}

fn limited(group: &GroupInfo, terms: &TermsInfo) -> Option<Item> {
    let first = terms.first_in_line?;
    // In whole numbers: four fifths of the queue.
    let queue = terms.queue.filter(|queue| 0 < *queue && 4 * queue <= 5 * terms.queued);
    if queue.is_none() && first.age < LONG {
        return None;
    }
    let tasks = match terms.limited {
        1 => "1 task waits".to_owned(),
        count => format!("{count} tasks wait"),
    };
    let what = match terms.limit {
        Some(limit) if 0 < terms.queued => format!("the limit of {limit}"),
        Some(limit) => format!("a task with the same key or the limit of {limit}"),
        None => "a task with the same key".to_owned(),
    };
    let full = queue.map_or_else(String::new, |queue| format!("; its queue has {queue} places"));
    let age = span(first.age.as_secs_f64());
    Some(Item {
        severity: if queue.is_some() { Severity::Warning } else { Severity::Notice },
        sentence: format!(
            "{}: {tasks} for {what}, the first (#{}) for {age}{full}",
            escape(&group.name),
            first.id
        ),
        since: Some(first.started_at),
        location: Some(group.location.to_string()),
        link: Link::Tasks(format!("state:limited group:{}", group.id)),
    })
}

#[cfg(test)]
mod tests {
    use headcount_core::internal::samples;

    use super::*;
    use crate::attention::{Added, Yardsticks};

    fn said(terms: TermsInfo, rejected: Option<u64>) -> Vec<(Severity, String)> {
        let group = changed!(samples::group(), terms: Some(terms));
        let added = rejected.map(|rejected| Added { rejected, ..Added::default() });
        let yardsticks = Yardsticks { slow_poll: LONG, blocked_after: LONG };
        let items = items(&Seen { group: &group, added, steps: None, yardsticks });
        items.into_iter().map(|item| (item.severity, item.sentence)).collect()
    }

    fn terms() -> TermsInfo {
        changed!(samples::terms(), limit: Some(4), queue: Some(100))
    }

    #[test]
    fn what_was_rejected_is_told_while_it_is_new() {
        let terms = changed!(terms(), rejected: vec![(Reason::Full, 9), (Reason::Duplicate, 5)]);
        let sentence =
            "send-email: 9 tasks were rejected so far: its limit allows 4 at once, and 100 that wait";
        assert_eq!(said(terms.clone(), None), [(Severity::Warning, sentence.to_owned())]);
        assert_eq!(said(terms.clone(), Some(0)), []);
        let none = said(changed!(terms, limit: Some(0)), Some(1));
        assert_eq!(
            none[0].1,
            "send-email: 1 task was rejected in the last minute: its limit is 0, so nothing can run"
        );
    }

    #[test]
    fn what_waits_long_or_fills_the_queue_is_told() {
        let first = |seconds| Some(samples::oldest(17, Duration::from_secs(seconds)));
        assert_eq!(said(changed!(terms(), limited: 79, queued: 79, first_in_line: first(59)), None), []);
        assert_eq!(
            said(changed!(terms(), limited: 79, queued: 79, first_in_line: first(120)), None),
            [(
                Severity::Notice,
                "send-email: 79 tasks wait for the limit of 4, the first (#17) for 2 m".to_owned()
            )]
        );
        assert_eq!(
            said(changed!(terms(), limited: 80, queued: 80, first_in_line: first(1)), None),
            [(
                Severity::Warning,
                "send-email: 80 tasks wait for the limit of 4, the first (#17) for 1 s; its queue has 100 places"
                    .to_owned()
            )]
        );
        // Those that wait for their key take no place of the queue.
        assert_eq!(said(changed!(terms(), limited: 80, first_in_line: first(1)), None), []);
        let keyed = changed!(samples::terms(), limited: 1, first_in_line: first(60));
        assert_eq!(
            said(keyed, None)[0].1,
            "send-email: 1 task waits for a task with the same key, the first (#17) for 1 m"
        );
    }
}
