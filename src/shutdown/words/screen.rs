//! The task lines on a terminal, redrawn in place without touching what the application writes.
//!
//! The bottom rows are taken out of the terminal's scrolling region, as package managers do for their
//! progress bar. What anybody else writes scrolls above them, whatever it is and whichever stream it uses; a
//! bar that counts lines upwards from the cursor, as most do, would be torn by the first `println!`.

use std::fmt::Write;
use std::io;
use std::time::Duration;

use console::{Term, truncate_str};

use super::text;
use crate::snapshot::TaskInfo;

const SAVE: &str = "\x1b7";
const RESTORE: &str = "\x1b8";
const WHOLE_SCREEN: &str = "\x1b[r";
const CLEAR_ROW: &str = "\x1b[2K";
/// One row down, scrolling at the bottom, in the same column.
const DOWN: &str = "\x1bD";

/// Rows that the application keeps, at the least.
const ROWS_LEFT: u16 = 8;

const BAR: usize = 10;

/// The rows at the bottom of a terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    term: Term,
    /// Rows and columns when it was drawn last, and the rows that are ours.
    open: Option<(u16, u16, u16)>,
}

impl Screen {
    /// Standard error's terminal; `None` if it is none, or one that knows no cursor.
    pub(crate) fn on_stderr() -> Option<Self> {
        let term = Term::stderr();
        let plain = std::env::var_os("TERM").is_none_or(|name| name == "dumb");
        let usable = term.features().is_attended() && !plain;
        usable.then_some(Self { term, open: None })
    }

    /// Draws the lines; those that do not fit are left out.
    pub(crate) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let Some((rows, columns)) = self.term.size_checked() else { return Ok(()) };
        let wanted = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(rows.saturating_sub(ROWS_LEFT));
        let mut out = String::new();
        let before = match self.open {
            Some((former_rows, former_columns, ours)) if (former_rows, former_columns) == (rows, columns) => {
                ours
            }
            Some(_) => {
                // The terminal has moved the rows about: give them up, and begin again below.
                out += &[SAVE, WHOLE_SCREEN, RESTORE, "\x1b[J"].concat();
                0
            }
            None => 0,
        };
        let ours = before.max(wanted);
        if before < ours {
            out += &take_rows(before, ours, rows);
        }
        self.open = Some((rows, columns, ours));
        out += &paint(lines, ours, rows, columns);
        self.term.write_str(&out)
    }

    /// Gives the rows back.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        let Some((rows, columns, ours)) = self.open.take() else { return Ok(()) };
        let cleared = paint(&[], ours, rows, columns);
        self.term.write_str(&[&cleared, SAVE, WHOLE_SCREEN, RESTORE].concat())
    }
}

/// Lifts what stands in the rows that are to be ours, and the cursor with it.
fn take_rows(before: u16, ours: u16, rows: u16) -> String {
    let more = ours - before;
    let last_scrolling = rows - before;
    let lift = DOWN.repeat(usize::from(more));
    let region = rows - ours;
    // The cursor's row is not known. Going down as far as the rows wanted scrolls by what is missing.
    format!("{SAVE}\x1b[1;{last_scrolling}r{RESTORE}{lift}\x1b[{more}A{SAVE}\x1b[1;{region}r{RESTORE}")
}

fn paint(lines: &[String], ours: u16, rows: u16, columns: u16) -> String {
    let mut out = SAVE.to_owned();
    for row in 0..ours {
        let line = lines.get(usize::from(row)).map_or("", String::as_str);
        let line = truncate_str(line, usize::from(columns), "…");
        let _ = write!(out, "\x1b[{};1H{CLEAR_ROW}{line}", rows - ours + row + 1);
    }
    out + RESTORE
}

/// `deadline in 21s · likely done in 6s · Ctrl+C forces` under a rule.
pub(crate) fn heading(pending: u64, deadline: Option<Duration>, likely: Option<String>) -> String {
    let mut parts = vec![format!("waiting for {}", text::tasks(pending))];
    parts.extend(deadline.map(|left| format!("deadline in {}", text::whole_seconds(left))));
    parts.extend(likely);
    parts.push("Ctrl+C forces".to_owned());
    format!("── {} ──", parts.join(" · "))
}

/// A task's line, its progress as a bar.
pub(crate) fn task(task: &TaskInfo) -> String {
    let line = text::task(task);
    let bar = task.progress.and_then(text::percent).map(|percent| {
        let full = usize::try_from(percent).unwrap_or(100) * BAR / 100;
        format!("{}{}", "▓".repeat(full), "░".repeat(BAR - full))
    });
    match bar {
        Some(bar) => format!("  {bar} {line}"),
        None => format!("  {} {line}", "·".repeat(BAR)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::testing::example;

    #[test]
    fn a_heading_leaves_out_what_is_not_known() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            heading(2, seconds(21), Some("likely done in 6s".to_owned())),
            "── waiting for 2 tasks · deadline in 21s · likely done in 6s · Ctrl+C forces ──"
        );
        assert_eq!(heading(1, None, None), "── waiting for 1 task · Ctrl+C forces ──");
    }

    #[test]
    fn progress_is_a_bar() {
        assert!(task(&example()).starts_with("  ▓▓▓░░░░░░░ send-email #17 running"));
        let silent = changed!(example(), progress: None);
        assert!(task(&silent).starts_with("  ·········· send-email"));
    }
}
