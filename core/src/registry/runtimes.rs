//! The runtimes that tracked tasks were spawned in.
//!
//! A spawn does not look which runtime it is in. A thread looks when it takes ids, which is at most 64 spawns
//! apart, and when it meets a name or a runtime for the first time; so a runtime is known as soon as its
//! first task begins on a thread of its own. A second runtime on a thread that has one already is known 64
//! spawns later at the latest.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, Id};
use tokio::task;

use crate::lock::Mutex;
use crate::name::{self, MAX_NAME};
use crate::registry::panicked::drop_contained;

/// From so many on, those that have ended are looked for.
const MANY: usize = 16;

/// The runtimes of the process that were met and have not ended.
#[derive(Debug, Default)]
pub struct Runtimes {
    known: Mutex<Known>,
    /// What is to be done when one is met.
    when_met: OnceLock<fn()>,
}

#[derive(Debug, Default)]
struct Known {
    met: u64,
    list: Vec<Arc<Met>>,
}

/// A runtime that was met.
#[derive(Debug)]
pub struct Met {
    /// 1 for the first.
    pub number: u64,
    /// The thread that met it.
    pub name: Arc<str>,
    pub handle: Handle,
    /// Tasks of this runtime in which `track`ed futures live, each with how many; nothing counts these tasks
    /// otherwise.
    roots: Mutex<HashMap<task::Id, u32>>,
}

/// The task of a runtime that a `track`ed future lives in.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    runtime: u64,
    task: task::Id,
}

impl Runtimes {
    /// Makes a runtime known, unless it is.
    #[cold]
    pub fn meet(&self, handle: &Handle) -> Arc<Met> {
        if let Some(met) = self.find(handle.id()) {
            return met;
        }
        if let Some(then) = self.when_met.get() {
            then();
        }
        if MANY <= self.known.lock().list.len() {
            self.prune();
        }
        let mut known = self.known.lock();
        if let Some(met) = known.list.iter().find(|met| met.id() == handle.id()) {
            return Arc::clone(met);
        }
        known.met += 1;
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let name = name::cut(thread.into(), MAX_NAME).into();
        let met = Arc::new(Met { number: known.met, name, handle: handle.clone(), roots: Mutex::default() });
        known.list.push(Arc::clone(&met));
        met
    }

    /// What is to be done when a runtime is met, from now on.
    pub fn when_met(&self, then: fn()) {
        let _ = self.when_met.set(then);
    }

    fn find(&self, id: Id) -> Option<Arc<Met>> {
        self.known.lock().list.iter().find(|met| met.id() == id).cloned()
    }

    /// All that have not ended, as far as is known.
    pub fn all(&self) -> Vec<Arc<Met>> {
        self.known.lock().list.clone()
    }

    /// Whether any was ever met.
    pub fn is_any_met(&self) -> bool {
        0 < self.known.lock().met
    }

    /// Forgets the runtimes that have ended, whose handles would keep their memory. The application's threads
    /// do it only if no observer has.
    pub fn prune(&self) {
        let mut ended = self.all();
        ended.retain(|met| met.is_gone());
        if !ended.is_empty() {
            self.known.lock().list.retain(|met| ended.iter().all(|ended| ended.number != met.number));
        }
        // After the lock: with the last handle go the closures that the application gave the runtime.
        drop_contained(ended);
    }

    /// Enters the current task of the current runtime as one that holds a tracked future; `None` outside of a
    /// task.
    pub fn enter_root(&self) -> Option<Root> {
        let task = task::try_id()?;
        let met = self.meet(&Handle::try_current().ok()?);
        *met.roots.lock().entry(task).or_default() += 1;
        Some(Root { runtime: met.number, task })
    }

    /// Ends what [`enter_root`](Self::enter_root) began.
    pub fn leave_root(&self, root: Root) {
        let met = self.known.lock().list.iter().find(|met| met.number == root.runtime).cloned();
        let Some(met) = met else { return };
        let mut roots = met.roots.lock();
        if let Some(futures) = roots.get_mut(&root.task) {
            *futures -= 1;
            if *futures == 0 {
                roots.remove(&root.task);
            }
        }
    }

    /// Tasks that live in all of them, but for those that hold a `track`ed future. `None` before the first
    /// was met.
    pub fn alive(&self) -> Option<u64> {
        let alive = |met: &Arc<Met>| (met.alive() as u64).saturating_sub(met.roots.lock().len() as u64);
        self.is_any_met().then(|| self.all().iter().map(alive).sum())
    }
}

impl Met {
    pub fn id(&self) -> Id {
        self.handle.id()
    }

    pub fn alive(&self) -> usize {
        self.handle.metrics().num_alive_tasks()
    }

    /// Whether the runtime has ended. One that has lets go of each task at once.
    fn is_gone(&self) -> bool {
        if self.alive() != 0 {
            return false;
        }
        let mut task = pin!(self.handle.spawn(async {}));
        matches!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Err(_)))
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_is_known_once_and_forgotten_when_it_ends() {
        let runtimes = Runtimes::default();
        assert_eq!(runtimes.alive(), None);
        let one = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let two = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let numbers = [&one, &two, &one].map(|runtime| runtimes.meet(runtime.handle()).number);
        assert_eq!(numbers, [1, 2, 1]);
        one.spawn(std::future::pending::<()>());
        assert_eq!(runtimes.alive(), Some(1));
        drop(one);
        runtimes.prune();
        assert_eq!(runtimes.all().iter().map(|met| met.number).collect::<Vec<_>>(), [2]);
        drop(two);
        runtimes.prune();
        assert_eq!((runtimes.all().len(), runtimes.alive()), (0, Some(0)));
    }
}
