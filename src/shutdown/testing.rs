//! What the tests of this module share.

use std::time::{Duration, SystemTime};

use crate::snapshot::{Kind, OnShutdown, Progress, State, TaskInfo};

/// The task of the examples.
pub(crate) fn example() -> TaskInfo {
    TaskInfo {
        id: 17,
        name: "send-email".into(),
        kind: Kind::Task,
        labels: [].into(),
        fields: Vec::new(),
        state: State::Idle,
        state_for: Duration::from_millis(1_100),
        cancellable: true,
        started_at: SystemTime::UNIX_EPOCH,
        age: Duration::from_millis(3_200),
        busy: Duration::ZERO,
        polls: 4,
        status: Some("batch 3/10".into()),
        progress: Some(Progress { done: 3, total: 10 }),
        location: "src/main.rs:41".into(),
        parent: None,
        on_shutdown: OnShutdown::Wait,
        grace: None,
        group: 0,
        usual: None,
    }
}
