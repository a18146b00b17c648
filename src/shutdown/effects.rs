//! What the coordinator does when the machine says so.

use std::collections::HashSet;
use std::io::Write;
use std::time::Duration;

use super::drain::{Coordinator, pending};
use super::listing;
use super::log::Waiting;
use super::policy::{Due, LAST_GRACE};
use super::report::{MAX_LISTED, Report, ReportTask, ShutdownResult};
use super::screen;
use super::signal::exit_now;
use super::stage::{Input, Stage, Verdict};
use super::tally::Tally;
use super::text;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::slot::{DETAILS, Reading};
use crate::registry::wait::Abort;
use crate::registry::wait::Admit;
use crate::settings::{Hide, LateSpawns};
use crate::snapshot::{Kind, OnShutdown, TaskInfo};
use headcount_core::internal::snapshot::read::Describer;

/// Where more live, they are told before they are counted and listed: telling a million takes longer than all of that.
const CROWD: u64 = 200_000;

/// For lines, report file and clients, when everything else is over.
const LAST_LINES: Duration = Duration::from_millis(100);

/// For the report file.
const LAST_FILE: Duration = Duration::from_millis(500);

/// For exit handlers, before the process ends without them.
const EXIT_HANDLERS: Duration = Duration::from_millis(500);

/// A task as it was seen, and where.
type Seen = (Current, Reading);

impl Coordinator {
    pub(super) fn enter(&mut self, stage: Stage) {
        self.control.set_stage(stage);
        match stage {
            Stage::Announcing if !self.process.settings.announce_delay.is_zero() => {
                let delay = text::setting(Some(self.process.settings.announce_delay));
                self.log.info(format!("Announcing for {delay}: readiness is off, the service goes on"));
            }
            Stage::Aborting => self.begin_aborting(),
            Stage::Lingering => {
                self.settle(true);
                self.begin_lingering();
            }
            Stage::Done => self.end_lingering(),
            Stage::Running | Stage::Announcing | Stage::Draining => {}
        }
        self.look_again();
        self.audience.iter().for_each(|part| part.stage_changed(stage));
    }

    /// Draining begins.
    pub(super) fn tell_tasks(&mut self) {
        self.tally = Tally::begin();
        registry().admission.set(match self.process.settings.late_spawns {
            LateSpawns::Adopt => Admit::Adopt,
            LateSpawns::Refuse => Admit::Refuse,
        });
        if CROWD < self.tally.live() {
            self.control.draining.open();
        }
        registry().begin_counting();
        self.adopt();
        let detached =
            listing::all(|task| task.policy() == OnShutdown::Detach && !self.control.is_exempt(task.id()));
        if !detached.is_empty() {
            let (count, names) = (text::tasks(detached.len() as u64), listing::counted(&detached));
            self.log.info(format!("Not waiting for {count} detached: {}", text::by_name(&names)));
        }
        self.write_lines();
        self.control.draining.open();
    }

    /// Applies policies and graces to tasks that have not been seen before.
    pub(super) fn adopt(&mut self) {
        if self.machine.stage() != Stage::Draining {
            return;
        }
        let last_told = self.machine.last_told();
        let concerned = |task: &Reading| match task.policy() {
            OnShutdown::Cancel => true,
            OnShutdown::Wait => task.has(DETAILS),
            OnShutdown::Last => last_told,
            _ => false,
        };
        for (current, task) in listing::all(concerned) {
            if task.policy() == OnShutdown::Cancel {
                self.cancel(current, &task);
                continue;
            }
            let own = registry().details.read(task.id(), |details| details.grace).flatten();
            let grace = own.or((task.policy() == OnShutdown::Last).then_some(LAST_GRACE));
            let Some(grace) = grace else { continue };
            if self.timed.insert(current.id) {
                self.timers.add(self.now().saturating_add(grace), Due::Grace, current);
            }
        }
    }

    /// Aborts a `Cancel` task. It is waited for until it is dropped, which should be at once; what cannot be aborted is not.
    fn cancel(&mut self, current: Current, task: &Reading) {
        registry().set_policy(current, OnShutdown::Wait);
        match current.abort() {
            Some(Abort::Told) => {
                self.timed.insert(task.id());
                self.timers.add(
                    self.now().saturating_add(self.process.settings.abort_grace),
                    Due::Gone,
                    current,
                );
            }
            Some(Abort::NotCancellable) => registry().set_policy(current, OnShutdown::Detach),
            None => {}
        }
    }

