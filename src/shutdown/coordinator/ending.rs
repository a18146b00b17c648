//! The end: the sums, the report, and the process.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::ledger::Account;
use super::run::Coordinator;
use super::voice::LAST_LINES;
use crate::observer::{Observer, steps};
use crate::process::Process;
use crate::registry::registry;
use crate::settings::{Hide, Settings};
use crate::shutdown::census::slots;
use crate::shutdown::cut::{self, Why};
use crate::shutdown::machine::{Stage, Verdict};
use crate::shutdown::report::{self, CRITICAL, Report, ShutdownOutcome};
use crate::shutdown::report_file;
use crate::shutdown::signal::exit_now;
use crate::shutdown::termination_log::TerminationLog;
use crate::shutdown::timers::Round;
use crate::shutdown::words::text;
use headcount_core::internal::service::critical;

/// For the report file.
const LAST_FILE: Duration = Duration::from_millis(500);

/// For exit handlers, before the process ends without them.
const EXIT_HANDLERS: Duration = Duration::from_millis(500);

/// How long the tasks that are not tracked are counted while they become fewer, and while they do not.
const FALLS: Duration = Duration::from_millis(100);
const FALLS_NO_LONGER: Duration = Duration::from_millis(20);

/// A drain that took less is as good as any forecast.
const WORTH_JUDGING: Duration = Duration::from_secs(1);

/// The exit code of a process that abandoned something at the deadline.
const DEADLINE: u8 = 124;

/// Makes the report, and hands it to whatever follows the shutdown.
pub(super) struct Ending {
    process: Arc<Process>,
    observer: Observer,
    /// What the process exits with, once the report is made.
    exit_code: u8,
}

impl Ending {
    pub(super) fn new(process: Arc<Process>, observer: Observer) -> Self {
        Self { process, observer, exit_code: 0 }
    }

    fn hides_fields(&self) -> bool {
        self.process.settings.hide.contains(&Hide::Fields)
    }

    /// Writes the report to its file, its directory and the platform's log, on a thread of its own, since a
    /// file system may hang. Gives what went wrong.
    async fn write_files(&self, report: &Report) -> Vec<String> {
        let Settings { report_file, report_dir, reports, .. } = &self.process.settings;
        let termination = TerminationLog::new(&self.process.settings, report);
        let Ok(json) = serde_json::to_vec_pretty(report) else { return Vec::new() };
        let (file, directory) = (report_file.clone(), report_dir.clone());
        if file.is_none() && directory.is_none() && termination.is_none() {
            return Vec::new();
        }
        let (started_at, reports) = (report.started_at, *reports);
        let write = move || {
            let file = file.map(|path| (report_file::write(&path, &json), path));
            let kept = directory.map(|path| (report_file::keep(&path, started_at, reports, &json), path));
            let problem =
                |(written, path): (io::Result<()>, PathBuf)| Some(not_written(&path, &written.err()?));
            let ended = termination.as_ref().and_then(TerminationLog::write);
            [file, kept].into_iter().flatten().filter_map(problem).chain(ended).collect()
        };
        on_a_thread(write)
            .await
            .unwrap_or_else(|problem| vec![format!("The report was not written: {problem}")])
    }
}

fn not_written(path: &Path, problem: &io::Error) -> String {
    format!("The report could not be written to {}: {problem}", path.display())
}

/// Runs it on a thread, or right here if none can be had, and waits a bounded time.
async fn on_a_thread<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (done, result) = tokio::sync::oneshot::channel();
    let run = Arc::new(Mutex::new(Some(run)));
    let there = Arc::clone(&run);
    let started = thread::Builder::new().name("headcount-report".to_owned()).spawn(move || {
        let run = there.lock().take();
        if let Some(run) = run {
            let _ = done.send(run());
        }
    });
    if started.is_err() {
        let run = run.lock().take();
        return run.map(|run| run()).ok_or_else(|| "it was begun twice".to_owned());
    }
    match steps::within(LAST_FILE, result).await {
        Some(Ok(result)) => Ok(result),
        Some(Err(_)) => Err("its thread ended".to_owned()),
        None => Err(format!("not within {}", text::length(LAST_FILE))),
    }
}

impl Coordinator {
    /// The waiting is over: what is left is counted, and said. Once.
    pub(super) fn settle(&mut self) {
        if self.ledger.is_settled() {
            return;
        }
        self.voice.log().close_screen();
        self.timers.set(Round::Lines, None);
        // The newest refusals are logged before they are summed up.
        self.note_refusals();
        let untracked = untracked();
        self.ledger.settle(untracked);
        if let Some(status) = &mut *self.control.status.lock() {
            status.took = Some(status.started.elapsed());
        }
        if Stage::Aborting <= self.machine.stage() {
            let (alive, now) = (self.ledger.abandoned_alive(), self.now());
            let still_there = self.ledger.still_there(&alive, now);
            self.voice.still_there(&still_there, now);
        }
        self.refresh();
        self.voice.untracked(untracked);
        let account = self.ledger.account();
        let critical = critical::first();
        if outcome(self.machine.verdict(), &account, critical.is_some()).0 == ShutdownOutcome::Drained {
            let took = self.now().saturating_sub(self.machine.began());
            let abandoned = self.ledger.abandoned_listed(true);
            let names = report::named("abandoned", &abandoned, account.abandoned);
            let forecast = self.control.status.lock().as_ref().and_then(|status| status.forecast_at_start);
            if let Some(forecast) = forecast.filter(|_| WORTH_JUDGING <= took) {
                self.voice.judged(forecast, took);
            }
            self.voice.drained(&account, took, &names, critical.as_ref().map(|end| &*end.name));
        }
    }

