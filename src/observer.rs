//! The thread that everything but the tasks runs on: the admin server, the coordinator, the publishing of metrics.
//!
//! It has a current-thread runtime of its own, so that it answers while every worker of the application is blocked,
//! while the application drains, and after its runtime is gone.

use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tracing::dispatcher;

use crate::error::Error;
use crate::registry::{failure, registry};

/// How late it may be told how many log lines were held back.
const STORM_LAG: Duration = Duration::from_secs(5);

/// Starts the thread. It ends with the process.
pub(crate) fn start() -> Result<Handle, Error> {
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(|e| Error::resources("a runtime", e))?;
    let handle = runtime.handle().clone();
    let dispatch = dispatcher::get_default(Clone::clone);
    let run = move || dispatcher::with_default(&dispatch, || runtime.block_on(close_storms()));
    thread::Builder::new()
        .name("headcount".to_owned())
        .spawn(run)
        .map_err(|problem| Error::resources("a thread", problem))?;
    Ok(handle)
}

/// What the thread itself does: tells, once the minute is over, how many log lines of a group were held back.
async fn close_storms() {
    loop {
        tokio::time::sleep(STORM_LAG).await;
        failure::close_storms(registry());
    }
}
