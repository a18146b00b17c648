//! The only file of the shutdown that reads the registry's slots.

use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::slot::{ABANDONED, LIMITED, Reading};
use crate::snapshot::{Kind, OnShutdown};
use headcount_core::internal::snapshot::read;

/// A task as it was seen, and where.
pub(crate) type Seen = (Current, Reading);

/// Calls a function with each live task.
pub(crate) fn each(mut see: impl FnMut(Current, Reading)) {
    read::live().for_each(|(slot, task)| see(Current { slot, id: task.id() }, task));
}

/// Live tasks that pass, all of them.
pub(crate) fn all(admits: impl Fn(&Reading) -> bool) -> Vec<Seen> {
    let mut found = Vec::new();
    each(|current, task| {
        if admits(&task) {
            found.push((current, task));
        }
    });
    found
}

/// A task as it is now; `None` if it has ended.
pub(crate) fn read(current: Current) -> Option<Reading> {
    current.slot.read().filter(|task| task.id() == current.id)
}

/// Whether a limit has not admitted the task yet.
pub(crate) fn waits_for_a_place(current: Current) -> bool {
    read(current).is_some_and(|task| task.has(LIMITED))
}

/// Whether the task has ended. Its end may still be on its way to whatever watches it.
pub(crate) fn is_gone(current: Current) -> bool {
    current.slot.id() != current.id
}

/// What becomes of the task when the process stops; `None` if it has ended.
pub(crate) fn policy(current: Current) -> Option<OnShutdown> {
    current.slot.lock(current.id).map(|task| task.policy())
}

/// Whether a task is waited for.
pub(crate) fn is_waited_for(task: &Reading) -> bool {
    matches!(task.policy(), OnShutdown::Wait | OnShutdown::Last | OnShutdown::Connection)
}

/// Whether a task is waited for to end by itself.
pub(crate) fn is_still_hoped_for(task: &Reading) -> bool {
    is_waited_for(task) && !task.has(ABANDONED)
}

/// The task and the tasks whose polls it is polled inside of: what cannot go on before it does.
///
/// A future that is tracked in place has its parent's poll around it, or that of the task it was handed to.
/// The runtime knows the latter by its own id, which the abort handle has too.
pub(crate) fn enclosing(current: Current) -> Vec<Current> {
    let mut tasks = vec![current];
    let mut inner = current;
    while let Some(task) = read(inner).filter(|task| is_polled_in_place(task.kind())) {
        let outer = task.parent().and_then(|id| registry().find(id));
        let is_around = |outer: &Current| read(*outer).is_some_and(|task| task.polling_since().is_some());
        let Some(outer) = outer.filter(is_around) else { break };
        tasks.push(outer);
        inner = outer;
    }
    if read(inner).is_some_and(|task| is_polled_in_place(task.kind())) {
        tasks.extend(spawned_here());
    }
    tasks.sort_unstable_by_key(|task| task.id);
    tasks.dedup_by_key(|task| task.id);
    tasks
}

const fn is_polled_in_place(kind: Kind) -> bool {
    matches!(kind, Kind::Future | Kind::Request)
}

/// The tracked task that the runtime polls on this thread.
fn spawned_here() -> Option<Current> {
    let id = tokio::task::try_id()?;
    let is_it = |current: Current| {
        let mut task = current.slot.lock(current.id)?;
        (task.handle()?.id() == id).then_some(())
    };
    let polled = all(|task| task.polling_since().is_some());
    polled.into_iter().map(|(current, _)| current).find(|current| is_it(*current).is_some())
}
