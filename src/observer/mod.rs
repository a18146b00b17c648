//! The threads that work beside the application's: one for the coordinator and the servers, one for the log.
//!
//! The first has a current-thread runtime of its own, so it answers while every worker of the application is blocked,
//! while the application drains, and after its runtime is gone. It never waits for the log, because [`lines`] writes on the second.

pub(crate) mod dispatch;
pub(crate) mod lines;

use std::fmt;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::task::JoinHandle;

pub(crate) use dispatch::Heard;
pub(crate) use lines::Lines;

use crate::error::Error;
use crate::registry::{failure, registry};
use crate::settings::Log;

/// The longest delay of a line that counts suppressed log lines.
const STORM_LAG: Duration = Duration::from_secs(5);

/// A handle to both threads, which end with the process.
#[derive(Clone)]
pub(crate) struct Observer {
    runtime: Handle,
    lines: Lines,
}

impl Observer {
    /// Starts both threads.
    pub(crate) fn start(log: Log) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::resources("a runtime", e))?;
        let handle = runtime.handle().clone();
        let no_thread = |problem| Error::resources("a thread", problem);
        let lines = Lines::start(log).map_err(no_thread)?;
        let heard = Heard::now();
        let storms = close_storms(lines.clone());
        let run = move || heard.run(|| runtime.block_on(storms));
        thread::Builder::new().name("headcount".to_owned()).spawn(run).map_err(no_thread)?;
        Ok(Self { runtime: handle, lines })
    }

    /// Runs a future on the first thread. It must not block there.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// Makes the runtime of the first thread the current one.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// The log lines of headcount's own threads.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("lines", &self.lines).finish_non_exhaustive()
    }
}

/// Logs how many lines of a group were suppressed, once the minute is over.
async fn close_storms(lines: Lines) {
    loop {
        tokio::time::sleep(STORM_LAG).await;
        for (group, held_back) in failure::close_storms(registry()) {
            lines.write(move || failure::write_held_back(group, held_back));
        }
    }
}
