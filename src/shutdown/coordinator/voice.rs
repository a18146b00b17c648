//! What the coordinator says in the log, and what it has said already.

use std::sync::Arc;
use std::time::Duration;

use super::hooks::Missed;
use super::ledger::Account;
use crate::attention::{self, Seen as SeenGroup, Severity, Yardsticks};
use crate::forecast::words::{judged, row as row_text};
use crate::name::{escape, place};
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::wait::Ended;
use crate::settings::Settings;
use crate::shutdown::census::{Listing, NAMED, Seen, counted};
use crate::shutdown::control::Cause;
use crate::shutdown::machine::{Forcer, Moment};
use crate::shutdown::report::Report;
use crate::shutdown::signal::Signal;
use crate::shutdown::words::{
    self, BackOff, Cut, Data, Hints, LastLine, Line, Logger, Sums, Waiting, closing, heading, screen_task,
    text,
};
use crate::snapshot::TaskInfo;
use crate::stacks::{self, StackDump};
use headcount_core::internal::snapshot::read::Describer;

/// Lines at WARN that name tasks which were cut, in all of a drain; the others have a line for each name.
const MAX_CUT: usize = 100;

/// Oldest tasks that are named among a crowd, and all lines that name some of it.
const OLDEST_OF_CROWD: usize = 5;
const MAX_OF_CROWD: usize = 20;

/// Lines about what deserves attention, at the head of a drain.
const ATTENTION: usize = 5;

/// For what follows the end, when everything else is over.
pub(super) const LAST_LINES: Duration = Duration::from_millis(100);
/// For lines of the log then, without progress: the thread that writes them waits for a processor on a busy
/// machine.
const LAST_LINES_QUIET: Duration = Duration::from_millis(400);
/// And with progress.
const LAST_LINES_AT_MOST: Duration = Duration::from_secs(1);

pub(super) struct Voice {
    log: Logger,
    back_off: BackOff,
    /// What the next signal does.
    how_to_force: &'static str,
    /// Lines left that may name tasks which were cut.
    cuts_left: usize,
    hints: Hints,
    last: Vec<LastLine>,
}

impl Voice {
    pub(super) fn new(log: Logger, log_interval: Duration, drain_timeout: Option<Duration>) -> Self {
        Self {
            log,
            back_off: BackOff::new(log_interval),
            how_to_force: "(CTRL+C to force quit)",
            cuts_left: MAX_CUT,
            hints: Hints::new(drain_timeout),
            last: Vec::new(),
        }
    }

    pub(super) fn log(&self) -> &Logger {
        &self.log
    }

    pub(super) fn warn(&self, text: impl Into<String>) {
        self.log.line(Line::warn(text));
    }

    pub(super) fn started(&mut self, cause: &Cause) {
        self.log.ask_again();
        if matches!(cause, Cause::Signal(Signal::Terminate | Signal::HangUp) | Cause::Api) {
            self.how_to_force = "(a second signal forces)";
        }
        let reason = cause.to_string();
        let data = Data { reason: Some(reason.clone()), ..Data::default() };
        self.log.line(Line::info(format!("Shutting down ({})", escape(&reason))).with(data).loud());
    }

    pub(super) fn announcing(&self, delay: Duration) {
        let data = Data { duration_seconds: Some(delay.as_secs_f64()), ..Data::default() };
        let delay = text::setting(Some(delay));
        let text = format!("Announcing for {delay}: readiness is off, the service goes on");
        self.log.line(Line::info(text).with(data));
    }

    pub(super) fn came_after(&self, signal: Signal) {
        let effect = if signal == Signal::HangUp { "SIGINT or SIGTERM forces" } else { "SIGINT forces" };
        let data = Data { reason: Some(signal.to_string()), ..Data::default() };
        let text = format!("{signal} came after the shutdown had begun: nothing changes, {effect}");
        self.log.line(Line::info(text).with(data));
    }

    pub(super) fn forced_again(&self, by: Forcer) {
        self.log.line(Line::warn(format!("Forced again by {}", by.as_str())).with(forced(by)));
    }

