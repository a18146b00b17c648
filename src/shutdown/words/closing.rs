//! The last line of a drain that came to its end: true of how the tasks ended.

use std::time::Duration;

use super::line::Line;
use super::text;
use crate::shutdown::report::{CRITICAL, critical_text};
use headcount_core::OutcomeCounts;

/// What the last line speaks of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums<'a> {
    pub(crate) ended: &'a OutcomeCounts,
    pub(crate) connections: u64,
    pub(crate) abandoned: u64,
    /// `; abandoned: index #9`, or nothing.
    pub(crate) names: &'a str,
    /// The critical service that has ended for good.
    pub(crate) critical: Option<&'a str>,
}

/// The line. Only what completed is called completed, and what was cut makes it a warning that names it.
pub(crate) fn closing(sums: Sums<'_>, took: Duration) -> Line {
    let Sums { ended, connections, abandoned, names, critical } = sums;
    let (took, counts) = (text::took(took), text::counts(ended, connections, abandoned));
    if critical.is_some() {
        let critical = critical_text(critical);
        Line::warn(format!(
            "Background tasks ended in {took} ({counts}){names}{critical}: exit code {CRITICAL}"
        ))
    } else if abandoned != 0 {
        Line::warn(format!("Background tasks ended in {took} ({counts}){names}"))
    } else if ended.ok == 0 && ended.total() != 0 {
        Line::info(format!("All background tasks ended in {took} ({counts})")).loud()
    } else {
        Line::info(format!("All background tasks completed in {took} ({counts})")).loud()
    }
}

/// The line with which aborting begins. The last task may have ended as it did.
pub(crate) fn aborting(
    forced_by: Option<&str>,
    budget: Option<Duration>,
    abandoned: u64,
    last: u64,
) -> String {
    let what = match (abandoned, last) {
        (0, 0) => "nothing is left to abort".to_owned(),
        (0, _) => "what comes last has its grace".to_owned(),
        _ => format!("aborting {}", text::tasks(abandoned)),
    };
    match forced_by {
        Some(by) => format!("Forced by {by}: {what}"),
        None => format!("Deadline of {} reached: {what}", text::setting(budget.map(to_millis))),
    }
}

/// The line of a process that is ended. `after`: how long it is there still, where something waits for the
/// shutdown.
pub(crate) fn exiting(code: u8, after: Option<Duration>) -> String {
    let why = match after.map(text::length) {
        Some(after) => format!("still running {after} after shutdown began"),
        None => "nothing in the application waits for the shutdown".to_owned(),
    };
    format!("Exiting with code {code}: {why}")
}

