//! What the admin server keeps between requests.

use std::sync::Arc;

use parking_lot::Mutex;

use super::events::Hub;
use super::history::History;

/// Kept once a process, however often the router is mounted.
#[derive(Debug)]
pub(crate) struct AdminState {
    pub(super) events: Arc<Hub>,
    pub(super) history: Mutex<History>,
    /// What the runtime `install` ran in is probed for.
    pub(super) probe: super::health::Probe,
}

impl AdminState {
    /// `workers`: threads that poll the application's tasks.
    pub(crate) fn new(sse_clients: usize, workers: usize) -> Self {
        Self {
            events: Arc::new(Hub::new(sse_clients)),
            history: Mutex::new(History::new(workers)),
            probe: super::health::Probe::default(),
        }
    }

    /// Events that slow clients missed.
    pub(crate) fn events_dropped(&self) -> u64 {
        self.events.dropped()
    }
}