    pub(super) fn forced_when_done(&self, by: Forcer, within: Duration) {
        let data = Data { deadline_seconds: Some(within.as_secs_f64()), ..forced(by) };
        let within = text::length(within);
        let text = format!("Forced by {}: the process ends within {within}", by.as_str());
        self.log.line(Line::warn(text).with(data));
    }

    pub(super) fn extended(&self, by: Duration, left: Option<Duration>) {
        let shown = left.map_or_else(|| "no limit".to_owned(), text::whole_seconds);
        let data = Data { deadline_seconds: left.map(|left| left.as_secs_f64()), ..Data::default() };
        let by = text::setting(Some(by));
        self.log.line(Line::info(format!("Deadline moved by {by}: {shown} left")).with(data));
    }

    pub(super) fn not_waiting_for(&self, detached: &[Seen]) {
        if !detached.is_empty() {
            let (count, names) = (text::tasks(detached.len() as u64), counted(detached));
            let data = Data { count: Some(detached.len() as u64), ..Data::default() };
            let line = Line::info(format!("Not waiting for {count} detached: {}", text::by_name(&names)));
            self.log.line(line.with(data));
        }
    }

    pub(super) fn cancelling(&self, tasks: &[Seen]) {
        if !tasks.is_empty() {
            let (count, names) = (text::tasks(tasks.len() as u64), counted(tasks));
            let data = Data { cancelled: Some(tasks.len() as u64), ..Data::default() };
            self.log.line(Line::info(format!("Cancelling {count}: {}", text::by_name(&names))).with(data));
        }
    }

    pub(super) fn closing(&self, connections: &[Seen]) {
        if !connections.is_empty() {
            let (count, names) = (connections.len() as u64, text::by_name(&counted(connections)));
            let data = Data { count: Some(count), ..Data::default() };
            let count = text::connections(count);
            self.log.line(Line::info(format!("Closing {count}: {names}")).with(data));
        }
    }

    /// Writes where each task waits, once all have been asked. The coordinator does not wait for that.
    pub(super) fn dump_stacks(&self) {
        let log = self.log.clone();
        let write = move |dump: &StackDump| {
            for line in text::stacks(dump) {
                log.line(Line::info(line).loud());
            }
        };
        if let Err(why) = stacks::dump_soon(write) {
            self.warn(format!("SIGQUIT came, and {why}"));
        }
    }

    /// How long until [`waiting`](Self::waiting) is due again.
    pub(super) fn pause(&mut self) -> Duration {
        self.back_off.next()
    }

    /// Says what is waited for, and gives the tasks that lines named. `is_held_up`: the application does not
    /// await the report yet.
    pub(super) fn waiting(
        &self,
        listing: &Listing,
        deadline: Option<Duration>,
        is_held_up: bool,
    ) -> Vec<(Current, TaskInfo)> {
        if self.log.is_behind() {
            return Vec::new();
        }
        let tasks = listing.total - listing.requests;
        let estimate = listing.estimate();
        let waiting = |what: &str, pending| {
            let what = format!("{what} {}", self.how_to_force);
            self.log.waiting(Waiting { what, pending, deadline, estimate });
        };
        if 0 < listing.requests {
            waiting("Waiting for connections to close.", listing.requests);
        }
        if 0 < tasks {
            waiting("Waiting for background tasks to complete.", tasks);
        } else if listing.requests == 0 && is_held_up {
            let what = "Waiting for the application, which does not await drain() yet: an open connection may hold its \
                        server.";
            waiting(what, 0);
        }
        if self.log.has_screen() {
            return listing.named.clone();
        }
        // What the estimate does not say.
        if 0 < listing.forecast.cut || (0 < listing.forecast.unknown && estimate.is_some()) {
            self.log.line(Line::info(format!("  {}", listing.forecast.sentence())).loud());
        }
        if listing.total <= NAMED as u64 { self.few(listing) } else { self.crowd(listing) }
    }

