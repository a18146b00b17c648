//! The termination log: what Kubernetes shows of the end of a container, as `kubectl describe pod` does.
//!
//! It is read by more people than the report, so it has names, counts and ages alone: no field, no status, no
//! text of a failure. The file is mounted into the container by itself, so it is written in place.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::report::{Report, ReportTask, ShutdownOutcome};
use super::report_file;
use super::words::text;
use crate::name::{cut, escape};
use crate::settings::Settings;

/// What Kubernetes keeps of it.
const MOST_BYTES: usize = 4_096;
/// Left for the line that counts what has no line of its own.
const LAST_LINE: usize = 64;

/// A log that cannot be written is mentioned once: at install, or at the end.
static IS_MENTIONED: AtomicBool = AtomicBool::new(false);

/// What is written, and where.
#[derive(Debug)]
pub(super) struct TerminationLog {
    path: PathBuf,
    /// Made if it is not there, because a setting names it.
    is_chosen: bool,
    text: String,
}

impl TerminationLog {
    /// `None` where the settings want none.
    pub(super) fn new(settings: &Settings, report: &Report) -> Option<Self> {
        let (path, is_chosen) = target(settings)?;
        Some(Self { path: path.to_owned(), is_chosen, text: text_of(report) })
    }

    /// Writes it if it is there or was chosen; gives what went wrong.
    pub(super) fn write(&self) -> Option<String> {
        let file = open(&self.path, self.is_chosen).transpose()?;
        let written = file.and_then(|mut file| file.write_all(self.text.as_bytes()));
        problem(&self.path, &written.err()?)
    }
}

/// Whether it can be written, as far as can be said before: what to warn of, once.
pub(super) fn check(settings: &Settings) -> Option<String> {
    let (path, is_chosen) = target(settings)?;
    let is_written = is_chosen || path.exists();
    problem(path, &is_written.then(|| report_file::check(path).err()).flatten()?)
}

fn target(settings: &Settings) -> Option<(&Path, bool)> {
    let path = settings.termination_log.as_deref()?;
    Some((path, settings.chosen.contains("termination_log")))
}

fn problem(path: &Path, problem: &io::Error) -> Option<String> {
    let is_first = !IS_MENTIONED.swap(true, Ordering::AcqRel);
    is_first.then(|| format!("`termination_log` {} cannot be written: {problem}", path.display()))
}

/// Opens the file itself, never one in its place; `None` if there is none and none was chosen.
fn open(path: &Path, is_chosen: bool) -> io::Result<Option<File>> {
    match OpenOptions::new().write(true).create(is_chosen).truncate(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound && !is_chosen => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn text_of(report: &Report) -> String {
    let end = match (report.result, report.forced_by) {
        (ShutdownOutcome::Drained, _) => "Drained in ".to_owned(),
        (ShutdownOutcome::Deadline, _) => "Stopped at the deadline, in ".to_owned(),
        (_, by) => format!("Forced by {}, in ", by.unwrap_or("API")),
    };
    let took = text::took(report.duration);
    let counts = text::counts(&report.ended, report.connections_closed, report.abandoned_total);
    let mut text = format!("{end}{took} ({counts}), exit code {}\n", report.exit_code);
    let abandoned = Group::of("abandoned", &report.abandoned);
    let detached = Group::of("detached", &report.detached);
    let unlisted = [(report.abandoned_total, &report.abandoned), (report.detached_total, &report.detached)];
    let mut more: u64 =
        unlisted.iter().map(|(total, listed)| total.saturating_sub(listed.len() as u64)).sum();
    for group in abandoned.iter().chain(&detached) {
        let line = group.line();
        if text.len() + line.len() + LAST_LINE <= MOST_BYTES {
            text += &line;
        } else {
            more += group.count;
        }
    }
    if 0 < more {
        text += &format!("and {more} more\n");
    }
    text
}

/// Tasks of one name that met the same end.
struct Group {
    name: String,
    end: &'static str,
    count: u64,
    oldest: Duration,
}

impl Group {
    /// The groups of these tasks, the one with the oldest first.
    fn of(end: &'static str, tasks: &[ReportTask]) -> Vec<Self> {
        let mut groups: BTreeMap<&str, Self> = BTreeMap::new();
        for task in tasks {
            let group = groups.entry(&task.name).or_insert_with(|| {
                let name = cut(escape(&task.name), crate::name::MAX_NAME).into_owned();
                Self { name, end, count: 0, oldest: Duration::ZERO }
            });
            group.count += 1;
            group.oldest = group.oldest.max(task.age);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.oldest));
        groups
    }

    /// `abandoned: send-email ×12, oldest 62s`.
    fn line(&self) -> String {
        let Self { name, end, count, oldest } = self;
        let oldest = text::took(*oldest);
        if *count == 1 {
            format!("{end}: {name}, age {oldest}\n")
        } else {
            format!("{end}: {name} ×{count}, oldest {oldest}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::testing::example;

    fn task(name: &str, seconds: u64) -> ReportTask {
        let task = changed!(example(), name: name.into(), age: Duration::from_secs(seconds));
        ReportTask::new(&task, true, "cut by the deadline", false)
    }

    fn report(abandoned: Vec<ReportTask>, more: u64) -> Report {
        Report {
            result: ShutdownOutcome::Deadline,
            exit_code: 124,
            duration: Duration::from_secs(25),
            abandoned_total: abandoned.len() as u64 + more,
            abandoned: abandoned.into(),
            ..Report::empty()
        }
    }

    #[test]
    fn it_has_names_counts_and_ages_alone() {
        let tasks = vec![task("index", 61), task("send-email", 3), task("send-email", 70), task("a\nb", 1)];
        assert_eq!(
            text_of(&report(tasks, 2)),
            "Stopped at the deadline, in 25s (0 completed, 6 abandoned), exit code 124\n\
             abandoned: send-email ×2, oldest 70s\n\
             abandoned: index, age 61s\n\
             abandoned: a\\nb, age 1.0s\n\
             and 2 more\n"
        );
        assert_eq!(text_of(&Report::empty()), "Drained in 0.0s (0 completed), exit code 0\n");
    }

    #[test]
    fn it_fits_and_counts_what_does_not() {
        let tasks: Vec<_> =
            (0..500).map(|number| task(&format!("{number}-{}", "ü".repeat(60)), number)).collect();
        let text = text_of(&report(tasks, 10));
        assert!(MOST_BYTES - 300 < text.len() && text.len() <= MOST_BYTES, "{}", text.len());
        let named = text.lines().filter(|line| line.starts_with("abandoned: ")).count();
        assert!(text.ends_with(&format!("\nand {} more\n", 510 - named)), "{text}");
    }
}
