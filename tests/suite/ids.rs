//! Ids are unique, and follow the order of the spawns as people see it.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// After which a thread gives up what it has of its ids.
const LASTS: Duration = Duration::from_millis(10);

/// Spawns so many tasks one after another, from one place, and gives their ids.
fn spawn(runtime: &Runtime, tasks: u32) -> Vec<u64> {
    let spawn = || headcount::spawn(async { headcount::current().unwrap().id().get() });
    runtime.block_on(async {
        let handles: Vec<_> = (0..tasks).map(|_| spawn()).collect();
        let mut ids = Vec::new();
        for handle in handles {
            ids.push(handle.await.unwrap());
        }
        ids
    })
}

/// A thread that spawns what it is told to.
struct Spawner {
    orders: SyncSender<u32>,
    ids: Receiver<Vec<u64>>,
}

impl Spawner {
    fn begin() -> Self {
        let ((orders, ordered), (send, ids)) = (sync_channel(0), sync_channel(0));
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().build().unwrap();
            for tasks in ordered {
                send.send(spawn(&runtime, tasks)).unwrap();
            }
        });
        Self { orders, ids }
    }

    fn spawn(&self, tasks: u32) -> Vec<u64> {
        self.orders.send(tasks).unwrap();
        self.ids.recv().unwrap()
    }
}

#[test]
fn ids_follow_the_order_of_spawns() {
    own_process!();
    let spawners = [(); 3].map(|()| Spawner::begin());
    let mut ids = Vec::new();
    // Each has a range that is as large as can be, and used in part.
    for spawner in &spawners {
        ids.extend(spawner.spawn(1_000));
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    for tasks in [3, 1, 2, 1, 1, 1] {
        for spawner in &spawners {
            thread::sleep(LASTS);
            ids.extend(spawner.spawn(tasks));
        }
    }
    let later = &ids[ids.len() - 27..];
    assert!(later.is_sorted(), "{later:?}");
    assert!(ids[..ids.len() - 27].iter().all(|id| *id < later[0]), "{later:?}");
    // Who spawns now and then leaves no gap.
    let newest = &ids[ids.len() - 6..];
    assert!(newest.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{newest:?}");
}