    /// Logs what needs attention first, at the head of the drain: tasks that do not yield, and groups that
    /// keep failing.
    pub(super) fn attention(&self, settings: &Settings) {
        let yardsticks = Yardsticks { slow_poll: settings.slow_poll, blocked_after: settings.blocked_after };
        let snapshot = crate::snapshot();
        let mut items = attention::attention(&snapshot, |group| SeenGroup {
            group,
            added: None,
            steps: None,
            yardsticks,
        });
        items.retain(|item| item.severity == Severity::Critical);
        items.truncate(ATTENTION);
        for line in attention::lines(&items, snapshot.taken_at) {
            self.log.line(Line::warn(format!("Look at this first: {line}")));
        }
    }

    /// How the forecast of the start did.
    pub(super) fn judged(&self, forecast: f64, took: Duration) {
        let text = format!("The drain: {}", judged(forecast, took.as_secs_f64()));
        let data = Data {
            estimate_seconds: Some(forecast),
            duration_seconds: Some(took.as_secs_f64()),
            ..Data::default()
        };
        self.log.line(Line::info(text).with(data));
    }

    /// Names all of few tasks.
    fn few(&self, listing: &Listing) -> Vec<(Current, TaskInfo)> {
        self.tasks(&listing.named, listing);
        listing.named.clone()
    }

    /// Counts a crowd by name, then names its oldest and what is odd about it.
    fn crowd(&self, listing: &Listing) -> Vec<(Current, TaskInfo)> {
        let data = Data { count: Some(listing.total), ..Data::default() };
        self.log.line(Line::info(format!("  {}", text::by_name(&listing.by_name))).with(data).loud());
        let mut named: Vec<_> = listing.named.iter().take(OLDEST_OF_CROWD).cloned().collect();
        for odd in &listing.odd {
            if named.len() < MAX_OF_CROWD && !named.iter().any(|(current, _)| current.id == odd.0.id) {
                named.push(odd.clone());
            }
        }
        self.tasks(&named, listing);
        named
    }

    /// One line a task, but one for those that do the same.
    fn tasks(&self, tasks: &[(Current, TaskInfo)], listing: &Listing) {
        let infos: Vec<_> = tasks.iter().map(|(_, task)| task).collect();
        for (text, tasks) in text::collapsed(&infos, |task| stacks::last_words(task.id.get())) {
            let mut data = Data::task(tasks[0]);
            if 1 < tasks.len() {
                (data.id, data.count) = (None, Some(tasks.len() as u64));
            }
            let row = listing.row(tasks[0].id.get()).filter(|_| tasks.len() == 1);
            let row = row.map(row_text).unwrap_or_default();
            self.log.line(Line::info(format!("  {text}{row}")).with(data).loud());
        }
    }

    /// Draws the task lines at the bottom of the terminal.
    pub(super) fn draw(&self, listing: &Listing, deadline: Option<Duration>) {
        let done = listing.forecast.done;
        let likely = listing.estimate().map(|left| match text::whole_seconds(left) {
            left if done < listing.total => format!("{done} likely done in {left}"),
            left => format!("likely done in {left}"),
        });
        let mut lines = vec![heading(listing.total, deadline, likely)];
        lines.extend(listing.named.iter().map(|(_, task)| screen_task(task)));
        lines.extend(text::rest(&listing.rest).map(|rest| format!("  {rest}")));
        self.log.draw(lines);
    }

    pub(super) fn ended(&self, name: &Arc<str>, ended: &Ended, after: Duration, remaining: u64) {
        let id = ended.task.id();
        let data = Data { remaining: Some(remaining), ..Data::ended(name, id, ended.outcome, after) };
        let line = Line::info(format!("  {}", text::ended(name, id, ended.outcome, after, remaining)));
        self.log.line(line.with(data));
    }

    /// Aborting begins.
    pub(super) fn aborting(
        &self,
        forced_by: Option<Forcer>,
        budget: Option<Duration>,
        abandoned: u64,
        last: u64,
    ) {
        let forced_by = forced_by.map(Forcer::as_str);
        let reason = forced_by.map(str::to_owned);
        let data = Data { abandoned: Some(abandoned), reason, ..Data::default() };
        let text = words::aborting(forced_by, budget, abandoned, last);
        self.log.line(Line::warn(text).with(data));
    }