    /// Makes the report and gives it to everything that follows the shutdown, in bounded time.
    pub(super) async fn conclude(&mut self, verdict: Verdict) {
        if verdict != Verdict::Drained {
            self.cut_what_is_left().await;
        }
        self.take_in_gone(LAST_LINES / 2).await;
        self.settle();
        let account = self.ledger.account();
        let report = self.report(verdict, &account);
        self.ending.exit_code = report.exit_code;
        if report.result != ShutdownOutcome::Drained {
            self.voice.cut_short(&report, &account);
        }
        self.control.set_report(report.clone());
        // Flushed after the file, whose failure is a line as well.
        let lines = async {
            for problem in self.ending.write_files(&report).await {
                self.voice.warn(problem);
            }
            self.voice.flush().await;
        };
        let farewells: Vec<_> = self.audience.iter().map(|part| part.farewell(report.clone())).collect();
        // On another thread: whatever hangs or panics in there, the report is given.
        let clients = self.ending.observer.worker().spawn(async move {
            for farewell in farewells {
                farewell.await;
            }
        });
        let clients = steps::within(LAST_LINES, clients);
        let _ = tokio::join!(clients, lines);
        self.control.conclude();
    }

    /// A shutdown that is cut short abandons what still had time.
    async fn cut_what_is_left(&mut self) {
        self.cancel_rest();
        self.abandon_rest(|task, _| slots::is_waited_for(task));
        // With those that the hook has had since their grace was over.
        let rest = self.ledger.not_aborted();
        if rest.is_empty() {
            return;
        }
        // The hook has a moment, then they end with the process.
        let missed = self.handover.finish(LAST_LINES).await;
        self.voice.hook_missed(missed);
        cut::end(&rest, Why::AllAbandoned);
        // What is dropped at once is in the report as dropped.
        self.take_in_ends(LAST_LINES / 2).await;
    }

    fn report(&self, verdict: Verdict, account: &Account) -> Report {
        let hide_fields = self.ending.hides_fields();
        let status = self.control.status.lock().clone();
        let forecast_at_start = status.as_ref().and_then(|status| status.forecast_at_start);
        let (reason, started_at, started) = match status {
            Some(status) => (Arc::clone(&status.reason), status.started_at(), status.started),
            None => ("".into(), std::time::SystemTime::now(), std::time::Instant::now()),
        };
        let (detached_total, detached) = self.ledger.detached(|id| self.control.is_exempt(id), hide_fields);
        let critical_service = critical::first().map(|end| end.name);
        let (result, exit_code) = outcome(verdict, account, critical_service.is_some());
        let identity = &self.process.identity;
        Report {
            service: identity.service.as_str().into(),
            instance: identity.instance.as_str().into(),
            pid: identity.pid,
            reason,
            result,
            forced_by: match verdict {
                Verdict::Forced(by) => Some(by.as_str()),
                Verdict::Drained | Verdict::Deadline => None,
            },
            exit_code,
            critical_service,
            started_at,
            duration: started.elapsed(),
            forecast_at_start: forecast_at_start.and_then(|left| Duration::try_from_secs_f64(left).ok()),
            ended: account.ended,
            connections_closed: account.connections,
            late_spawns: registry().admission.late(),
            refused_spawns: account.refused,
            abandoned_total: account.abandoned,
            abandoned: self.ledger.abandoned_listed(hide_fields).into(),
            detached_total,
            detached: detached.into(),
            untracked: account.untracked,
        }
    }

    /// Ends the process, after a line that says why.
    pub(super) async fn exit(&mut self) -> ! {
        let code = self.ending.exit_code;
        let after = self.now().saturating_sub(self.machine.began());
        let holders = self.control.is_followed().then(|| slots::all(|_| true));
        self.voice.exiting(code, after, holders.as_deref());
        self.voice.flush().await;
        // Exit handlers may hang on what a stuck thread holds.
        let orderly = thread::Builder::new().spawn(move || std::process::exit(i32::from(code)));
        if orderly.is_ok() {
            thread::sleep(EXIT_HANDLERS);
        }
        exit_now(code)
    }
}

/// What the report says of it, and the exit code. A deadline at which nothing was abandoned is a drain.
fn outcome(verdict: Verdict, account: &Account, is_critical: bool) -> (ShutdownOutcome, u8) {
    let (outcome, code) = match verdict {
        Verdict::Forced(by) => return (ShutdownOutcome::Forced, by.exit_code()),
        Verdict::Deadline if account.is_past_deadline => (ShutdownOutcome::Deadline, DEADLINE),
        Verdict::Drained | Verdict::Deadline => (ShutdownOutcome::Drained, 0),
    };
    (outcome, if is_critical { CRITICAL } else { code })
}

/// How many tasks live in the application's runtimes that headcount does not track.
///
/// A task that has just ended is off our list a moment before the runtime takes it off its own, which is a
/// long moment on a busy machine. So it is read until it no longer falls.
fn untracked() -> u64 {
    let read = || crate::process::untracked(&crate::snapshot()).unwrap_or(0);
    let (began, mut lowest) = (Instant::now(), read());
    let mut fell = began;
    while 0 < lowest && began.elapsed() < FALLS && fell.elapsed() < FALLS_NO_LONGER {
        thread::sleep(Duration::from_millis(2));
        let now = read();
        if now < lowest {
            (lowest, fell) = (now, Instant::now());
        }
    }
    lowest
}
