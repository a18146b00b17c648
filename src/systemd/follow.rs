//! Following the process: readiness that is owed, the stages of a shutdown, and how it goes.

use std::sync::Arc;
use std::time::Duration;

use super::extension::Extension;
use super::notifier::Notifier;
use crate::process::Process;
use crate::shutdown::{self, Audience, Farewell, Report, Stage};

/// How often a shutdown is looked at, and a notification that is owed is sent again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs until the process ends. It sleeps while there is nothing to follow.
pub(super) async fn run(notifier: Notifier, process: Arc<Process>) {
    let mut stop = Stop::default();
    loop {
        let is_owed = !notifier.send_owed();
        let stops = shutdown::stage() != Stage::Running;
        if stops {
            stop.look(&notifier, &process);
        }
        if is_owed || stops {
            let _ = tokio::time::timeout(LOOK_EVERY, notifier.woken()).await;
        } else {
            notifier.woken().await;
        }
    }
}

/// What was reported of a shutdown.
#[derive(Debug, Default)]
struct Stop {
    is_reported: bool,
    extension: Extension,
    status: String,
}

impl Stop {
    /// Reports what has changed.
    fn look(&mut self, notifier: &Notifier, process: &Process) {
        let settings = &process.settings;
        let mut lines = Vec::new();
        let time = self.extension.next(shutdown::movement(), shutdown::exit_in(settings));
        lines.extend(time.map(|time| format!("EXTEND_TIMEOUT_USEC={}", time.as_micros())));
        // Once the report is made, the last status has it.
        let summary = shutdown::summary(settings).filter(|_| !shutdown::is_reported());
        if let Some(summary) = summary.filter(|summary| *summary != self.status) {
            lines.push(format!("STATUS={summary}"));
            self.status = summary;
        }
        if !self.is_reported {
            // In one message: STOPPING starts the timer that the extension extends.
            self.is_reported = true;
            lines.insert(0, "STOPPING=1".to_owned());
            notifier.must_send(&lines.join("\n"));
        } else if !lines.is_empty() {
            notifier.send(&lines.join("\n"));
        }
    }
}

/// Each stage is looked at as it begins, on the thread that follows.
impl Audience for Notifier {
    fn stage_changed(&self, _stage: Stage) {
        self.wake();
    }

    fn farewell(&self, report: Report) -> Farewell {
        self.send(&format!("STATUS={report}"));
        Box::pin(std::future::ready(()))
    }
}