    pub(super) fn giving_last_tasks(&self, tasks: &[Seen], at_most: Duration) {
        if !tasks.is_empty() {
            let come = if tasks.len() == 1 { "that comes" } else { "that come" };
            let (count, names) = (text::tasks(tasks.len() as u64), text::by_name(&counted(tasks)));
            let data = Data {
                count: Some(tasks.len() as u64),
                deadline_seconds: Some(at_most.as_secs_f64()),
                ..Data::default()
            };
            let at_most = text::length(at_most);
            let line = Line::info(format!("Giving {count} {come} last {at_most} at most: {names}"));
            self.log.line(line.with(data));
        }
    }

    pub(super) fn graces_over(&self, abandoned: u64) {
        let data = Data { abandoned: Some(abandoned), ..Data::default() };
        self.log.line(Line::warn(format!("Grace over: aborting {}", text::tasks(abandoned))).with(data));
    }

    pub(super) fn hook_missed(&self, missed: Missed) {
        let Missed { tasks, of, within } = missed;
        if tasks == 0 {
            return;
        }
        let data = Data {
            count: Some(tasks as u64),
            duration_seconds: Some(within.as_secs_f64()),
            ..Data::default()
        };
        let within = text::setting(Some(within));
        let text =
            format!("on_abandon did not return within {within}: {tasks} of {of} tasks not handed over");
        self.log.line(Line::warn(text).with(data));
    }

    /// Names tasks that were cut, oldest first, as long as there are lines left for that; then counts them.
    pub(super) fn cut(&mut self, tasks: &[Seen], cut: Cut) {
        let (named, rest) = tasks.split_at(tasks.len().min(self.cuts_left));
        self.cuts_left -= named.len();
        let mut describer = Describer::new();
        for (_, task) in named {
            let info = describer.live(task);
            let ends = &registry().group(task.group()).totals().ended;
            let finished = ends.iter().any(|ended| ended.total() != 0);
            let hint = self.hints.of(&info, cut, finished);
            let text = text::abandoned(&info, hint.as_deref());
            let data = Data { outcome: Some("abandoned"), hint, ..Data::task(&info) };
            self.log.line(Line::warn(format!("  {text}")).with(data));
        }
        for (name, count) in counted(rest) {
            let data = Data {
                task: Some(name.as_str().into()),
                outcome: Some("abandoned"),
                count: Some(count),
                ..Data::default()
            };
            self.log.line(Line::warn(format!("  {} ×{count} abandoned", escape(&name))).with(data));
        }
    }

    /// Names tasks that are there although they were aborted.
    pub(super) fn still_there(&self, tasks: &[(Seen, Moment)], now: Moment) {
        let (named, rest) = tasks.split_at(tasks.len().min(NAMED));
        let mut describer = Describer::new();
        for ((_, task), aborted) in named {
            let info = describer.live(task);
            let text = text::still_there(&info, now.saturating_sub(*aborted));
            self.log.line(Line::warn(format!("  {text}")).with(Data::task(&info)));
        }
        let rest: Vec<Seen> = rest.iter().map(|(seen, _)| *seen).collect();
        if let Some(rest) = text::rest(&counted(&rest)) {
            self.warn(format!("  {rest}"));
        }
    }

    /// Spawns that came too late, by group.
    pub(super) fn refused(&self, refusals: &[(u32, u64)]) {
        for (group, count) in refusals.iter().take(NAMED) {
            let group = registry().group(*group);
            let (name, place) = (escape(&group.name), place(&group.location));
            let times = if *count == 1 { String::new() } else { format!(" ×{count}") };
            let data = Data {
                task: Some(Arc::clone(&group.name)),
                kind: Some(group.kind.as_str()),
                location: Some(Arc::clone(&group.location)),
                count: Some(*count),
                ..Data::default()
            };
            let text = format!("Spawn of {name}{times} refused, since the process stops ({place})");
            self.log.line(Line::warn(text).with(data));
        }
        let rest: u64 = refusals.iter().skip(NAMED).map(|(_, count)| count).sum();
        if 0 < rest {
            let data = Data { count: Some(rest), ..Data::default() };
            self.log.line(Line::warn(format!("{rest} more spawns were refused")).with(data));
        }
    }

