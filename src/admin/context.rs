//! What the handlers share.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::delta::Chain;
use super::events;
use super::history::History;
use super::hub::Hub;
use super::probe::Probe;
use super::read::Readers;
use super::workers::Workers;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::observer::{Lines, Worker};
use crate::process::Process;
use crate::settings::{Hide, Settings};
use crate::shutdown::{Audience, Farewell, Report, Stage};

/// The state of the admin server. One for each process, however often the router is mounted.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(super) process: Arc<Process>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) lines: Lines,
    pub(super) hub: Arc<Hub>,
    pub(super) history: Mutex<History>,
    /// What the clients that merge have received.
    pub(super) chain: Mutex<Option<Chain>>,
    pub(super) probe: Probe,
    pub(super) workers: Workers,
    pub(super) readers: Readers,
    /// The thread of the server.
    pub(super) worker: Worker,
}

impl Admin {
    /// Starts the threads of the server.
    pub(crate) fn start(process: Arc<Process>, metrics: Arc<Metrics>, lines: Lines) -> Result<Self, Error> {
        Ok(Self {
            readers: Readers::start()?,
            worker: Worker::start("headcount-admin")?,
            hub: Arc::new(Hub::new(process.settings.sse_clients, metrics.events_dropped())),
            history: Mutex::new(History::new()),
            chain: Mutex::new(None),
            probe: Probe::default(),
            workers: Workers::default(),
            lines,
            process,
            metrics,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.process.settings
    }

    pub(super) fn hidden(&self) -> &BTreeSet<Hide> {
        &self.settings().hide
    }

    /// The thread of the server.
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }
}

/// The clients of the events see each stage at once, and the report at the end.
impl Audience for Arc<Admin> {
    fn stage_changed(&self, _stage: Stage) {
        self.hub.wake();
    }

    fn farewell(&self, report: Report) -> Farewell {
        let admin = Arc::clone(self);
        let worker = self.worker.clone();
        // On the server's own thread, so that clients get it also where the coordinator waits no longer.
        let sent = self.worker.spawn(async move {
            // The client that ended the shutdown has its answer first: the poll that gives it is over when
            // this runs.
            let _ = worker.spawn(async {}).await;
            events::send_report(&admin, &report).await;
        });
        Box::pin(async move { drop(sent.await) })
    }
}

/// The server that a router is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mount {
    /// Headcount's own, which is refused outside loopback without a token.
    Own,
    /// The application's, of which nothing is known.
    Application,
    /// Headcount's own for health alone, which anybody may reach.
    Health,
}

/// What each handler gets.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) admin: Arc<Admin>,
    pub(super) mount: Mount,
}

impl Context {
    pub(super) fn settings(&self) -> &Settings {
        self.admin.settings()
    }
}
