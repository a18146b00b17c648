//! Tasks of many groups: ten places in this file, with twenty names each.

use std::future::Future;
use std::sync::LazyLock;

use tokio::task::JoinHandle;

use crate::subject::Subject;

/// Groups that [`spawn_from_a_place`] can make.
pub const MOST: usize = 200;

static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| (0..MOST).map(|index| &*format!("task-{index:03}").leak()).collect());

/// Spawns a task of group `index`. One place may have twenty names: more would fold into one group.
#[allow(clippy::match_same_arms)]
pub fn spawn_from_a_place<S, F>(subject: S, index: usize, future: F) -> JoinHandle<()>
where
    S: Subject,
    F: Future<Output = ()> + Send + 'static,
{
    let name = NAMES[index];
    match index % 10 {
        0 => subject.spawn_named(name, future),
        1 => subject.spawn_named(name, future),
        2 => subject.spawn_named(name, future),
        3 => subject.spawn_named(name, future),
        4 => subject.spawn_named(name, future),
        5 => subject.spawn_named(name, future),
        6 => subject.spawn_named(name, future),
        7 => subject.spawn_named(name, future),
        8 => subject.spawn_named(name, future),
        _ => subject.spawn_named(name, future),
    }
}