    pub(super) fn untracked(&self, untracked: u64) {
        if 0 < untracked {
            let tasks = if untracked == 1 { "1 task is" } else { &format!("{untracked} tasks are") };
            let data = Data { untracked: Some(untracked), ..Data::default() };
            let text = format!("About {tasks} alive in the runtime that headcount does not track");
            self.log.line(Line::info(text).with(data));
        }
    }

    /// The last line of a drain that came to its end.
    pub(super) fn drained(&self, account: &Account, took: Duration, abandoned: &str, critical: Option<&str>) {
        let Account { ended, connections, abandoned: cut, .. } = account;
        let all = Sums { ended, connections: *connections, abandoned: *cut, names: abandoned, critical };
        let line = closing(all, took);
        self.log.line(line.with(sums(account)));
    }

    pub(super) fn lingering(&self, at_most: Option<Duration>) {
        let data = Data { deadline_seconds: at_most.map(|left| left.as_secs_f64()), ..Data::default() };
        let at_most = at_most.map(text::length).unwrap_or_default();
        let text = format!("Staying for a last scrape of the metrics, {at_most} at most");
        self.log.line(Line::info(text).with(data));
    }

    pub(super) fn lingered(&self, after: Duration, was_scraped: bool) {
        let data = Data { duration_seconds: Some(after.as_secs_f64()), ..Data::default() };
        let after = text::length(after);
        let text = if was_scraped {
            format!("The last scrape came after {after}")
        } else {
            format!("No scrape came within {after}")
        };
        self.log.line(Line::info(text).with(data));
    }

    /// The line of a shutdown that did not come to its end by itself.
    pub(super) fn cut_short(&mut self, report: &Report, account: &Account) {
        let data = Data { exit_code: Some(report.exit_code.into()), ..sums(account) };
        let line = self.log.last_line(Line::warn(report.to_string()).with(data));
        self.last.push(line);
    }

    /// The process is ended. `holders`: what still holds it.
    pub(super) fn exiting(&mut self, code: u8, after: Duration, holders: Option<&[Seen]>) {
        let data = Data { exit_code: Some(code.into()), ..Data::default() };
        let text = words::exiting(code, holders.map(|_| after));
        let Some(holders) = holders else {
            self.log.line(Line::info(text).with(data));
            return;
        };
        self.last.push(self.log.last_line(Line::warn(text).with(data)));
        let mut describer = Describer::new();
        for (_, task) in holders.iter().take(NAMED) {
            let info = describer.live(task);
            let line = Line::warn(format!("  {}", text::task(&info))).with(Data::task(&info));
            self.last.push(self.log.last_line(line));
        }
        let rest = text::rest(&counted(&holders[holders.len().min(NAMED)..]));
        let more = if holders.is_empty() {
            let holder = "an open connection that holds its server, or a thread";
            Some(format!("no task is left: the application has not returned from main ({holder}?)"))
        } else {
            rest
        };
        if let Some(more) = more {
            self.last.push(self.log.last_line(Line::warn(format!("  {more}"))));
        }
    }

    /// Resolves when all lines are written, or are not going to be: then the last ones go past the log.
    pub(super) async fn flush(&mut self) {
        if !self.log.flush(LAST_LINES_QUIET, LAST_LINES_AT_MOST).await {
            self.log.write_past(std::mem::take(&mut self.last), LAST_LINES).await;
        }
    }
}

/// What forces.
fn forced(by: Forcer) -> Data {
    Data { reason: Some(by.as_str().to_owned()), ..Data::default() }
}

fn sums(account: &Account) -> Data {
    let ended = &account.ended;
    Data {
        completed: Some(ended.ok),
        failed: Some(ended.error),
        panicked: Some(ended.panic),
        timed_out: Some(ended.timeout),
        rejected: Some(ended.rejected),
        cancelled: Some(ended.cancelled),
        abandoned: Some(account.abandoned),
        connections_closed: Some(account.connections),
        refused: Some(account.refused),
        ..Data::default()
    }
}
