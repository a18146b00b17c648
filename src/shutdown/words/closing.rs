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

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

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
