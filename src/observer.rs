//! The thread that everything but the tasks runs on: the admin server, the coordinator, the publishing of metrics.
//!
//! It has a current-thread runtime of its own, so that it answers while every worker of the application is blocked,
//! while the application drains, and after its runtime is gone.

use std::thread;

use tokio::runtime::{Builder, Handle};
use tracing::dispatcher;

use crate::error::Error;

/// Starts the thread. It ends with the process.
pub(crate) fn start() -> Result<Handle, Error> {
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(|e| Error::resources("a runtime", e))?;
    let handle = runtime.handle().clone();
    let dispatch = dispatcher::get_default(Clone::clone);
    let run = move || dispatcher::with_default(&dispatch, || runtime.block_on(std::future::pending::<()>()));
    thread::Builder::new()
        .name("headcount".to_owned())
        .spawn(run)
        .map_err(|problem| Error::resources("a thread", problem))?;
    Ok(handle)
}
