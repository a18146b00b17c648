//! The thread that everything but the tasks runs on: the admin server, the coordinator, the publishing of metrics.
//!
//! It has a current-thread runtime of its own, so that it answers while every worker of the application is blocked,
//! while the application drains, and after its runtime is gone. It never waits for the log: what it has to say, another thread writes.

pub(crate) mod lines;

use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tracing::dispatcher;

pub(crate) use lines::Lines;

use crate::error::Error;
use crate::registry::{failure, registry};
use crate::settings::Log;

/// How late it may be told how many log lines were held back.
const STORM_LAG: Duration = Duration::from_secs(5);

/// Starts the thread, and the one that writes its log. They end with the process.
pub(crate) fn start(log: Log) -> Result<(Handle, Lines), Error> {
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(|e| Error::resources("a runtime", e))?;
    let handle = runtime.handle().clone();
    let no_thread = |problem| Error::resources("a thread", problem);
    let lines = Lines::start(log).map_err(no_thread)?;
    let dispatch = dispatcher::get_default(Clone::clone);
    let storms = close_storms(lines.clone());
    let run = move || dispatcher::with_default(&dispatch, || runtime.block_on(storms));
    thread::Builder::new().name("headcount".to_owned()).spawn(run).map_err(no_thread)?;
    Ok((handle, lines))
}

/// What the thread itself does: tells, once the minute is over, how many log lines of a group were held back.
async fn close_storms(lines: Lines) {
    loop {
        tokio::time::sleep(STORM_LAG).await;
        for (group, held_back) in failure::close_storms(registry()) {
            lines.write(move || failure::write_held_back(group, held_back));
        }
    }
}
