//! The list of services and timers: all that go on, and the newest that are over.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::id::TaskId;
use crate::lock::Mutex;
use crate::service::info::{GroupTerms, ServiceId, ServiceInfo};
use crate::service::record::{Record, Terms};

/// Records kept of services and timers that are over.
const KEPT: usize = 100;

static LIST: Mutex<List> = Mutex::new(List { records: Vec::new(), retired: None });

struct List {
    /// Oldest first.
    records: Vec<Arc<Record>>,
    /// By group, what those counted that are not kept any more: restarts and skipped ticks.
    retired: Option<HashMap<u32, (u64, u64)>>,
}

impl List {
    /// Lets go of the oldest records that are over for good, beyond those that are kept.
    fn trim(&mut self) {
        let over = self.records.iter().filter(|record| record.is_over_for_good()).count();
        let mut surplus = over.saturating_sub(KEPT);
        if surplus == 0 {
            return;
        }
        let (retired, now) = (&mut self.retired, Instant::now());
        self.records.retain(|record| {
            let goes = 0 < surplus && record.is_over_for_good();
            if goes {
                surplus -= 1;
                if let Some((group, terms)) = record.group_terms(now) {
                    let counts = retired.get_or_insert_default().entry(group).or_default();
                    *counts = (counts.0 + terms.restarts, counts.1 + terms.skipped);
                }
            }
            !goes
        });
    }
}

/// Enters a service or timer into the list.
pub(super) fn enter(terms: Terms) -> Arc<Record> {
    let record = Arc::new(Record::new(terms));
    let mut list = LIST.lock();
    list.records.push(Arc::clone(&record));
    list.trim();
    record
}

fn records() -> Vec<Arc<Record>> {
    let mut list = LIST.lock();
    list.trim();
    list.records.clone()
}

/// All services and timers of this process that go on, and the newest 100 that are over; the oldest first.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), headcount::ServiceError> {
/// use std::time::Duration;
///
/// headcount::every(Duration::from_secs(30), "refresh-cache").run(|| async { /* … */ })?;
/// assert_eq!(&*headcount::services()[0].name, "refresh-cache");
/// # Ok(())
/// # }
/// ```
pub fn services() -> Vec<ServiceInfo> {
    records().iter().map(|record| record.info()).collect()
}

/// Services and timers that go on, were begun inside a leak check, and have no run among `found`.
pub fn between_runs(scope: u64, found: &[TaskId]) -> Vec<ServiceInfo> {
    let records = records();
    let is_within = |record: &&Arc<Record>| record.scope.as_ref().is_some_and(|found| found.is_within(scope));
    let infos = records.iter().filter(is_within).map(|record| record.info());
    let is_found = |service: &ServiceInfo| service.task.is_some_and(|task| found.contains(&task));
    infos.filter(|service| !service.state.is_over() && !is_found(service)).collect()
}

/// The service or timer of this id.
pub fn find(id: ServiceId) -> Option<Arc<Record>> {
    records().into_iter().find(|record| record.id == id)
}

/// What metrics show of each group that has or had services or timers.
pub fn by_group() -> HashMap<u32, GroupTerms> {
    let (records, retired) = {
        let mut list = LIST.lock();
        list.trim();
        (list.records.clone(), list.retired.clone().unwrap_or_default())
    };
    let (mut groups, now) = (HashMap::<u32, GroupTerms>::new(), Instant::now());
    for (group, of_record) in records.iter().filter_map(|record| record.group_terms(now)) {
        let terms = groups.entry(group).or_default();
        terms.up += of_record.up;
        terms.restarts += of_record.restarts;
        terms.skipped += of_record.skipped;
        terms.last_success = terms.last_success.max(of_record.last_success);
    }
    for (group, (restarts, skipped)) in retired {
        let terms = groups.entry(group).or_default();
        terms.restarts += restarts;
        terms.skipped += skipped;
    }
    groups
}
