//! The lines that `install` writes, and those of a [`Headcount`](super::Headcount) that was dropped too
//! early.

use tracing::{info, warn};

use super::start::Installed;
use crate::name::place;
use crate::settings::{Difference, Variables};
use crate::shutdown;
use crate::snapshot::{TaskInfo, TaskQuery};
use headcount_core::internal::text::{named, took};

/// The most lost tasks that are named. The rest is counted.
const LOST_TASKS: usize = 20;

/// Logs the settings that differ from the code, the dashboard's address and the time budget.
pub(super) fn log_settings(installed: &Installed, variables: &Variables) {
    for Difference { variable, from, to } in &variables.differences {
        info!(target: "headcount", "{variable}={to} replaces {from}");
    }
    for variable in &variables.unknown {
        warn!(target: "headcount", "Ignored unknown setting {variable}");
    }
    for row in installed.process.settings.without_effect() {
        let (setting, feature) = (row.name, row.feature.unwrap_or_default());
        warn!(target: "headcount", "`{setting}` has no effect: this build lacks the feature `{feature}`");
    }
    #[cfg(feature = "admin")]
    if let Some(address) = installed.admin_address {
        info!(target: "headcount", "Dashboard at http://{address}/");
    }
    shutdown::log_budget(&installed.process);
}

/// Names the live tasks that nothing waited for, the oldest first.
pub(super) fn log_lost_tasks() {
    let Ok(page) = crate::snapshot::tasks(&TaskQuery::default().limit(LOST_TASKS)) else {
        return;
    };
    for task in &page.items {
        let TaskInfo { name, id, location, .. } = task;
        let (task, after) = (named(name, id), took(task.age));
        warn!(target: "headcount", "{task} is lost after {after}: drain() was never awaited ({})", place(location));
    }
    let more = page.total - page.items.len();
    if 0 < more {
        warn!(target: "headcount", "{more} more tasks are lost");
    }
}