fn to_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;
    use crate::shutdown::report::{Report, ReportTask, ShutdownOutcome};
    use crate::shutdown::testing::example;

    /// Each way in which a shutdown is cut short, with its last line.
    #[test]
    fn the_last_line_is_true_of_every_cut() {
        let (forced, deadline) = (ShutdownOutcome::Forced, ShutdownOutcome::Deadline);
        let ok = || changed!(OutcomeCounts::default(), ok: 3);
        let mixed = changed!(ok(), error: 1, panic: 2, cancelled: 3, timeout: 4, rejected: 5);
        let table = [
            (
                deadline,
                None,
                ok(),
                0,
                1,
                "Stopped at the deadline, in 4.3s (3 completed, 1 abandoned); abandoned: send-email #17",
            ),
            (
                deadline,
                None,
                mixed,
                6,
                1,
                "Stopped at the deadline, in 4.3s (3 completed, 1 failed, 2 panicked, 3 cancelled, 4 timed out, 5 \
                 rejected, 6 connections closed, 1 abandoned); abandoned: send-email #17",
            ),
            (
                forced,
                Some("SIGTERM"),
                ok(),
                1,
                2,
                "Forced by SIGTERM, in 4.3s (3 completed, 1 connection closed, 2 abandoned); abandoned: send-email \
                 #17, send-email #17",
            ),
            (
                forced,
                Some("SIGINT"),
                OutcomeCounts::default(),
                0,
                7,
                "Forced by SIGINT, in 4.3s (0 completed, 7 abandoned); abandoned: send-email #17, send-email #17, \
                 send-email #17, send-email #17, send-email #17 and 2 more",
            ),
            (forced, Some("API"), ok(), 0, 0, "Forced by API, in 4.3s (3 completed)"),
            (
                ShutdownOutcome::Drained,
                None,
                ok(),
                0,
                1,
                "Drained in 4.3s (3 completed, 1 abandoned); abandoned: send-email #17",
            ),
            (ShutdownOutcome::Drained, None, OutcomeCounts::default(), 0, 0, "Drained in 4.3s (0 completed)"),
        ];
        for (result, forced_by, ended, connections_closed, abandoned_total, text) in table {
            let task = ReportTask::new(&example(), true, "cut by the deadline", false);
            let report = Report {
                result,
                forced_by,
                ended,
                connections_closed,
                abandoned_total,
                abandoned: vec![task; usize::try_from(abandoned_total).unwrap()].into(),
                duration: Duration::from_millis(4_300),
                ..Report::empty()
            };
            assert_eq!(report.to_string(), text);
        }
    }

    /// What aborting begins with, by what caused it and what is left.
    #[test]
    fn what_is_aborted_is_there() {
        let budget = Some(Duration::from_micros(25_000_400));
        let table = [
            (Some("SIGTERM"), budget, 1, 0, "Forced by SIGTERM: aborting 1 task"),
            (Some("SIGINT"), None, 12, 3, "Forced by SIGINT: aborting 12 tasks"),
            (Some("API"), budget, 0, 0, "Forced by API: nothing is left to abort"),
            (Some("API"), budget, 0, 1, "Forced by API: what comes last has its grace"),
            (None, budget, 1, 0, "Deadline of 25s reached: aborting 1 task"),
            (None, budget, 2, 1, "Deadline of 25s reached: aborting 2 tasks"),
            (None, budget, 0, 0, "Deadline of 25s reached: nothing is left to abort"),
            (None, budget, 0, 2, "Deadline of 25s reached: what comes last has its grace"),
            (None, Some(Duration::ZERO), 1, 0, "Deadline of 0s reached: aborting 1 task"),
        ];
        for (forced_by, budget, abandoned, last, text) in table {
            assert_eq!(aborting(forced_by, budget, abandoned, last), text);
        }
    }

    #[test]
    fn who_ends_the_process_says_why() {
        let nothing_waits = "nothing in the application waits for the shutdown";
        for code in [0, 1, 70, 124, 130, 143] {
            assert_eq!(exiting(code, None), format!("Exiting with code {code}: {nothing_waits}"));
            let still = exiting(code, Some(Duration::from_secs(29)));
            assert_eq!(still, format!("Exiting with code {code}: still running 29s after shutdown began"));
        }
    }

    /// Each way in which a drain can end, with the level and the text of its last line.
    #[test]
    fn the_last_line_is_true_of_every_end() {
        let none = OutcomeCounts::default;
        let ok = || changed!(none(), ok: 3);
        let table: [(&str, OutcomeCounts, u64, u64, Level, &str); 9] = [
            ("nothing", none(), 0, 0, Level::INFO, "All background tasks completed in 4.3s (0 completed)"),
            ("all", ok(), 0, 0, Level::INFO, "All background tasks completed in 4.3s (3 completed)"),
            (
                "some cancelled by policy",
                changed!(ok(), cancelled: 1),
                0,
                0,
                Level::INFO,
                "All background tasks completed in 4.3s (3 completed, 1 cancelled)",
            ),
            (
                "nothing but cancelled ones",
                changed!(none(), cancelled: 2),
                0,
                0,
                Level::INFO,
                "All background tasks ended in 4.3s (0 completed, 2 cancelled)",
            ),
            (
                "nothing but failed ones",
                changed!(none(), error: 1, panic: 1),
                0,
                0,
                Level::INFO,
                "All background tasks ended in 4.3s (0 completed, 1 failed, 1 panicked)",
            ),
            (
                "connections too",
                ok(),
                5,
                0,
                Level::INFO,
                "All background tasks completed in 4.3s (3 completed, 5 connections closed)",
            ),
            (
                "nothing but connections",
                none(),
                1,
                0,
                Level::INFO,
                "All background tasks completed in 4.3s (0 completed, 1 connection closed)",
            ),
            (
                "one abandoned",
                ok(),
                0,
                1,
                Level::WARN,
                "Background tasks ended in 4.3s (3 completed, 1 abandoned); abandoned: index #9",
            ),
            (
                "all abandoned",
                none(),
                2,
                7,
                Level::WARN,
                "Background tasks ended in 4.3s (0 completed, 2 connections closed, 7 abandoned); abandoned: index #9",
            ),
        ];
        for (state, ended, connections, abandoned, level, text) in table {
            let names = if abandoned == 0 { "" } else { "; abandoned: index #9" };
            let sums = Sums { ended: &ended, connections, abandoned, names, critical: None };
            let line = closing(sums, Duration::from_millis(4_300));
            assert_eq!((line.level, line.text.as_str()), (level, text), "{state}");
        }
        let sums = Sums { ended: &ok(), connections: 0, abandoned: 0, names: "", critical: Some("consumer") };
        let line = closing(sums, Duration::from_millis(4_300));
        assert_eq!(
            (line.level, line.text.as_str()),
            (
                Level::WARN,
                "Background tasks ended in 4.3s (3 completed); critical service consumer has ended for good: exit code 70"
            )
        );
    }
}
