//! The words of the shutdown's log: pure functions from plain data to lines.

use std::fmt::Write;
use std::time::Duration;

use super::hint::Cut;
use crate::name::{escape, place};
use crate::snapshot::{Kind, Progress, State, TaskInfo};
use crate::stacks::{HeldWords, LastWords, StackDump};
pub(crate) use headcount_core::internal::text::{length, named, took};
use headcount_core::{Outcome, OutcomeCounts};

/// Groups named in a line of counts.
const MAX_COUNTED_GROUPS: usize = 10;

/// Places that a dump of stacks names.
const MOST_PLACES: usize = 200;

/// A setting, exactly: `25s`, `1m 30s`, `none`.
pub(crate) fn setting(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "none".to_owned(), |duration| humantime::format_duration(duration).to_string())
}

/// What is left of a time, to the second: the first line then has the whole time as it was set.
pub(crate) fn whole_seconds(duration: Duration) -> String {
    let seconds = (duration + Duration::from_millis(500)).as_secs();
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// `1 task`, `2 tasks`.
pub(crate) fn tasks(count: u64) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

/// `1 connection`, `2 connections`.
pub(crate) fn connections(count: u64) -> String {
    if count == 1 { "1 connection".to_owned() } else { format!("{count} connections") }
}

/// `3.2s, idle 1.1s, "batch 3/10" 30%`, without the name before and the place after.
fn doing(task: &TaskInfo, held: &str) -> String {
    let state = match task.state {
        State::Queued => "queued",
        State::Idle => "idle",
        State::Running => "polling",
        State::Limited => "limited",
        _ => "blocked",
    };
    let since = length(task.state_for);
    format!("running {}, {state} {since}{held}{}{}", running(task), asked(task), said(task))
}

/// ` in fsync(2) of /var/lib/app/wal` and `src/report.rs:12`, or `spawned at src/main.rs:41`: what holds a
/// task inside a poll, and where.
pub(crate) fn held(task: &TaskInfo, words: Option<&HeldWords>) -> (String, String) {
    let what = words.map_or_else(String::new, |words| format!(" {}", escape(&words.what)));
    let place = match words.and_then(|words| words.place.as_deref()) {
        Some(place) => escape(place).into_owned(),
        None if task.location.is_empty() => place("").to_owned(),
        None => format!("spawned at {}", task.location),
    };
    (what, place)
}

/// `3.2s`, or `24s of 30s` for a task that has a timeout.
fn running(task: &TaskInfo) -> String {
    let Some(timeout) = task.timeout.filter(|_| task.state != State::Limited) else {
        return length(task.age);
    };
    let overdue = if timeout.overdue { ", overdue" } else { "" };
    format!("{} of {}{overdue}", length(timeout.elapsed), length(timeout.allowed))
}

/// `, GET /orders/17`: what a request asked for.
fn asked(task: &TaskInfo) -> String {
    let field = |wanted: &str| {
        let field = task.fields.iter().find(|(key, _)| key == wanted);
        field.map(|(_, value)| escape(value)).filter(|_| task.kind == Kind::Request)
    };
    match (field("method"), field("path")) {
        (Some(method), Some(path)) => format!(", {method} {path}"),
        (Some(only), None) | (None, Some(only)) => format!(", {only}"),
        (None, None) => String::new(),
    }
}

/// `, "batch 3/10" 30%`: what it said of itself, if anything.
fn said(task: &TaskInfo) -> String {
    let mut text = String::new();
    if let Some(status) = &task.status {
        let _ = write!(text, ", \"{}\"", escape(status));
    }
    if let Some(progress) = task.progress {
        let separator = if task.status.is_some() { " " } else { ", " };
        let _ = write!(text, "{separator}{}", share(progress));
    }
    text
}

/// `30%`, or `3 done` where the whole is not known.
pub(crate) fn share(progress: Progress) -> String {
    match percent(progress) {
        Some(percent) => format!("{percent}%"),
        None => format!("{} done", progress.done),
    }
}

/// From 0 to 100; `None` where the whole is not known.
pub(crate) fn percent(progress: Progress) -> Option<u64> {
    let whole = u128::from(progress.total);
    let done = u128::from(progress.done.min(progress.total));
    (0 < whole).then(|| u64::try_from(done * 100 / whole).unwrap_or(100))
}

/// `send-email #17 running 3.2s, idle 1.1s, "batch 3/10" 30% (src/main.rs:41), usually 1.2s, p95 3.4s`.
pub(crate) fn task(task: &TaskInfo) -> String {
    task_with(task, None)
}

/// The same with what its last capture said: `…, idle 1.1s, waits in shop::mail::send (src/mail.rs:88)`.
fn task_with(task: &TaskInfo, words: Option<&LastWords>) -> String {
    let (held, rest) = match words {
        Some(LastWords::Waits(waits)) if task.state == State::Idle => (None, format!(", {}", escape(waits))),
        Some(LastWords::Held(words)) if matches!(task.state, State::Running | State::Blocked) => {
            let (held, place) = held(task, Some(words));
            (Some(held), format!(" ({place})"))
        }
        _ => (None, format!(" ({})", place(&task.location))),
    };
    let doing = doing(task, held.as_deref().unwrap_or_default());
    let mut text = format!("{} {doing}{rest}", named(&task.name, task.id));
    if let Some(usual) = task.usual {
        let _ = write!(text, ", usually {}, p95 {}", length(usual.p50), length(usual.p95));
    }
    text
}

/// The lines of some tasks, equal ones as one: `rumqttd::remote ×5 (#2–#6) running 3.5s, idle 1.1s
/// (src/link.rs:9)`.
pub(crate) fn collapsed<'a>(
    tasks: &[&'a TaskInfo],
    words: impl Fn(&TaskInfo) -> Option<LastWords>,
) -> Vec<(String, Vec<&'a TaskInfo>)> {
    let mut lines: Vec<(String, Vec<&'a TaskInfo>)> = Vec::new();
    for info in tasks {
        let whole = task_with(info, words(info).as_ref());
        let doing = whole.strip_prefix(&named(&info.name, info.id)).unwrap_or(&whole).to_owned();
        match lines.iter_mut().find(|(known, tasks)| *known == doing && tasks[0].name == info.name) {
            Some((_, tasks)) => tasks.push(info),
            None => lines.push((doing, vec![info])),
        }
    }
    let line = |(doing, tasks): (String, Vec<&'a TaskInfo>)| {
        let name = &tasks[0].name;
        let text = match tasks[..] {
            [task] => format!("{}{doing}", named(name, task.id)),
            _ => format!("{} ×{} ({}){doing}", escape(name), tasks.len(), ranges(&tasks)),
        };
        (text, tasks)
    };
    lines.into_iter().map(line).collect()
}

/// `#2–#6, #9`, at most three of them.
fn ranges(tasks: &[&TaskInfo]) -> String {
    const SHOWN: usize = 3;
    let mut ids: Vec<_> = tasks.iter().map(|task| task.id.get()).collect();
    ids.sort_unstable();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => ranges.push((id, id)),
        }
    }
    let shown = ranges.iter().take(SHOWN).map(|(first, last)| match last - first {
        0 => format!("#{first}"),
        _ => format!("#{first}–#{last}"),
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if SHOWN < ranges.len() {
        text.push_str(", …");
    }
    text
}

/// `and 13 more: send-email ×12, thumbnail ×1`; `None` if there are none.
pub(crate) fn rest(rest: &[(String, u64)]) -> Option<String> {
    let total: u64 = rest.iter().map(|(_, count)| count).sum();
    (0 < total).then(|| format!("and {total} more: {}", by_name(rest)))
}

/// `send-email ×12, thumbnail ×1`.
pub(crate) fn by_name(counts: &[(String, u64)]) -> String {
    let named = counts.iter().take(MAX_COUNTED_GROUPS);
    let mut parts: Vec<_> = named.map(|(name, count)| format!("{} ×{count}", escape(name))).collect();
    if MAX_COUNTED_GROUPS < counts.len() {
        parts.push(format!("and {} other groups", counts.len() - MAX_COUNTED_GROUPS));
    }
    parts.join(", ")
}

/// `send-email #17 completed after 4.0s, 2 remaining`.
pub(crate) fn ended(name: &str, id: u64, outcome: Outcome, after: Duration, remaining: u64) -> String {
    let how = match outcome {
        Outcome::Ok => "completed",
        Outcome::Error => "failed",
        Outcome::Panic => "panicked",
        Outcome::Cancelled => "was cancelled",
        Outcome::Timeout => "timed out",
        Outcome::Rejected => "was rejected",
        _ => "was abandoned",
    };
    format!("{} {how} after {}, {remaining} remaining", named(name, id), took(after))
}

/// `3 completed, 1 failed, 5 connections closed, 2 abandoned`. What is 0 is left out but for the first.
pub(crate) fn counts(ended: &OutcomeCounts, connections: u64, abandoned: u64) -> String {
    let mut text = format!("{} completed", ended.ok);
    let others = [
        (ended.error, "failed"),
        (ended.panic, "panicked"),
        (ended.cancelled, "cancelled"),
        (ended.timeout, "timed out"),
        (ended.rejected, "rejected"),
    ];
    for (count, how) in others.into_iter().filter(|(count, _)| 0 < *count) {
        let _ = write!(text, ", {count} {how}");
    }
    if 0 < connections {
        let _ = write!(text, ", {} closed", self::connections(connections));
    }
    if 0 < abandoned {
        let _ = write!(text, ", {abandoned} abandoned");
    }
    text
}

/// `index-rebuild #9 abandoned after 61s, "batch 3/10" 30% (src/index.rs:88)`, with why it cannot be aborted
/// and the hint, if any.
pub(crate) fn abandoned(task: &TaskInfo, hint: Option<&str>) -> String {
    let (name, age, place) = (named(&task.name, task.id), took(task.age), place(&task.location));
    let mut text = format!("{name} abandoned after {age}{}{} ({place})", asked(task), said(task));
    if !task.cancellable {
        let cut = if task.kind == Kind::Request { ", its response is cut" } else { "" };
        let _ = write!(text, ", {} is not ours to abort{cut}", what(task));
    }
    if let Some(hint) = hint {
        let _ = write!(text, ": {hint}");
    }
    text
}

/// Where all tasks wait, a line for each place: `send-email ×3 (#2, #5, #9) waits in … (src/mail.rs:88)`.
pub(crate) fn stacks(dump: &StackDump) -> Vec<String> {
    let some = if dump.asked < dump.tasks {
        format!(", of which {} were asked, some of each group", dump.asked)
    } else {
        String::new()
    };
    let left_out = match (dump.lost, dump.cut) {
        (0, 0) => String::new(),
        (lost, cut) => format!(" (left out: places {lost}, outer frames of tasks {cut})"),
    };
    let mut lines = vec![format!("Stacks of {}{some}{left_out}:", tasks(dump.tasks))];
    for folded in dump.stacks.iter().take(MOST_PLACES) {
        let names: Vec<_> = folded.names.iter().map(|name| escape(name).into_owned()).collect();
        let ids: Vec<_> = folded.ids.iter().map(|id| format!("#{id}")).collect();
        let more = if (folded.ids.len() as u64) < folded.count { ", …" } else { "" };
        let of = match (names.len(), folded.count) {
            (1, 1) => format!("{} {}", names[0], ids.join("")),
            (_, count) => format!("{} ×{count} ({}{more})", names.join(", "), ids.join(", ")),
        };
        lines.push(format!("  {of} {}", escape(&folded.text)));
    }
    if MOST_PLACES < dump.stacks.len() {
        lines.push(format!("  and {} places more", dump.stacks.len() - MOST_PLACES));
    }
    lines
}

fn what(task: &TaskInfo) -> &'static str {
    match task.kind {
        Kind::Blocking => "a running closure",
        Kind::Future => "a `track` future",
        Kind::Request => "a request",
        _ => "it",
    }
}

/// `thumbnail #12 not gone 1.0s after the abort: inside a poll for 3.2s (src/main.rs:41)`.
pub(crate) fn still_there(task: &TaskInfo, since_abort: Duration) -> String {
    let inside = match (task.kind, task.state) {
        (Kind::Blocking, _) => "inside its closure",
        (_, State::Running | State::Blocked) => "inside a poll",
        _ => "its worker has not come to drop it",
    };
    let since = length(task.state_for);
    format!(
        "{} not gone {} after the abort: {inside} for {since} ({})",
        named(&task.name, task.id),
        took(since_abort),
        place(&task.location)
    )
}

/// Why a task was abandoned, and what holds it still, for the report: `cut by the deadline, still inside a
/// poll for 5m 50s`.
pub(crate) fn why_abandoned(
    task: &TaskInfo,
    cut: Cut,
    is_past_deadline: bool,
    held: Option<Duration>,
) -> String {
    let cut = match (cut, task.grace) {
        _ if is_past_deadline => "cut by the deadline".to_owned(),
        (Cut::Grace, Some(grace)) => format!("its grace of {} ran out", length(grace)),
        (Cut::Grace, None) => "its grace ran out".to_owned(),
        (Cut::Stuck, _) => "cancelled".to_owned(),
        (Cut::Force | Cut::Deadline, _) => "cut by force".to_owned(),
    };
    match held {
        None => cut,
        Some(Duration::ZERO) => format!("{cut}, not dropped yet"),
        Some(held) => {
            let inside = if task.kind == Kind::Blocking { "its closure" } else { "a poll" };
            format!("{cut}, still inside {inside} for {}", length(held))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::testing::example;
    use headcount_core::internal::samples::usual;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn lengths_read_as_people_write_them() {
        let table = [
            (0, "0ms"),
            (90, "90ms"),
            (100, "0.1s"),
            (3_249, "3.2s"),
            (9_999, "9.9s"),
            (10_000, "10s"),
            (61_500, "61s"),
            (120_000, "2m 0s"),
            (8_040_000, "2h 14m"),
        ];
        for (millis, text) in table {
            assert_eq!(length(ms(millis)), text);
        }
        assert_eq!(took(ms(4)), "0.0s");
        assert_eq!(setting(Some(ms(90_000))), "1m 30s");
        assert_eq!(setting(None), "none");
    }

    #[test]
    fn a_task_line_is_that_of_the_contract() {
        assert_eq!(
            task(&example()),
            "send-email #17 running 3.2s, idle 1.1s, \"batch 3/10\" 30% (src/main.rs:41)"
        );
    }

    #[test]
    fn a_task_line_says_what_is_usual() {
        let usual = usual(5, ms(1_200), ms(3_400), ms(5_000));
        let known = changed!(example(), usual: Some(usual));
        assert!(task(&known).ends_with("(src/main.rs:41), usually 1.2s, p95 3.4s"));
    }

    #[test]
    fn a_task_that_says_nothing_of_itself_has_no_gap() {
        let bare = changed!(example(), status: None, progress: None, state: State::Queued);
        assert_eq!(task(&bare), "send-email #17 running 3.2s, queued 1.1s (src/main.rs:41)");
        let silent = changed!(example(), status: None);
        assert!(task(&silent).contains("idle 1.1s, 30% ("));
    }

    #[test]
    fn hostile_texts_stay_on_their_line() {
        let hostile = changed!(example(), status: Some("a\nINFO b\u{1b}[2J".into()), name: "x\r\n".into());
        let line = task(&hostile);
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.contains(r"a\nINFO b\u{1b}[2J"));
    }

    #[test]
    fn equal_lines_are_one() {
        let remote =
            |id: u64| changed!(example(), id: id.into(), name: "remote".into(), status: None, progress: None);
        let tasks = [remote(2), remote(3), remote(4), remote(6), example()];
        let lines = collapsed(&tasks.iter().collect::<Vec<_>>(), |_| None);
        assert_eq!(lines[0].0, "remote ×4 (#2–#4, #6) running 3.2s, idle 1.1s (src/main.rs:41)");
        assert_eq!((&lines[1].0, lines.len()), (&task(&example()), 2));
        let apart = [remote(1), remote(3), remote(5), remote(7)];
        assert_eq!(ranges(&apart.iter().collect::<Vec<_>>()), "#1, #3, #5, …");
    }

    #[test]
    fn a_line_says_what_its_capture_said_while_that_fits() {
        let waits =
            LastWords::Waits("waits in shop::mail::send → Semaphore::acquire (src/mail.rs:88)".into());
        let bare = changed!(example(), status: None, progress: None);
        let line = "send-email #17 running 3.2s, idle 1.1s, waits in shop::mail::send → Semaphore::acquire (src/mail.rs:88)";
        assert_eq!(task_with(&bare, Some(&waits)), line);
        let what = "in fsync(2) of /var/lib/app/wal".to_owned();
        let held = LastWords::Held(HeldWords { what: what.clone(), place: Some("src/report.rs:12".into()) });
        assert_eq!(task_with(&bare, Some(&held)), task(&bare));
        let blocked = changed!(bare, state: State::Blocked);
        assert_eq!(
            task_with(&blocked, Some(&held)),
            "send-email #17 running 3.2s, blocked 1.1s in fsync(2) of /var/lib/app/wal (src/report.rs:12)"
        );
        // Where the line is not known, the place is that of the spawn, and says so.
        let held = LastWords::Held(HeldWords { what, place: None });
        assert_eq!(
            task_with(&blocked, Some(&held)),
            "send-email #17 running 3.2s, blocked 1.1s in fsync(2) of /var/lib/app/wal (spawned at src/main.rs:41)"
        );
        assert_eq!(task_with(&blocked, Some(&waits)), task(&blocked));
    }

    #[test]
    fn a_request_says_what_it_asked_for() {
        let fields = vec![("method".into(), "GET".to_owned()), ("path".into(), "/orders/17".to_owned())];
        let request = changed!(example(), kind: Kind::Request, fields: fields, status: None, progress: None);
        assert_eq!(task(&request), "send-email #17 running 3.2s, idle 1.1s, GET /orders/17 (src/main.rs:41)");
        assert!(abandoned(&request, None).contains("abandoned after 3.2s, GET /orders/17 ("));
        let other = changed!(request, kind: Kind::Task);
        assert!(!task(&other).contains("GET"));
    }

    #[test]
    fn the_rest_is_counted_by_group() {
        assert_eq!(rest(&[]), None);
        let two = [("send-email".to_owned(), 12), ("thumbnail".to_owned(), 1)];
        assert_eq!(rest(&two).unwrap(), "and 13 more: send-email ×12, thumbnail ×1");
        let many: Vec<_> = (0..12).map(|n| (format!("g{n}"), 1)).collect();
        assert!(rest(&many).unwrap().ends_with("g9 ×1, and 2 other groups"));
    }

    #[test]
    fn ends_and_sums_are_those_of_the_contract() {
        assert_eq!(
            ended("send-email", 17, Outcome::Ok, ms(4_000), 2),
            "send-email #17 completed after 4.0s, 2 remaining"
        );
        let mut ended = changed!(OutcomeCounts::default(), ok: 3);
        assert_eq!(counts(&ended, 0, 0), "3 completed");
        ended.panic = 1;
        assert_eq!(counts(&ended, 0, 2), "3 completed, 1 panicked, 2 abandoned");
        let each: OutcomeCounts = Outcome::ALL.iter().fold(OutcomeCounts::default(), |mut each, outcome| {
            each.add(*outcome, 1);
            each
        });
        assert_eq!(
            counts(&each, 5, 0),
            "1 completed, 1 failed, 1 panicked, 1 cancelled, 1 timed out, 1 rejected, 5 connections closed"
        );
    }

    #[test]
    fn the_abandoned_are_named_with_what_can_be_done() {
        let lost = changed!(example(), name: "index-rebuild".into(), id: 9.into(), age: ms(61_000));
        assert_eq!(
            abandoned(&lost, None),
            "index-rebuild #9 abandoned after 61s, \"batch 3/10\" 30% (src/main.rs:41)"
        );
        let lost = changed!(lost, status: None, progress: None);
        assert_eq!(abandoned(&lost, None), "index-rebuild #9 abandoned after 61s (src/main.rs:41)");
        assert_eq!(
            abandoned(&lost, Some("a loop?")),
            "index-rebuild #9 abandoned after 61s (src/main.rs:41): a loop?"
        );
        let closure = changed!(lost, kind: Kind::Blocking, cancellable: false);
        assert!(abandoned(&closure, None).ends_with("a running closure is not ours to abort"));
    }

    #[test]
    fn a_report_says_why_a_task_was_abandoned() {
        let task = changed!(example(), grace: Some(ms(1_000)));
        assert_eq!(why_abandoned(&task, Cut::Deadline, true, None), "cut by the deadline");
        assert_eq!(why_abandoned(&task, Cut::Grace, false, None), "its grace of 1.0s ran out");
        // A force cuts also what still had its grace.
        assert_eq!(why_abandoned(&task, Cut::Force, false, None), "cut by force");
        let closure = changed!(task, grace: None, kind: Kind::Blocking);
        assert_eq!(
            why_abandoned(&closure, Cut::Force, false, Some(ms(3_200))),
            "cut by force, still inside its closure for 3.2s"
        );
        assert_eq!(why_abandoned(&closure, Cut::Stuck, false, Some(ms(0))), "cancelled, not dropped yet");
    }

    #[test]
    fn progress_without_a_whole_is_a_count() {
        assert_eq!(share(Progress::new(3, 0)), "3 done");
        assert_eq!(share(Progress::new(30, 10)), "100%");
        assert_eq!(share(Progress::new(u64::MAX, u64::MAX)), "100%");
    }
}
