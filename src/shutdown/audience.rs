//! What the shutdown reports to, beside the log: servers and recorders, which this module does not know.

use std::pin::Pin;

use super::machine::Stage;
use super::report::Report;

/// Resolves when the report is delivered.
pub(crate) type Farewell = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A part of the process that follows the shutdown. `install` hands in a list of them; each is notified in
/// its order.
pub(crate) trait Audience: Send + Sync {
    /// A stage has begun. Called on the coordinator's thread, so it must not block.
    fn stage_changed(&self, stage: Stage);

    /// Delivers the report. The coordinator waits for the future, but only a bounded time.
    fn farewell(&self, report: Report) -> Farewell;
}
