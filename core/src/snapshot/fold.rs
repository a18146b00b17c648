//! Finished tasks that were ok, by group: under load they are most of the history, and all of a few seconds.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::id::{GroupId, TaskId};
use crate::registry::history::Record;
use crate::registry::kind::{Kind, Labels};
use crate::snapshot::read::Describer;

/// Finished tasks of one group that were ok.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "only `headcount` uses it")]
pub struct OkGroup {
    pub group: GroupId,
    pub name: Arc<str>,
    pub kind: Kind,
    pub labels: Labels,
    pub count: usize,
    /// Of their durations.
    pub median: Duration,
    pub longest: Duration,
    /// When the first and the last of them ended.
    pub first: SystemTime,
    pub last: SystemTime,
    pub last_task: TaskId,
}

/// The most tasks first. The records come newest first.
pub(super) fn by_group(ok: &[&Record], describer: &Describer) -> Vec<OkGroup> {
    let mut groups: HashMap<u32, Vec<&Record>> = HashMap::new();
    for record in ok {
        groups.entry(record.task.group()).or_default().push(record);
    }
    let mut groups: Vec<_> = groups.into_values().filter_map(|records| folded(&records, describer)).collect();
    groups.sort_unstable_by_key(|group| (Reverse(group.count), group.group.get()));
    groups
}

fn folded(records: &[&Record], describer: &Describer) -> Option<OkGroup> {
    let (newest, oldest) = (records.first()?, records.last()?);
    let mut durations: Vec<_> =
        records.iter().map(|record| clock::between(record.task.started, record.ended)).collect();
    durations.sort_unstable();
    let group = describer.group(&newest.task);
    Some(OkGroup {
        group: group.id.into(),
        name: Arc::clone(&group.name),
        kind: group.kind,
        labels: group.labels.clone(),
        count: records.len(),
        median: durations[(records.len() - 1) / 2],
        longest: *durations.last()?,
        first: clock::wall(oldest.ended),
        last: clock::wall(newest.ended),
        last_task: newest.task.id().into(),
    })
}
