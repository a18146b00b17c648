//! The sentences about a forecast, the same in log, API and page.

use std::fmt::Write;

use super::engine::{Forecast, Hold};
use super::outlook::{Ending, Outlook, Terms, Unknown};
use super::row::{Bound, Row};
use crate::name::escape;
use crate::snapshot::OnShutdown;

/// Names in each part of a sentence.
const NAMED: usize = 3;

/// A length of time: `40 ms`, `6 s`, `1.5 s`, `4 m 30 s`, `2 h 14 m`.
pub(crate) fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 0.0995 {
        return format!("{:.0} ms", seconds * 1e3);
    }
    if seconds < 9.95 {
        let text = format!("{seconds:.1}");
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 if whole % 60 == 0 => format!("{} m", whole / 60),
        60..3600 => format!("{} m {} s", whole / 60, whole % 60),
        _ if whole % 3600 < 60 => format!("{} h", whole / 3600),
        _ => format!("{} h {} m", whole / 3600, whole / 60 % 60),
    }
}

/// `If stopped now: 34 done in about 6 s; index-rebuild about 4 m 30 s at its pace, cut at 25 s; resize-video
/// cannot be aborted; 1 unknown (demo::main).`
pub(super) fn forecast(forecast: &Forecast) -> String {
    let mut parts = Vec::new();
    if 0 < forecast.done {
        let done_in = forecast.done_in.map_or_else(String::new, |seconds| format!(" in {}", about(seconds)));
        parts.push(format!("{} done{done_in}", forecast.done));
    }
    let cut_at = forecast.within.map(|within| format!(", cut at {}", span(within)));
    parts.extend(listed(&forecast.will_be_cut, |hold| {
        let is_cut_then = !hold.reason.starts_with("grace");
        let cut_at = cut_at.as_deref().filter(|_| is_cut_then && hold.eta.is_some()).unwrap_or("");
        format!("{} {}{cut_at}", counted(&hold.name, hold.count), hold.reason)
    }));
    parts.extend(listed(&forecast.cannot_abort, |hold| {
        format!("{} {}", counted(&hold.name, hold.count), hold.reason)
    }));
    if 0 < forecast.unknown {
        let names: Vec<_> =
            forecast.unknown_names.iter().take(NAMED).map(|(name, count)| counted(name, *count)).collect();
        let more = if NAMED < forecast.unknown_names.len() { ", …" } else { "" };
        parts.push(format!("{} unknown ({}{more})", forecast.unknown, names.join(", ")));
    }
    let start = if forecast.is_stopping { "" } else { "If stopped now: " };
    match parts.is_empty() {
        true if forecast.is_stopping => "No task is left.".to_owned(),
        true => "If stopped now: no task is waited for.".to_owned(),
        false => format!("{start}{}.", parts.join("; ")),
    }
}

fn listed(holds: &[Hold], text: impl Fn(&Hold) -> String) -> Vec<String> {
    let mut parts: Vec<_> = holds.iter().take(NAMED).map(text).collect();
    let rest: u64 = holds.iter().skip(NAMED).map(|hold| hold.count).sum();
    if 0 < rest {
        parts.push(format!("{rest} more like these"));
    }
    parts
}

/// `send-email`, `send-email ×12`.
fn counted(name: &str, count: u64) -> String {
    if count == 1 { escape(name).into_owned() } else { format!("{} ×{count}", escape(name)) }
}

/// `about 6 s`.
pub(crate) fn about(seconds: f64) -> String {
    if seconds < 0.0005 { "no time".to_owned() } else { format!("about {}", span(seconds)) }
}

