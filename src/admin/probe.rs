//! The probe: whether the application's runtime still begins new tasks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tracing::{info, warn};

use super::context::Admin;
use crate::clock;
use crate::name::place;
use crate::registry::registry;
use crate::registry::slot::{Reading, Slot};
use crate::registry::storm::{Admission, Storm};
use crate::snapshot::TaskInfo;
use headcount_core::internal::snapshot::read::{Describer, is_blocked};
use headcount_core::internal::text::{named, took};

/// Blocking tasks that are named.
const MAX_NAMED: usize = 10;

/// How long a description serves.
const DESCRIBED_EVERY: Duration = Duration::from_millis(250);

/// Whether the application's runtime still begins new tasks.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Since when one waits to be begun.
    waiting_since: Mutex<Option<Instant>>,
    /// The last description, which serves for a while: it takes a pass over all tasks.
    described: Mutex<Option<(Instant, String)>>,
}

impl Probe {
    pub(super) fn waiting(&self) -> Duration {
        self.waiting_since.lock().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// A sentence for people: how long the runtime began no task, and which tasks do not yield.
    pub(super) fn describe(&self) -> String {
        let mut described = self.described.lock();
        match &*described {
            Some((at, text)) if at.elapsed() < DESCRIBED_EVERY => text.clone(),
            _ => described.insert((Instant::now(), unresponsive(self.waiting()))).1.clone(),
        }
    }
}

/// Gives the runtime a task that does nothing, again and again, until it has gone. Logs when it does not
/// begin it, and when it does again.
pub(super) async fn run(admin: Arc<Admin>, runtime: Handle, unresponsive_after: Duration) {
    let pause = (unresponsive_after / 4).clamp(Duration::from_millis(10), Duration::from_secs(1));
    let probe = &admin.probe;
    let mut storm = Storm::default();
    loop {
        *probe.waiting_since.lock() = Some(Instant::now());
        let mut task = runtime.spawn(async {});
        let begun = match timeout(unresponsive_after, &mut task).await {
            Ok(begun) => begun,
            Err(_) => late(&admin, task, &mut storm).await,
        };
        *probe.waiting_since.lock() = None;
        if begun.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Waits for a probe that is overdue, and logs that the application does not answer and that it does again.
async fn late(admin: &Admin, task: JoinHandle<()>, storm: &mut Storm) -> Result<(), JoinError> {
    let told = match storm.admit(clock::ticks()) {
        Admission::HoldBack => false,
        Admission::Write { held_back } => {
            let problem = unresponsive(admin.probe.waiting());
            let before =
                if held_back == 0 { String::new() } else { format!(" ({held_back} times more before)") };
            admin.lines.write(move || {
                warn!(target: "headcount::blocked", "The application does not answer: {problem}{before}");
            });
            true
        }
    };
    let begun = task.await;
    if told && begun.is_ok() {
        let waited = took(admin.probe.waiting());
        admin.lines.write(move || {
            info!(target: "headcount::blocked", "The application answers again, after {waited}");
        });
    }
    begun
}

/// A sentence for people: how long the runtime began no task, and which tasks do not yield.
fn unresponsive(waiting: Duration) -> String {
    let mut describer = Describer::new();
    // Half the time waited, if that is less than `blocked_after`: such a task held a worker for most of it.
    let limit = registry().config.blocked_after_ticks().min(clock::ticks_in(waiting / 2));
    let reading = registry().slab.slots().filter_map(Slot::read);
    let blocking: Vec<_> =
        reading.filter(|task| is_blocked(task, describer.now, limit)).take(MAX_NAMED).collect();
    let describe = |task: &Reading| {
        let TaskInfo { name, id, location, state_for, .. } = describer.live(task);
        format!("{} has not yielded for {} ({})", named(&name, id), took(state_for), place(&location))
    };
    let named = match &blocking[..] {
        [] => "no tracked task holds a worker: look at what plain tokio::spawn runs".to_owned(),
        blocking => blocking.iter().map(describe).collect::<Vec<_>>().join("; "),
    };
    format!("{}; {named}", silence(waiting))
}

/// The same without names.
pub(super) fn silence(waiting: Duration) -> String {
    format!("no task was begun for {}", took(waiting))
}
