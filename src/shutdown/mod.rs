//! How a process stops: what begins it, whom it waits for, and when it ends.
//!
//! ```text
//!  signal ──▶ ladder ─┐
//!  shutdown() · API ──┼─▶ control ──▶ drain ──▶ stage ──▶ effects ──▶ report
//!  request limit ─────┘                 ▲                    │
//!        registry: last end, ends, late tasks            log · hooks
//! ```
//!
//! [`stage`] decides and knows neither threads nor time; [`drain`] drives it; [`effects`] does what it says. [`signal`] has a thread
//! of its own, and so have [`hooks`] and whatever is written to the [`log`]: whatever hangs there, force still forces. [`control`] is what free functions and
//! other threads see of it.
//!
//! Invariants:
//!
//! 1. Only the coordinator changes the stage, opens gates and gives tasks up.
//! 2. The coordinator never blocks: it hands lines, files and hooks to other threads, and waits for each a bounded time.
//! 3. Each task that is waited for is in the report exactly once: by how it ended, or as abandoned.

mod abandoned;
mod audience;
mod blocked;
mod budget;
mod control;
mod drain;
mod effects;
mod estimate;
mod gate;
mod hooks;
mod linger;
mod listing;
mod log;
mod off;
mod policy;
mod report;
mod screen;
mod signal;
mod stage;
mod status;
mod tally;
#[cfg(test)]
mod testing;
mod text;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use tracing::{info, warn};

pub(crate) use audience::{Audience, Farewell};
pub(crate) use control::{Cause, Command, control};
pub use control::{Draining, draining, shutdown, shutdown_requested};
pub(crate) use drain::pending;
pub use report::{Report, ReportTask, ShutdownResult};
pub(crate) use stage::ExtendError;
pub use stage::Stage;
pub(crate) use status::Status;

use crate::error::Error;
use crate::observer::Observer;
use crate::process::Process;
use crate::registry::is_enabled;
#[cfg(feature = "admin")]
use crate::registry::{local::Current, registry, wait::Abort};

/// Starts the coordinator on headcount's thread, and the threads that it needs. It reports to each of the audience in this order.
pub(crate) fn start(
    process: &Arc<Process>,
    observer: &Observer,
    audience: Vec<Box<dyn Audience>>,
) -> Result<(), Error> {
    let _runtime = observer.worker().enter();
    let threads = |problem| Error::resources("what the shutdown needs", problem);
    let log = log::Logger::new(observer.lines().clone(), process.settings.log);
    observer.worker().spawn(blocked::watch(log.clone()));
    let coordinator = drain::Coordinator::new(Arc::clone(process), audience, log.clone()).map_err(threads)?;
    let run = observer.worker().spawn(coordinator.run());
    observer.worker().spawn(last_resort(run, log));
    Ok(())
}

/// A coordinator that panicked must not leave a process behind that cannot be stopped: who awaits the report gets one, and draining
/// tasks are told. The third signal works in any case.
async fn last_resort(run: tokio::task::JoinHandle<()>, log: log::Logger) {
    if run.await.is_err() {
        log.error("The coordinator panicked: nothing is waited for");
        control().ladder.start();
        control().draining.open();
        control().last_turn.open();
        control().set_stage(Stage::Done);
        control().publish(Report::empty());
    }
}

/// Says how long a shutdown may take, and what does not fit.
pub(crate) fn log_budget(process: &Process) {
    info!(target: "headcount", "{}", budget::line(&process.settings));
    for warning in budget::warnings(&process.settings) {
        warn!(target: "headcount", "{warning}");
    }
}

/// Whether a shutdown has begun.
pub(crate) fn is_stopping() -> bool {
    control().ladder.is_started()
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
    if drains { pending().total() } else { 0 }
}

/// The tasks that were given up, by group.
pub(crate) fn abandoned() -> HashMap<u32, u64> {
    control().status.lock().as_ref().map(|status| status.abandoned.clone()).unwrap_or_default()
}

/// Somebody read the metrics.
pub(crate) fn scraped() {
    control().tell(Command::Scraped);
}

/// After how many requests the process stops, and how many it has admitted.
pub(crate) fn request_limit() -> Option<(u64, u64)> {
    #[cfg(feature = "tower")]
    return crate::layer::nearest();
    #[cfg(not(feature = "tower"))]
    None
}

/// Begins the shutdown if nothing has, and resolves with its report. Where nothing is installed the report is empty.
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

/// Cancels a live task for an operator; `None` if there is none. What cuts work for the shutdown goes its own way, and counts it.
#[cfg(feature = "admin")]
pub(crate) fn cancel(id: u64) -> Option<Abort> {
    registry().find(id).and_then(Current::abort)
}
