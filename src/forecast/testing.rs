//! Plain data for the unit tests.

use super::lifetimes::{Lifetimes, Stretch};
use super::load::{GroupFacts, Load};
use super::outlook::{Terms, Waited};
use crate::snapshot::OnShutdown;

/// A task about which nothing is known.
pub(super) fn waited() -> Waited {
    Waited {
        group: 0,
        task: Some(17),
        count: 1.0,
        age: 3.0,
        policy: OnShutdown::Wait,
        cancellable: true,
        listens: false,
        blocked: None,
        progress: None,
        pace: None,
        grace: None,
        timeout: None,
    }
}

/// A stop that would begin now and give 25 s.
pub(super) fn terms() -> Terms {
    Terms {
        within: Some(25.0),
        announce: 0.0,
        told_ago: 0.0,
        last_told_ago: None,
        abort_grace: 1.0,
        connection_grace: 1.0,
        is_stopping: false,
    }
}

/// Groups by their names and what their tasks took, with tasks that are waited for.
pub(super) fn load(groups: &[(&str, &[f64])], waited: Vec<Waited>) -> Load {
    let facts = |(name, durations): &(&str, &[f64])| {
        let ended = stretches(durations.to_vec());
        let curve = Lifetimes::new(&ended, &[]).map(Into::into);
        Some(GroupFacts { name: (*name).into(), curve })
    };
    Load { waited, groups: groups.iter().map(facts).collect() }
}

/// Durations as the history counts them: those that are alike in one stretch.
pub(super) fn stretches(mut durations: Vec<f64>) -> Vec<Stretch> {
    durations.sort_by(f64::total_cmp);
    let mut stretches: Vec<Stretch> = Vec::new();
    for at in durations {
        match stretches.last_mut() {
            Some(last) if at < last.to => last.count += 1.0,
            _ => stretches.push(Stretch { from: at * 0.995, to: at * 1.005, count: 1.0 }),
        }
    }
    stretches
}
