//! loom models of the slot, the slab and the census: `RUSTFLAGS="--cfg headcount_loom" cargo test --no-default-features --lib model`.

use loom::sync::Arc;
use loom::thread;

use crate::outcome::Outcome;
use crate::registry::census::Census;
use crate::registry::kind::{Kind, OnShutdown};
use crate::registry::slab::{FreeSlots, Slab};
use crate::registry::slot::{ABANDONED, Birth, COUNTED, Slot};
use crate::registry::stripe::{Bounds, Ended, Stripe};
use crate::sync::Mutex;

fn birth(id: u64) -> Birth {
    Birth {
        id,
        parent: id,
        scoped: false,
        kind: Kind::Task,
        policy: OnShutdown::Wait,
        flags: 0,
        group: 0,
        started: id,
    }
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn new_slot() -> &'static Slot<u64> {
    Box::leak(Box::new(Slot::new()))
}

#[test]
fn a_reading_is_of_one_task() {
    explore(|| {
        let slot = new_slot();
        slot.begin(&birth(1));
        let writer = thread::spawn(move || {
            slot.end();
            slot.begin(&birth(2));
        });
        if let Some(task) = slot.read() {
            assert_eq!(task.started, task.id(), "started belongs to another task");
            assert_eq!(task.parent(), Some(task.id()), "parent belongs to another task");
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_handle_is_held_only_by_its_task() {
    explore(|| {
        let slot = new_slot();
        slot.begin(&birth(1));
        let spawner = thread::spawn(move || match slot.lock(1) {
            Some(mut task) => {
                task.hold(1);
                true
            }
            None => false,
        });
        // Ends before its spawner came back, or after.
        let (_, handle) = slot.end();
        slot.begin(&birth(2));
        let held = spawner.join().unwrap();
        assert_eq!(handle.is_some(), held);
        assert!(slot.lock(2).unwrap().handle().is_none());
    });
}

#[test]
fn slots_are_never_lent_twice() {
    explore(|| {
        let slab: Arc<Slab<u64>> = Arc::new(Slab::new(2, 1));
        let take = |slab: &Slab<u64>, id| {
            let mut cache = FreeSlots::new();
            let slot = slab.acquire(&mut cache);
            slot.begin(&birth(id));
            slab.retire(&mut cache);
            slot
        };
        let other = thread::spawn({
            let slab = slab.clone();
            move || {
                let slot = take(&slab, 1);
                slot.end();
                let mut cache = FreeSlots::new();
                slab.release(slot, &mut cache);
                slab.retire(&mut cache);
                take(&slab, 2)
            }
        });
        let mine = take(&slab, 3);
        let theirs = other.join().unwrap();
        assert!(!std::ptr::eq(mine, theirs));
        let mut live = Vec::new();
        slab.slots().for_each(|slot| live.extend(slot.read().map(|task| task.id())));
        live.sort_unstable();
        assert_eq!(live, [2, 3]);
    });
}

/// A poll ends while it is read: its time is seen once or not yet, never twice.
#[test]
fn time_in_polls_is_not_seen_twice() {
    explore(|| {
        let slot = new_slot();
        slot.begin(&birth(1));
        slot.poll_began(10);
        // loom tells apart only the last accesses: who loads before it stores is the first thread, or its stores are not moved.
        let reader = thread::spawn(move || slot.read().expect("it lives").busy_until(20));
        slot.poll_ended(10, 20);
        assert!(reader.join().unwrap() <= 10);
        assert_eq!(slot.read().expect("it lives").busy_until(20), 10);
    });
}

/// A flag is set while the task begins, by whoever passes all slots: a reading that sees it sees the task's fields too.
#[test]
fn a_flag_is_not_seen_before_the_fields() {
    explore(|| {
        let slot = new_slot();
        slot.begin(&birth(1));
        slot.end();
        let reader = thread::spawn(move || {
            if let Some(task) = slot.read() {
                assert_eq!((task.id(), task.started), (2, 2), "started belongs to another task");
            }
        });
        let counter = thread::spawn(move || slot.lock_any().map(|mut task| task.set(COUNTED)).is_some());
        slot.begin(&birth(2));
        reader.join().unwrap();
        counter.join().unwrap();
    });
}

/// Flags are set by others while the task ends: either they are among its last, or it had ended before.
#[test]
fn a_flag_is_set_before_the_end_or_not_at_all() {
    explore(|| {
        let slot = new_slot();
        slot.begin(&birth(1));
        let coordinator = thread::spawn(move || slot.lock(1).map(|mut task| task.set(ABANDONED)).is_some());
        let (identity, _) = slot.end();
        slot.begin(&birth(2));
        let set = coordinator.join().unwrap();
        assert_eq!(identity & ABANDONED != 0, set);
        assert!(!slot.read().expect("it lives").has(ABANDONED));
    });
}

/// A task is counted by who spawned it and as ended by who ended it, elsewhere: no reading finds more ended than spawned.
#[test]
fn whatever_has_ended_was_spawned_before() {
    explore(|| {
        let bounds = std::sync::Arc::new(Bounds::new(vec![]));
        let spawner = Arc::new(Stripe::new(bounds.clone()));
        let ender = Arc::new(Stripe::new(bounds));
        // The first task of a stripe makes its buckets, behind a lock that loom does not know.
        spawner.count_spawn();
        ender.count_end(Outcome::Ok, 1, 0, 1);
        let slot = new_slot();
        let reader = thread::spawn({
            let (spawner, ender) = (spawner.clone(), ender.clone());
            move || {
                let mut ended = Ended::default();
                ender.add_ended(Outcome::Ok, &mut ended);
                let polls = ender.polls();
                let spawned = spawner.spawned();
                let live = slot.read().map_or(0, |task| task.polls());
                assert!(ended.total() <= spawned, "{ended:?} {spawned}");
                assert!(polls + live <= 1, "seen as ended and as live");
            }
        });
        spawner.count_spawn();
        slot.begin(&birth(1));
        slot.poll_began(1);
        slot.end();
        ender.count_end(Outcome::Ok, 1, slot.own().polls(), 1);
        reader.join().unwrap();
    });
}

fn count(census: &Census, slot: &Slot<u64>) {
    if let Some(mut task) = slot.lock_any() {
        if census.is_counting() && !task.has(COUNTED) {
            task.set(COUNTED);
            census.add(task.policy());
        }
    }
}

/// One thread spawns and ends a task; another begins counting and waits until none is left. The waiter must be woken.
#[test]
fn the_last_end_wakes_who_waits() {
    explore(|| {
        let slot = new_slot();
        let census = Arc::new(Census::new());
        let woken = Arc::new(loom::sync::Notify::new());
        slot.begin(&birth(1));
        let worker = thread::spawn({
            let (census, woken) = (census.clone(), woken.clone());
            move || {
                count(&census, slot);
                let (identity, _) = slot.end();
                if identity & COUNTED != 0 && census.remove(OnShutdown::Wait) {
                    woken.notify();
                }
            }
        });
        census.begin();
        count(&census, slot);
        while census.count(OnShutdown::Wait) != 0 {
            woken.wait();
        }
        worker.join().unwrap();
        assert_eq!(census.count(OnShutdown::Wait), 0);
        assert!(slot.read().is_none());
    });
}

/// A counted task hands over to one of the other policy and ends: the total never says that none is left.
#[test]
fn a_hand_over_is_never_idle() {
    explore(|| {
        let census = Arc::new(Census::new());
        census.begin();
        census.add(OnShutdown::Last);
        let worker = thread::spawn({
            let census = census.clone();
            move || {
                census.add(OnShutdown::Wait);
                census.remove(OnShutdown::Last);
                census.add(OnShutdown::Last);
                census.remove(OnShutdown::Wait);
            }
        });
        assert_ne!(census.total(), 0);
        worker.join().unwrap();
        assert_eq!(census.total(), 1);
    });
}

/// A task waits for all others from inside. The end of the other either is seen by it, or wakes it.
#[test]
fn who_waits_inside_is_woken_by_the_last_of_the_others() {
    explore(|| {
        let census = Arc::new(Census::new());
        census.begin();
        census.add(OnShutdown::Wait);
        census.add(OnShutdown::Wait);
        let woken = Arc::new(loom::sync::Notify::new());
        let other = thread::spawn({
            let (census, woken) = (census.clone(), woken.clone());
            move || {
                if census.remove(OnShutdown::Wait) {
                    woken.notify();
                }
            }
        });
        census.enter();
        while census.total() != 1 {
            woken.wait();
        }
        census.leave();
        other.join().unwrap();
    });
}

/// One task begins to wait inside while the only other one ends. Whoever looks for "all that are left wait" is woken by one of the two.
#[test]
fn who_looks_for_waiters_alone_is_woken_by_the_last_of_the_others() {
    explore(|| {
        let census = Arc::new(Census::new());
        census.begin();
        census.add(OnShutdown::Wait);
        census.add(OnShutdown::Wait);
        let inside = Arc::new(Mutex::new(0));
        let woken = Arc::new(loom::sync::Notify::new());
        let waiter = thread::spawn({
            let (census, inside, woken) = (census.clone(), inside.clone(), woken.clone());
            move || {
                *inside.lock() = 1;
                census.enter();
                woken.notify();
            }
        });
        let other = thread::spawn({
            let (census, woken) = (census.clone(), woken.clone());
            move || {
                if census.remove(OnShutdown::Wait) {
                    woken.notify();
                }
            }
        });
        loop {
            let waiting = *inside.lock();
            if census.left(OnShutdown::Wait) == waiting {
                break;
            }
            woken.wait();
        }
        waiter.join().unwrap();
        other.join().unwrap();
    });
}
