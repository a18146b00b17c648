//! The threads that work beside the application's.
//!
//! - `headcount-shutdown` belongs to the coordinator alone. Stages and deadlines wait for nothing else.
//! - `headcount` does the small work: held-back lines, blocked tasks, systemd, the farewell to open pages.
//! - `headcount-log` writes the [lines] of all others, so none of them waits for the log.
//! - `headcount-admin` accepts connections and answers health; `headcount-read` and `headcount-search` are
//!   [readers](reader) of what takes longer. `headcount-stacks` is one that asks tasks where they wait,
//!   and `headcount-held` looks at their threads while it is busy.
//! - `headcount-metrics` runs a recorder of the application's, `headcount-console` the console's server.
//! - `headcount-signal` waits for signals.
//! - `headcount-hooks` runs the `on_abandon` hook. `headcount-report` writes the report's files, and
//!   `headcount-last` the last lines if the log does not; these two exist only at the end of a stop.
//! - `headcount-timer` fires timeouts, and `headcount-lines` writes the lines about overdue tasks. The core
//!   starts each when it is first needed.
//!
//! Each of them answers while every worker of the application is blocked, while the application drains, and
//! after its runtime is gone.

pub(crate) mod dispatch;
pub(crate) mod lines;
pub(crate) mod panics;
#[cfg(any(feature = "admin", feature = "stacks"))]
#[cfg_attr(
    not(all(feature = "admin", feature = "stacks")),
    allow(dead_code, reason = "each of the two uses a part")
)]
pub(crate) mod reader;
pub(crate) mod steps;
mod worker;

use std::time::Duration;

pub(crate) use dispatch::Heard;
pub(crate) use lines::Lines;
pub(crate) use worker::Worker;

use crate::error::Error;
use crate::registry::{failure, registry, terms};
use crate::settings::Log;

/// The longest delay of a line that counts suppressed log lines.
const STORM_LAG: Duration = Duration::from_secs(5);

/// The thread for small work, and the log's.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    worker: Worker,
    lines: Lines,
}

impl Observer {
    /// Starts both threads.
    pub(crate) fn start(log: Log) -> Result<Self, Error> {
        let lines =
            Lines::start(log).map_err(|problem| Error::resources("the thread headcount-log", problem))?;
        let worker = Worker::start("headcount")?;
        worker.spawn(keep_house(lines.clone()));
        Ok(Self { worker, lines })
    }

    /// The thread for small work.
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// The log lines of headcount's own threads.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }
}

/// Logs how many lines of a group were suppressed, once the minute is over, and forgets the runtimes that
/// have ended.
async fn keep_house(lines: Lines) {
    loop {
        tokio::time::sleep(STORM_LAG).await;
        if 1 < registry().runtimes.all().len() {
            registry().runtimes.prune();
        }
        for (group, held_back) in failure::close_storms(registry()) {
            lines.write(move || failure::write_held_back(group, held_back));
        }
        for (group, held_back) in failure::close_terms_storms(registry()) {
            lines.write(move || terms::write_held_back(group, held_back));
        }
    }
}
