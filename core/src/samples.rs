//! Plain data for the unit tests of `headcount`, which cannot write literals of non-exhaustive structs.

use std::time::{Duration, SystemTime};

use crate::outcome::{Outcome, OutcomeCounts};
use crate::registry::kind::{Kind, Labels, OnShutdown, Progress};
use crate::service::{LastRun, Restart, ServiceInfo, ServiceState};
use crate::snapshot::{
    Bucket, Durations, GroupInfo, Oldest, Pace, State, TaskInfo, TermsInfo, TimeoutInfo, Usual,
};

/// An idle task.
pub fn task() -> TaskInfo {
    TaskInfo {
        id: 17.into(),
        name: "send-email".into(),
        kind: Kind::Task,
        labels: Labels::new(Vec::new()),
        fields: Vec::new(),
        trace_id: None,
        state: State::Idle,
        state_for: Duration::from_millis(1_100),
        cancellable: true,
        started_at: SystemTime::UNIX_EPOCH,
        age: Duration::from_millis(3_200),
        busy: Duration::ZERO,
        polls: 4,
        status: Some("batch 3/10".into()),
        progress: Some(Progress { done: 3, total: 10 }),
        pace: None,
        location: "src/main.rs:41".into(),
        parent: None,
        children: 0,
        on_shutdown: OnShutdown::Wait,
        listens: false,
        grace: None,
        timeout: None,
        group: 0.into(),
        usual: None,
    }
}

/// A service whose last run panicked.
pub fn service() -> ServiceInfo {
    ServiceInfo {
        id: 1.into(),
        name: "consumer".into(),
        kind: Kind::Service,
        location: "src/main.rs:12".into(),
        state: ServiceState::Running,
        state_for: Duration::from_secs(40),
        age: Duration::from_secs(3_600),
        critical: false,
        on_shutdown: OnShutdown::Wait,
        restart: Some(Restart::OnFailure),
        period: None,
        timeout: None,
        task: Some(17.into()),
        running_for: Some(Duration::from_secs(40)),
        last: Some(LastRun {
            task: Some(12.into()),
            outcome: Outcome::Panic,
            message: Some("no connection".into()),
            took: Duration::from_secs(5),
            ended_ago: Duration::from_secs(41),
        }),
        last_success: None,
        next_in: None,
        runs: 2,
        failures: 1,
        failures_in_a_row: 1,
        restarts: 1,
        skipped: 0,
        overruns: 0,
    }
}

/// The terms of a group that has none.
pub fn terms() -> TermsInfo {
    TermsInfo {
        timeout: None,
        timeout_set_by: None,
        limit: None,
        queue: None,
        limit_set_by: None,
        queued: 0,
        limited: 0,
        first_in_line: None,
        rejected: Vec::new(),
        waited: Vec::new(),
        on_shutdown: OnShutdown::Wait,
        grace: None,
    }
}

/// A group without tasks.
pub fn group() -> GroupInfo {
    GroupInfo {
        id: 1.into(),
        name: "send-email".into(),
        kind: Kind::Task,
        labels: Labels::new(Vec::new()),
        location: "src/main.rs:1".into(),
        live: 0,
        blocked: 0,
        spawned: 0,
        finished: OutcomeCounts::default(),
        polls: 0,
        slow_polls: 0,
        busy: Duration::ZERO,
        durations: Durations::default(),
        usual: None,
        oldest: None,
        last_failure: None,
        terms: None,
    }
}

pub fn usual(count: u64, p50: Duration, p95: Duration, p99: Duration) -> Usual {
    Usual { count, p50, p95, p99, at_most: false }
}

pub fn pace(per_second: f64, reported_ago: Duration) -> Pace {
    Pace { per_second, reported_ago }
}

pub fn timeout(allowed: Duration, elapsed: Duration) -> TimeoutInfo {
    TimeoutInfo { allowed, elapsed, overdue: false }
}

pub fn oldest(id: u64, age: Duration) -> Oldest {
    Oldest { id: id.into(), started_at: SystemTime::UNIX_EPOCH, age }
}

pub fn durations(buckets: Vec<Bucket>) -> Durations {
    Durations { buckets, by_outcome: Vec::new() }
}

pub fn bucket(upper_bound: f64, count: u64, sum: Duration) -> Bucket {
    Bucket { upper_bound, count, sum }
}
