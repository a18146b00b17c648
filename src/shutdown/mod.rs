//! How a process stops: what begins it, what it waits for, and when it ends.
//!
//! ```text
//!  signal ─────────────────┐
//!  shutdown() · API ───────┼─▶ control ──▶ coordinator ──▶ machine ──▶ stages ──▶ report
//!  request limit · drain() ┘                  ▲                         │
//!            registry: ends, late tasks, the last one            words · cut · audience
//! ```
//!
//! | room | holds |
//! |---|---|
//! | [`machine`] | decides, and knows neither threads nor time |
//! | [`gates`] | what tasks see: `draining()`, `shutdown_requested()` |
//! | [`signal`] | a thread that waits for signals, and what they mean |
//! | [`control`] | what other threads ask of the coordinator, and what it publishes |
//! | [`census`] | reads what lives: counts, lists, estimates |
//! | [`cut`] | ends tracked tasks for the shutdown and the API |
//! | [`words`] | lines of the log and of the terminal, and hints |
//! | [`coordinator`] | drives the machine and does what it says |
//! | [`audience`] | what the shutdown reports to |
//! | [`termination_log`] | what Kubernetes shows of the end |
//! | [`movement`] | what moves, for a service manager |
//! | [`request_limit`] | stops the process after so many requests |
//!
//! Invariants:
//!
//! 1. Only the coordinator changes the stage, opens gates and abandons tasks. With `HEADCOUNT=off`, `off.rs`
//!    opens the gates.
//! 2. The coordinator never blocks: lines, files, hooks and signals have threads of their own, and it waits
//!    for each a bounded time.
//! 3. Each task that is waited for is in the report exactly once: by how it ended, or as abandoned.

mod audience;
mod census;
mod control;
mod coordinator;
mod cut;
#[cfg(unix)]
mod movement;
mod off;
mod report;
mod report_file;
#[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only the layers make one"))]
mod request_limit;
mod signal;
mod status;
mod termination_log;
mod terms;
#[cfg(test)]
mod testing;
mod timers;
mod words;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

pub(crate) use audience::{Audience, Farewell};
pub use control::shutdown;
pub(crate) use control::{Cause, Command, control, critical_ended};
#[cfg(feature = "admin")]
pub(crate) use cut::cancel;
pub(crate) use headcount_core::internal::lifecycle::{self as gates, gates, machine};
pub(crate) use headcount_core::{Draining, Stage, draining};
pub(crate) use machine::ExtendError;
#[cfg(unix)]
pub(crate) use movement::{Movement, exit_in, movement, summary};
pub(crate) use off::turn_off;
pub use report::{Report, ReportTask, ShutdownOutcome};
#[cfg(feature = "tower")]
pub(crate) use request_limit::RequestLimit;
pub(crate) use request_limit::nearest as request_limit;
pub(crate) use status::Status;
pub(crate) use terms::{announced, others_pending, terms};

use crate::error::Error;
use crate::observer::Observer;
use crate::process::Process;
use crate::registry::is_enabled;
use crate::settings::Settings;

/// Starts the coordinator, and the threads that it needs. It reports to each of the audience in this order.
pub(crate) fn start(
    process: &Arc<Process>,
    observer: &Observer,
    audience: Vec<Box<dyn Audience>>,
) -> Result<(), Error> {
    let log = words::Logger::new(observer.lines().clone(), process.settings.log);
    observer.worker().spawn(census::watch(log.clone()));
    coordinator::start(Arc::clone(process), observer.clone(), audience, log)
        .map_err(|problem| Error::resources("what the shutdown needs", problem))
}

type Check = fn(&Path) -> io::Result<()>;

/// Logs how long a shutdown may take, what does not fit, and whether the report can be written.
pub(crate) fn log_budget(process: &Process) {
    info!(target: "headcount", "{}", words::budget_line(&process.settings));
    for warning in words::budget_warnings(&process.settings) {
        warn!(target: "headcount", "{warning}");
    }
    let Settings { report_file, report_dir, .. } = &process.settings;
    let checks: [(&str, Option<&PathBuf>, Check); 2] = [
        ("report_file", report_file.as_ref(), report_file::check),
        ("report_dir", report_dir.as_ref(), report_file::check_directory),
    ];
    for (setting, path, check) in checks {
        if let Some((path, problem)) = path.and_then(|path| Some((path.display(), check(path).err()?))) {
            warn!(target: "headcount", "`{setting}` {path} cannot be written: {problem}");
        }
    }
    if let Some(warning) = termination_log::check(&process.settings) {
        warn!(target: "headcount", "{warning}");
    }
}

/// Whether a shutdown has begun.
pub(crate) fn is_stopping() -> bool {
    gates().is_requested()
}

/// Whether the report was made: what still lives then is in it.
pub(crate) fn is_reported() -> bool {
    control().report().is_some()
}

/// How long the shutdown has taken: until now, or until nothing was waited for.
pub(crate) fn took() -> Option<Duration> {
    let status = control().status.lock();
    status.as_ref().map(|status| status.took.unwrap_or_else(|| status.started.elapsed()))
}

/// When tasks that are left are aborted.
pub(crate) fn deadline() -> Option<SystemTime> {
    let status = control().status.lock();
    let status = status.as_ref()?;
    status.time(status.deadline)
}

/// How many tasks a shutdown waits for now.
pub(crate) fn pending_now() -> u64 {
    let drains = Stage::Draining <= control().stage();
    if drains { census::pending().total() } else { 0 }
}

/// The tasks that were abandoned, by group.
pub(crate) fn abandoned() -> HashMap<u32, u64> {
    control().status.lock().as_ref().map(|status| status.abandoned.clone()).unwrap_or_default()
}

/// The metrics were read.
pub(crate) fn scraped() {
    control().tell(Command::Scraped);
}

/// Begins the shutdown if nothing has, and resolves with its report. Where nothing is installed the report is
/// empty.
pub(crate) async fn drain(is_installed: bool) -> Report {
    if !is_installed || !is_enabled() {
        off::begin();
        return Report::empty();
    }
    control().drained().await
}

/// The stage that the shutdown is in.
pub(crate) fn stage() -> Stage {
    control().stage()
}