    /// It is the turn of the `Last` tasks.
    pub(super) fn tell_last(&mut self) {
        self.control.last_turn.open();
        self.adopt();
    }

    /// Graces and aborts that are due.
    pub(super) fn due(&mut self, due: Vec<(Due, Current)>) {
        let mut over = Vec::new();
        for (due, current) in due {
            let Some(task) = current.slot.read().filter(|task| task.id() == current.id) else { continue };
            match (due, task.policy()) {
                // It awaits the report. Once it no longer does, its time begins anew.
                (Due::Grace, OnShutdown::Detach) => drop(self.timed.remove(&current.id)),
                (Due::Grace, OnShutdown::Last) => self.end_last(current, task),
                (Due::Grace, _) => over.push((current, task)),
                (Due::Gone, _) => self.give_up_waiting(current, task),
            }
        }
        if !over.is_empty() {
            self.end_graces(over);
        }
    }

    /// The grace of a `Last` task is over.
    fn end_last(&mut self, current: Current, task: Reading) {
        match current.abort() {
            Some(Abort::Told) => {
                let gone = self.now().saturating_add(self.process.settings.abort_grace);
                self.timers.add(gone, Due::Gone, current);
            }
            Some(Abort::NotCancellable) => self.give_up_waiting(current, task),
            None => {}
        }
    }

    /// The graces of these tasks are over: they are abandoned.
    fn end_graces(&mut self, over: Vec<Seen>) {
        let given_up = self.give_up(over);
        if given_up.is_empty() {
            return;
        }
        self.log.warn(format!("Grace over: aborting {}", text::tasks(given_up.len() as u64)));
        self.name_abandoned(&given_up);
        let tasks: Vec<Current> = given_up.into_iter().map(|(current, _)| current).collect();
        let at_most = self.process.settings.hook_timeout;
        match self.hooks.run(tasks.clone(), at_most) {
            Some(mut run) => drop(self.batches.spawn(async move {
                let _ = tokio::time::timeout(at_most, run.returned()).await;
                tasks
            })),
            None => self.abort_after_grace(&tasks),
        }
    }

    pub(super) fn abort_after_grace(&mut self, tasks: &[Current]) {
        let gone = self.now().saturating_add(self.process.settings.abort_grace);
        let drains = self.machine.stage() == Stage::Draining;
        // All are flagged before the first is aborted: the drop of one may end others.
        for current in tasks {
            current.abandon();
        }
        for current in tasks {
            match current.abort() {
                Some(Abort::Told) if drains => self.timers.add(gone, Due::Gone, *current),
                Some(Abort::NotCancellable) => registry().set_policy(*current, OnShutdown::Detach),
                Some(Abort::Told) | None => {}
            }
        }
    }

    /// A task that was aborted is still there, or cannot be: it is waited for no more.
    fn give_up_waiting(&mut self, current: Current, task: Reading) {
        let named = self.abandoned.contains(current.id);
        let given_up = self.give_up(vec![(current, task)]);
        if !named {
            self.name_abandoned(&given_up);
        }
        self.name_still_there(&[(current, task)]);
        current.abandon();
        current.abort();
        registry().set_policy(current, OnShutdown::Detach);
    }

    /// Enters tasks as abandoned; gives those that were not before, oldest first.
    fn give_up(&mut self, mut tasks: Vec<Seen>) -> Vec<Seen> {
        tasks.sort_by_key(|(_, task)| (task.started, task.id()));
        tasks.retain(|(current, task)| self.abandoned.add(*current, task));
        let mut describer = Describer::new();
        for (_, task) in &tasks {
            if !self.abandoned.has_room() {
                break;
            }
            self.abandoned.describe(describer.live(task));
        }
        tasks
    }

    /// Aborting begins: everything that is left is abandoned.
    fn begin_aborting(&mut self) {
        registry().admission.set(Admit::Refuse);
        self.log.close_screen();
        self.next_lines = None;
        self.timers.clear();
        let left = self.give_up(listing::all(listing::is_waited_for));
        let tasks = text::tasks(left.len() as u64);
        if let Some(by) = self.forced_by {
            self.log.warn(format!("Forced by {by}: aborting {tasks}"));
        } else {
            self.exit_code = DEADLINE;
            let budget = self.machine.deadline().map(|at| at.saturating_sub(self.machine.began()));
            let budget = text::setting(budget.map(to_millis));
            self.log.warn(format!("Deadline of {budget} reached: aborting {tasks}"));
        }
        self.name_abandoned(&left);
        self.refresh();
    }

