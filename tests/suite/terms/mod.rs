//! Timeouts, limits and keys.

#[cfg(all(feature = "admin", feature = "tower"))]
mod exempt;
mod hostile;
mod keys;
mod limits;
mod off;
mod operator;
mod timeouts;

use std::time::Duration;

use headcount::snapshot::{GroupInfo, Outcome};
use tokio::task::JoinError;

use crate::support::wait::until_true_yielding as until;

const HOUR: Duration = Duration::from_secs(3600);

/// The outcome that the code which awaits a task learns.
#[track_caller]
fn outcome<T: std::fmt::Debug>(result: Result<T, JoinError>) -> Outcome {
    headcount::outcome_of(&result.unwrap_err())
}

/// The groups of a name, which differ in their places, as one.
#[track_caller]
fn group(name: &str) -> GroupInfo {
    let groups = headcount::snapshot().groups;
    let mut of_name = groups.into_iter().filter(|group| &*group.name == name);
    let mut sum = of_name.next().expect(name);
    for group in of_name {
        sum.spawned += group.spawned;
        sum.live += group.live;
        Outcome::ALL.iter().for_each(|outcome| sum.finished.add(*outcome, group.finished.get(*outcome)));
        if let (Some(sum), Some(terms)) = (&mut sum.terms, group.terms) {
            sum.limited += terms.limited;
            sum.rejected.extend(terms.rejected);
        }
    }
    sum
}