/// Why a task is not done in time.
pub(super) fn reason(outlook: &Outlook<'_>, terms: &Terms) -> String {
    let waited = &outlook.waited;
    let over = outlook.grace_over.filter(|over| terms.within.is_none_or(|within| *over < within));
    if let Some(grace) = waited.grace.filter(|_| over.is_some()) {
        return format!("grace {}", span(grace));
    }
    match outlook.ending {
        Ending::Unknown(Unknown::Blocked) => "does not yield".to_owned(),
        _ if !waited.cancellable => "cannot be aborted".to_owned(),
        Ending::Pace { left, .. } => format!("{} at its pace", about(left)),
        Ending::Curve(curve) => format!("{}, as usual for its group", about(curve.median_left(waited.age))),
        Ending::Unknown(Unknown::Stalled) => "makes no progress".to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// What entries of one list have in common.
pub(super) fn kind_of_reason(outlook: &Outlook<'_>) -> &'static str {
    match outlook.ending {
        Ending::Unknown(Unknown::Blocked) => "blocked",
        _ if outlook.waited.grace.is_some() => "grace",
        Ending::Pace { .. } => "pace",
        _ => "curve",
    }
}

/// What a stop waits for with a task, beyond its own end.
///
/// `others` is the number of tasks that a `Last` task lets go first.
pub(super) fn waits_for(outlook: &Outlook<'_>, others: Option<u64>) -> Option<String> {
    let waited = &outlook.waited;
    let mut parts = Vec::new();
    match waited.policy {
        OnShutdown::Last if matches!(outlook.ending, Ending::Last) => parts.push(match others {
            Some(1) => "Last: notified when 1 other has ended".to_owned(),
            Some(others) => format!("Last: notified when {others} others have ended"),
            None => "Last: notified when all others have ended".to_owned(),
        }),
        OnShutdown::Cancel => parts.push("Cancel: aborted at once".to_owned()),
        OnShutdown::Detach => parts.push("Detach: not waited for".to_owned()),
        OnShutdown::Connection if waited.cancellable => {
            parts.push("Connection: closed after its grace".to_owned());
        }
        _ => {}
    }
    if let Some(grace) = waited.grace {
        parts.push(format!("grace {}", span(grace)));
    }
    if waited.blocked.is_some() {
        parts.push("does not yield".to_owned());
    } else if !waited.cancellable {
        parts.push("cannot be aborted".to_owned());
    }
    match outlook.ending {
        Ending::Unknown(Unknown::Stalled) => parts.push("makes no progress".to_owned()),
        Ending::Unknown(Unknown::Old) => parts.push("older than all of its group were".to_owned()),
        _ => {}
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What a line of the log adds about a task: `, about 3 s left`, `, at most 1 s left, grace 1 s`; empty where
/// nothing is known.
pub(crate) fn row(row: &Row) -> String {
    let left = match (row.eta, row.bound) {
        (Some(eta), Some(Bound::AtMost)) => format!(", at most {} left", span(eta)),
        (Some(eta), _) if 0.0005 <= eta => format!(", {} left", about(eta)),
        _ => String::new(),
    };
    let waits_for = row.waits_for.as_ref().map_or_else(String::new, |text| format!(", {text}"));
    format!("{left}{waits_for}")
}

/// How a forecast did: `forecast 6 s, took 7.1 s`.
pub(crate) fn judged(forecast: f64, took: f64) -> String {
    let mut text = String::new();
    let _ = write!(text, "forecast {}, took {}", span(forecast), span(took));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        let table = [
            (0.0, "0 ms"),
            (0.04, "40 ms"),
            (0.25, "0.2 s"),
            (6.0, "6 s"),
            (7.12, "7.1 s"),
            (9.97, "10 s"),
            (59.6, "1 m"),
            (270.0, "4 m 30 s"),
            (8040.0, "2 h 14 m"),
        ];
        for (seconds, text) in table {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(judged(6.0, 7.1), "forecast 6 s, took 7.1 s");
    }

    fn hold(name: &str, eta: Option<f64>, reason: &str) -> Hold {
        Hold { task: Some(1), name: name.into(), count: 1, eta, reason: reason.to_owned() }
    }

    #[test]
    fn a_sentence_says_all_that_is_known() {
        let mut told = Forecast {
            within: Some(25.0),
            done: 34,
            done_in: Some(6.2),
            will_be_cut: vec![hold("index-rebuild", Some(270.0), "about 4 m 30 s at its pace")],
            cannot_abort: vec![hold("resize-video", None, "cannot be aborted")],
            unknown: 1,
            unknown_names: vec![("demo::main".into(), 1)],
            ..Forecast::default()
        };
        assert_eq!(
            told.sentence(),
            "If stopped now: 34 done in about 6.2 s; index-rebuild about 4 m 30 s at its pace, cut at 25 s; \
             resize-video cannot be aborted; 1 unknown (demo::main)."
        );
        told.is_stopping = true;
        assert!(told.sentence().starts_with("34 done in"));
        assert_eq!(Forecast::default().sentence(), "If stopped now: no task is waited for.");
    }

    #[test]
    fn names_cannot_forge_a_line() {
        let told =
            Forecast { will_be_cut: vec![hold("a\nb", None, "does not yield")], ..Forecast::default() };
        assert!(!told.sentence().contains('\n'));
    }
}