    pub(super) fn run_hook(&mut self) {
        let tasks = self.abandoned.alive().collect();
        self.hook = self.hooks.run(tasks, self.process.settings.hook_timeout);
        if self.hook.is_none() {
            self.inputs.push_back(Input::HookReturned);
        }
    }

    /// Aborts everything that is left, and cuts what cannot be aborted but cut.
    pub(super) fn abort_all(&mut self) {
        if let Some(run) = self.hook.take() {
            let (missed, all) = run.missed();
            let limit = text::setting(Some(self.process.settings.hook_timeout));
            self.log.warn(format!(
                "on_abandon did not return within {limit}: {missed} of {all} tasks not handed over"
            ));
        }
        // Spawned while the others were handed to the hook.
        let newcomers = self.give_up(listing::all(listing::is_waited_for));
        self.name_abandoned(&newcomers);
        // All are flagged before any ends: the cut ends requests, and the drop of one task may end others.
        self.abandoned.alive().for_each(Current::abandon);
        self.control.cut.open();
        for current in self.abandoned.alive() {
            current.abort();
        }
    }

    /// The waiting: what is left at its end is counted, and said.
    fn settle(&mut self, drained_line: bool) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        self.log.close_screen();
        self.next_lines = None;
        // Who ends from now on is no part of it: a task that awaited the report.
        self.listed.clear();
        let alive: Vec<Seen> =
            self.abandoned.alive().filter_map(|current| Some((current, current.slot.read()?))).collect();
        if !alive.is_empty() && Stage::Aborting <= self.machine.stage() {
            self.name_still_there(&alive);
        }
        self.refresh();
        if drained_line && self.forced_by.is_none() && !self.is_past_deadline() {
            let took = text::took(self.now().saturating_sub(self.machine.began()));
            let counts = text::counts(&self.tally.ended(), self.abandoned.total());
            self.log.info(format!("All background tasks completed in {took} ({counts})"));
        }
    }

    fn is_past_deadline(&self) -> bool {
        self.exit_code == DEADLINE
    }

    fn begin_lingering(&mut self) {
        let now = self.now();
        self.lingered_from = Some(now);
        let at_most = self.machine.lingers_until().map(|at| text::length(at.saturating_sub(now)));
        let at_most = at_most.unwrap_or_default();
        self.log.info(format!("Staying for a last scrape of the metrics, {at_most} at most"));
    }

    fn end_lingering(&mut self) {
        let Some(from) = self.lingered_from else { return };
        let after = text::length(self.now().saturating_sub(from));
        if self.machine.last_scrape_seen(from) {
            self.log.info(format!("The last scrape came after {after}"));
        } else {
            self.log.info(format!("No scrape came within {after}"));
        }
    }

    /// Makes the report and gives it to everybody, in bounded time.
    pub(super) async fn conclude(&mut self, verdict: Verdict) {
        let (result, code) = match verdict {
            Verdict::Drained => (ShutdownResult::Drained, 0),
            Verdict::Deadline => (ShutdownResult::Deadline, DEADLINE),
            Verdict::Forced => (ShutdownResult::Forced, self.exit_code),
        };
        self.exit_code = code;
        self.settle(verdict == Verdict::Drained);
        let report = self.report(result);
        if verdict != Verdict::Drained {
            self.log.warn(report.to_string());
        }
        if verdict == Verdict::Forced {
            self.log.last_word(report.to_string());
        }
        self.change_status(|status| status.report = Some(report.clone()));
        self.process.set_drained();
        // Flushed after the file, whose failure is a line as well.
        let lines = async {
            self.write_file(&report).await;
            self.log.flush(LAST_LINES).await;
        };
        let farewells: Vec<_> = self.audience.iter().map(|part| part.farewell(report.clone())).collect();
        // A task of its own: whatever goes wrong in there, the report is given.
        let clients = tokio::spawn(async move {
            for farewell in farewells {
                farewell.await;
            }
        });
        let clients = tokio::time::timeout(LAST_LINES, clients);
        let _ = tokio::join!(clients, lines);
        self.control.publish(report);
    }

    fn report(&self, result: ShutdownResult) -> Report {
        let hide_fields = self.process.settings.hide.contains(&Hide::Fields);
        let status = self.control.status.lock().clone();
        let (reason, started_at, started) = match status {
            Some(status) => (status.reason, status.started_at, status.started),
            None => ("".into(), std::time::SystemTime::now(), std::time::Instant::now()),
        };
        let (detached_total, detached) = self.detached(hide_fields);
        let identity = &self.process.identity;
        Report {
            service: identity.service.as_str().into(),
            instance: identity.instance.as_str().into(),
            pid: identity.pid,
            reason,
            result,
            forced_by: self.forced_by,
            exit_code: self.exit_code,
            started_at,
            duration: started.elapsed(),
            ended: self.tally.ended(),
            late_spawns: registry().admission.late(),
            abandoned_total: self.abandoned.total(),
            abandoned: self.abandoned.listed(hide_fields).into(),
            detached_total,
            detached: detached.into(),
        }
    }

    /// Tasks that nobody waited for and that live on.
    fn detached(&self, hide_fields: bool) -> (u64, Vec<ReportTask>) {
        let mut tasks = listing::all(|task| {
            task.policy() == OnShutdown::Detach
                && !self.control.is_exempt(task.id())
                && !self.abandoned.contains(task.id())
        });
        tasks.sort_by_key(|(_, task)| (task.started, task.id()));
        let total = tasks.len() as u64;
        let mut describer = Describer::new();
        tasks.truncate(MAX_LISTED);
        let tasks = tasks.iter().map(|(_, task)| ReportTask::new(&describer.live(task), false, hide_fields));
        (total, tasks.collect())
    }

    /// Writes the report file on a thread of its own: a file system may hang.
    async fn write_file(&self, report: &Report) {
        let Some(path) = self.process.settings.report_file.clone() else { return };
        let Ok(json) = serde_json::to_vec_pretty(report) else { return };
        let (done, written) = tokio::sync::oneshot::channel();
        let shown = path.display().to_string();
        let write = move || drop(done.send(write_private(&path, &json)));
        let started = std::thread::Builder::new().name("headcount-report".to_owned()).spawn(write);
        let problem = match (started, tokio::time::timeout(LAST_FILE, written).await) {
            (Err(problem), _) | (_, Ok(Ok(Err(problem)))) => problem.to_string(),
            (_, Err(_)) => format!("not written within {}", text::length(LAST_FILE)),
            _ => return,
        };
        self.log.warn(format!("The report could not be written to {shown}: {problem}"));
    }

    /// Ends the process, after a line that says why.
    pub(super) async fn end_process(&mut self) -> ! {
        let code = self.exit_code;
        if self.control.was_asked() {
            self.name_holders(code);
        } else {
            self.log
                .info(format!("Exiting with code {code}: nothing in the application waits for the shutdown"));
        }
        self.log.flush(LAST_LINES).await;
        // Exit handlers may hang on what a stuck thread holds.
        let orderly = std::thread::Builder::new().spawn(move || std::process::exit(i32::from(code)));
        if orderly.is_ok() {
            std::thread::sleep(EXIT_HANDLERS);
        }
        exit_now(code)
    }

    /// Who still holds the process when its time is over.
    fn name_holders(&self, code: u8) {
        let after = text::length(self.now().saturating_sub(self.machine.began()));
        self.log.warn(format!(
            "Exiting with code {code}: {after} after its shutdown began the process is still there"
        ));
        let holders = listing::all(|_| true);
        let mut describer = Describer::new();
        for (_, task) in holders.iter().take(listing::NAMED) {
            self.log.warn(format!("  {}", text::task(&describer.live(task))));
        }
        if holders.is_empty() {
            let holder = "an open connection that holds its server, or a thread";
            self.log
                .warn(format!("  no task is left: the application has not returned from main ({holder}?)"));
        } else if let Some(rest) =
            text::rest(&listing::counted(&holders[holders.len().min(listing::NAMED)..]))
        {
            self.log.warn(format!("  {rest}"));
        }
    }

    /// Names the tasks that are given up, 20 of them, the rest by count.
    fn name_abandoned(&mut self, tasks: &[Seen]) {
        let (named, rest) = tasks.split_at(tasks.len().min(listing::NAMED));
        let mut describer = Describer::new();
        let mut hinted = HashSet::new();
        for (_, task) in named {
            let info = describer.live(task);
            let ends = &registry().group(task.group()).totals().ended;
            // One that knows how far it is comes to an end, the hint is of no use to a closure, and one a group is enough.
            let endless = matches!(info.kind, Kind::Task | Kind::Local)
                && ends.iter().all(|ended| ended.total() == 0)
                && info.progress.and_then(text::percent).is_none()
                && hinted.insert(task.group());
            self.log.warn(format!("  {}", text::abandoned(&info, endless)));
        }
        if let Some(rest) = text::rest(&listing::counted(rest)) {
            self.log.warn(format!("  {rest}"));
        }
    }

    /// Names tasks that are there although they were aborted.
    fn name_still_there(&self, tasks: &[Seen]) {
        let grace = self.process.settings.abort_grace;
        let (named, rest) = tasks.split_at(tasks.len().min(listing::NAMED));
        let mut describer = Describer::new();
        for (_, task) in named {
            self.log.warn(format!("  {}", text::still_there(&describer.live(task), grace)));
        }
        if let Some(rest) = text::rest(&listing::counted(rest)) {
            self.log.warn(format!("  {rest}"));
        }
    }

    /// Reads the figures for page, metrics and terminal anew.
    pub(super) fn refresh(&mut self) {
        self.show(listing::waited_for());
    }

    fn show(&mut self, listing: listing::Listing) {
        let (ended, gone) = (self.tally.ended().total(), self.abandoned.gone());
        let abandoned = self.abandoned.by_group(self.settled);
        // After the above: who is in neither has come meanwhile.
        let pending = pending().total();
        if self.log.has_screen() && self.machine.stage() == Stage::Draining {
            self.draw(&listing);
        }
        self.change_status(|status| {
            status.count(ended, gone, pending);
            status.add_point(listing.total);
            status.abandoned = abandoned;
            status.listing = listing;
        });
        self.look_again();
    }

    fn draw(&mut self, listing: &listing::Listing) {
        self.note_listed(listing);
        let left = self.machine.deadline().map(|at| at.saturating_sub(self.now()));
        let mut lines = vec![screen::heading(listing.total, left, listing.estimate)];
        lines.extend(listing.named.iter().map(|(_, task)| screen::task(task)));
        lines.extend(text::rest(&listing.rest).map(|rest| format!("  {rest}")));
        self.log.draw(lines);
    }

    /// Tasks that a line names have a line when they end.
    fn note_listed(&mut self, listing: &listing::Listing) {
        for (current, _) in &listing.named {
            if !self.listed.contains_key(&current.id) && current.watch() {
                self.listed.insert(current.id, *current);
            }
        }
    }

    /// Writes what is waited for, and says when to write it again.
    pub(super) fn write_lines(&mut self) {
        let first = self.next_lines.is_none();
        self.next_lines = Some(self.now() + self.back_off.next());
        let listing = listing::waited_for();
        if self.log.has_screen() && !first && 0 < listing.total {
            return;
        }
        let deadline = self.machine.deadline().map(|at| at.saturating_sub(self.now()));
        let tasks = listing.total - listing.requests;
        let estimate = listing.estimate.filter(|_| 0 < listing.total);
        let waiting = |what, pending| Waiting { what, pending, deadline, estimate };
        if 0 < listing.requests {
            self.log.waiting(waiting(
                "Waiting for connections to close. (CTRL+C to force quit)",
                listing.requests,
            ));
        }
        if 0 < tasks {
            self.log
                .waiting(waiting("Waiting for background tasks to complete. (CTRL+C to force quit)", tasks));
        } else if listing.requests == 0 && self.control.was_asked() && !self.control.is_awaited() && !first {
            self.log.waiting(waiting(
                "Waiting for the application, which does not await drain() yet: an open connection may hold its \
                 server. (CTRL+C to force quit)",
                0,
            ));
        }
        self.note_listed(&listing);
        if !self.log.has_screen() {
            self.write_tasks(&listing.named, &listing.rest);
        }
        self.show(listing);
    }

    fn write_tasks(&self, named: &[(Current, TaskInfo)], rest: &[(String, u64)]) {
        for (_, task) in named {
            self.log.info(format!("  {}", text::task(task)));
        }
        if let Some(rest) = text::rest(rest) {
            self.log.info(format!("  {rest}"));
        }
    }
}

/// The exit code of a process whose deadline passed.
const DEADLINE: u8 = 124;

fn to_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Writes a file that nobody else may read, whole or not at all.
fn write_private(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    // Left over from a process that was killed while it wrote; its mode may be another.
    let _ = std::fs::remove_file(&draft);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}
