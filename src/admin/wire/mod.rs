//! The shapes of the JSON: what `dashboard/src/wire.ts` mirrors, and the description of the API shows.
//!
//! Every key is always present, null where empty. Times are RFC 3339, durations seconds.

mod outlook;
mod services;
#[cfg_attr(not(feature = "stacks"), allow(dead_code, reason = "the API describes what it then refuses"))]
mod stacks;
mod summary;
mod tasks;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

#[cfg(test)]
pub(super) use outlook::AttentionLink;
pub(super) use outlook::{Attention, AttentionList, FailureGroup, FailureList, Forecast, StopList, rounded};
pub(super) use services::{LastRun, Service, ServiceList};
#[cfg(test)]
pub(super) use stacks::{Branch, FoldedStack, Frame, HeldThread};
pub(super) use stacks::{Stack, StackList};
pub(super) use summary::{
    Ended, Failure, Group, GroupLifetime, GroupTrend, Hello, Lifetime, NameCount, Rates, Rejected,
    RequestLimit, Runtime, Shutdown, Summary, Terms, Trends, Warning,
};
#[cfg(test)]
pub(super) use summary::{OutcomeCounts, StateCounts, WarningCode};
#[cfg(test)]
pub(super) use tasks::Progress;
pub(super) use tasks::{
    Finished, FinishedPage, OkGroup, StatusEntry, Task, TaskDetail, TaskPage, TaskRef, Usual,
};

use crate::snapshot::Labels;

pub(in crate::admin) fn labels(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// To the millisecond, below a second to the microsecond: enough for anything shown, and the text stays
/// short.
pub(in crate::admin) fn seconds(duration: Duration) -> f64 {
    if duration < Duration::from_secs(1) {
        duration.as_micros() as f64 / 1e6
    } else {
        duration.as_millis() as f64 / 1e3
    }
}

pub(in crate::admin) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
