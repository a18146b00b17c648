//! loom models of the slot, the slab, the census and the fast way:
//! `RUSTFLAGS="--cfg headcount_loom" cargo test -p headcount-core --lib model`.

use std::panic::Location;

use loom::sync::Arc;
use loom::thread;

use crate::outcome::Outcome;
use crate::registry::census::Census;
use crate::registry::config::Config;
use crate::registry::flags::{COUNTING, Flags, NOT_OPEN, NOT_READY, Seen};
use crate::registry::group::{Group, Groups, NameSource, Signature};
use crate::registry::history::Histories;
use crate::registry::hot::Hot;
use crate::registry::kind::{Kind, OnShutdown};
use crate::registry::slab::{FreeSlots, Slab};
use crate::registry::slot::{ABANDONED, Birth, COUNTED, Slot, first_bits, group_bits, lineage};
use crate::registry::stripe::{Bounds, Ended, Stripe};
use crate::sync::Mutex;

fn birth(id: u64) -> Birth {
    Birth {
        id,
        bits: first_bits(Kind::Task, OnShutdown::Wait, 0),
        lineage: lineage(id, false),
        group: group_bits(0),
        started: id,
    }
}

fn new_stripe() -> &'static Stripe {
    let bounds = std::sync::Arc::new(Bounds::new(vec![]));
    Box::leak(Box::new(Stripe::new(bounds, 0, first_bits(Kind::Task, OnShutdown::Wait, 0))))
}

/// The flag word of a process in which nothing is special.
fn plain_flags() -> Arc<Flags> {
    let flags = Flags::new();
    flags.clear(NOT_READY);
    Arc::new(flags)
}

/// A thread's cells with one slot, one id and a stripe.
fn hot_with(slot: &'static Slot<u64>, id: u64, stripe: &'static Stripe) -> Hot<u64> {
    let hot = Hot::new();
    hot.open();
    give(&hot, slot);
    hot.keep_ids(id..id + 1, u64::MAX);
    hot.keep_stripe(stripe);
    hot
}

fn give(hot: &Hot<u64>, slot: &'static Slot<u64>) {
    let room = hot.free.room().expect("it has few");
    hot.free.push(room, slot);
}

/// Begins a task the fast way, which has all that it needs.
fn begin(hot: &Hot<u64>, stripe: &'static Stripe, flags: &Flags) -> (&'static Slot<u64>, Seen) {
    hot.begin(stripe, flags, || 1).expect("nothing is special yet")
}

/// One poll, after which the task is ready.
fn poll(slot: &Slot<u64>) {
    slot.poll_began(2);
    slot.poll_ended(2, 3);
    slot.mark_ready();
}

/// Ends a task the fast way.
fn end(hot: &Hot<u64>, slot: &'static Slot<u64>) {
    let (identity, _) = slot.end();
    assert!(hot.end(slot, identity, |start, end| end - start), "nothing is special");
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    explore_within(3, model);
}

/// With fewer changes of thread, for models of many steps.
fn explore_within(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
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
            let own = FreeSlots::new();
            let slot = slab.acquire(&own);
            slot.begin(&birth(id));
            slab.retire(&own);
            slot
        };
        let other = thread::spawn({
            let slab = slab.clone();
            move || {
                let slot = take(&slab, 1);
                slot.end();
                let own = FreeSlots::new();
                slab.release(slot, &own);
                slab.retire(&own);
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
        // loom distinguishes only the last accesses. The thread that loads before it stores must be the first
        // one, or loom does not move its stores.
        let reader = thread::spawn(move || slot.read().expect("it lives").busy_until(20));
        slot.poll_ended(10, 20);
        assert!(reader.join().unwrap() <= 10);
        assert_eq!(slot.read().expect("it lives").busy_until(20), 10);
    });
}

/// A thread that goes through all slots sets a flag while the task begins. A reading that sees the flag sees
/// the task's fields too.
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

/// One thread counts a task as begun, another counts it as ended: no reading finds more ended than begun.
#[test]
fn whatever_has_ended_was_spawned_before() {
    explore(|| {
        let (spawner, ender) = (new_stripe(), new_stripe());
        let slot = new_slot();
        let reader = thread::spawn(move || {
            let mut ended = Ended::default();
            ender.add_ended(Outcome::Ok, &mut ended);
            let polls = ender.polls();
            let spawned = spawner.spawned();
            let live = slot.read().map_or(0, |task| task.polls());
            assert!(ended.total() <= spawned, "{ended:?} {spawned}");
            assert!(polls + live <= 1, "seen as ended and as live");
        });
        spawner.count_spawn();
        slot.begin(&birth(1));
        slot.poll_began(1);
        slot.end();
        ender.count_end(Outcome::Ok, 1, slot.own().polls(), 1);
        reader.join().unwrap();
    });
}

/// The same the fast way: begun by one thread, ended by another.
#[test]
fn a_task_of_the_fast_way_is_live_or_ended() {
    explore_within(2, || {
        let (spawner, ender) = (new_stripe(), new_stripe());
        let slot = new_slot();
        let reader = thread::spawn(move || {
            let mut ended = Ended::default();
            ender.add_ended(Outcome::Ok, &mut ended);
            let live = slot.read();
            assert!(ended.total() + u64::from(live.is_some()) <= 1, "seen as ended and as live");
            assert!(live.is_none_or(|task| task.id() == 7 && task.started == 1), "{live:?}");
            assert!(ended.total() <= spawner.spawned(), "{ended:?}");
        });
        let flags = plain_flags();
        let hot = hot_with(slot, 7, spawner);
        let (slot, _) = begin(&hot, spawner, &flags);
        let worker = thread::spawn(move || {
            let hot = hot_with(new_slot(), 8, ender);
            hot.keep_chunk(Histories::default().lend_with_room(2).chunk());
            poll(slot);
            end(&hot, slot);
        });
        worker.join().unwrap();
        reader.join().unwrap();
        let mut ended = Ended::default();
        ender.add_ended(Outcome::Ok, &mut ended);
        assert_eq!((ended.total(), spawner.spawned(), ender.polls()), (1, 1, 1));
    });
}

/// A thread ends, and another takes over its stripe, its slot and its history: nothing that either wrote is
/// lost, and no record is of two tasks.
#[test]
fn the_cells_of_a_thread_are_handed_over() {
    explore_within(2, || {
        let slab: Arc<Slab<u64>> = Arc::new(Slab::new(1, 1));
        let histories = Arc::new(Histories::default());
        let group = new_group();
        let flags = plain_flags();
        let one_task = {
            let (slab, histories, flags) = (slab.clone(), histories.clone(), flags.clone());
            move |id| {
                let mut history = histories.lend_with_room(2);
                let stripe = group.lend_stripe();
                let hot = hot_with(slab.refill(&FreeSlots::new()), id, stripe);
                hot.keep_chunk(history.chunk());
                let (slot, _) = begin(&hot, stripe, &flags);
                poll(slot);
                end(&hot, slot);
                // As the destructor of a thread's own does it.
                hot.close();
                slab.retire(&hot.free);
                group.return_stripe(stripe);
                history.make_room(2);
                histories.give_back(history);
            }
        };
        let first = thread::spawn({
            let one_task = one_task.clone();
            move || one_task(1)
        });
        one_task(2);
        for record in histories.read(2).records {
            assert_eq!(record.task.started, 1, "{record:?}");
        }
        first.join().unwrap();
        let totals = group.totals();
        assert_eq!((totals.spawned, totals.ended[Outcome::Ok as usize].total(), totals.polls), (2, 2, 2));
        let mut ids: Vec<u64> = histories.read(2).records.iter().map(|record| record.task.id()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2]);
    });
}

fn signature() -> Signature<'static> {
    Signature {
        name: NameSource::Code("model::task::{{closure}}"),
        labels: &[],
        kind: Kind::Task,
        location: Location::caller(),
    }
}

fn new_group() -> &'static Group {
    Groups::default().find(&signature(), &Config::new())
}

/// Two threads begin the first task of a group at once: there is one group, with what both counted.
#[test]
fn a_group_is_made_once() {
    explore(|| {
        let (groups, config) = (Arc::new(Groups::default()), std::sync::Arc::new(Config::new()));
        let signature = signature();
        let count = {
            let groups = groups.clone();
            move || {
                let group = groups.find(&signature, &config);
                let stripe = group.lend_stripe();
                stripe.count_spawn();
                group.return_stripe(stripe);
                group.id
            }
        };
        let other = thread::spawn(count.clone());
        assert_eq!(count(), other.join().unwrap());
        assert_eq!(groups.all().len(), 1);
        assert_eq!(groups.all()[0].totals().spawned, 2);
    });
}

/// Holds the handle of a task that began the fast way. If something is special by then, does what the whole
/// way does about the census and the policy, and says that it was.
fn hold(slot: &'static Slot<u64>, seen: Seen, flags: &Flags, census: &Census, group: &Group) -> bool {
    let Some(handle) = slot.hold_plain(slot.identity(), 1, || flags.see() == seen) else { return false };
    if let Some(mut task) = slot.lock_any() {
        if let (true, Some(policy)) = (flags.see().differs_from(seen), group.policy()) {
            task.set_policy(policy);
        }
        task.hold(handle);
    }
    count(census, slot);
    true
}

/// The policies change while a task begins with the former one: it has the new one once both are done.
#[test]
fn a_policy_is_not_missed() {
    explore_within(2, || {
        let (flags, group, slot) = (plain_flags(), new_group(), new_slot());
        let stripe = group.lend_stripe();
        let hot = hot_with(slot, 1, stripe);
        let setter = thread::spawn({
            let flags = flags.clone();
            move || {
                group.set_policy(Some(OnShutdown::Last));
                flags.change();
                if let Some(mut task) = slot.lock_any() {
                    task.set_policy(group.policy().expect("it was set"));
                }
            }
        });
        let (_, seen) = begin(&hot, stripe, &flags);
        hold(slot, seen, &flags, &Census::new(), group);
        setter.join().unwrap();
        assert_eq!(slot.read().expect("it lives").policy(), OnShutdown::Last);
    });
}

/// The census starts while a task begins the fast way, is held and ends: it is on the count, or was never
/// there to be counted.
#[test]
fn the_census_starts_in_between() {
    explore_within(2, || {
        let (flags, group, slot) = (plain_flags(), new_group(), new_slot());
        let census = Arc::new(Census::new());
        let stripe = group.lend_stripe();
        let hot = hot_with(slot, 1, stripe);
        let counter = thread::spawn({
            let (flags, census) = (flags.clone(), census.clone());
            move || {
                census.begin();
                flags.set(COUNTING);
                count(&census, slot);
            }
        });
        if let Some((_, seen)) = hot.begin(stripe, &flags, || 1) {
            hold(slot, seen, &flags, &census, group);
            poll(slot);
            let mid = (slot.read().expect("it lives").has(COUNTED), census.count(OnShutdown::Wait));
            assert!(!mid.0 || mid.1 == 1, "counted as {mid:?}");
            counter.join().unwrap();
            assert_eq!(census.count(OnShutdown::Wait), 1);
            let (identity, _) = slot.end();
            assert_ne!(identity & COUNTED, 0, "a task that was held is counted");
            census.remove(OnShutdown::Wait);
        } else {
            counter.join().unwrap();
        }
        assert_eq!(census.count(OnShutdown::Wait), 0);
    });
}

/// The same of a tracked future: nothing holds it, so its begin asks once more.
#[test]
fn the_census_starts_while_a_future_begins() {
    explore_within(2, || {
        let (flags, group, slot) = (plain_flags(), new_group(), new_slot());
        let census = Arc::new(Census::new());
        let stripe = group.lend_stripe();
        let hot = hot_with(slot, 1, stripe);
        let counter = thread::spawn({
            let (flags, census) = (flags.clone(), census.clone());
            move || {
                census.begin();
                flags.set(COUNTING);
                count(&census, slot);
            }
        });
        let begun = hot.begin(stripe, &flags, || 1);
        if begun.is_some_and(|(_, seen)| slot.is_special(|| flags.see() != seen)) {
            count(&census, slot);
        }
        counter.join().unwrap();
        assert_eq!(census.count(OnShutdown::Wait), usize::from(begun.is_some()));
    });
}

/// The process begins to stop while a task begins: the coordinator finds the task, or its spawner finds out.
#[test]
fn a_task_does_not_slip_through_the_closing_door() {
    explore_within(2, || {
        let (flags, group, slot) = (plain_flags(), new_group(), new_slot());
        let stripe = group.lend_stripe();
        let hot = hot_with(slot, 1, stripe);
        let coordinator = thread::spawn({
            let flags = flags.clone();
            move || {
                flags.set(NOT_OPEN);
                slot.lock_any().is_some()
            }
        });
        let noticed = match hot.begin(stripe, &flags, || 1) {
            Some((_, seen)) => hold(slot, seen, &flags, &Census::new(), group),
            None => true,
        };
        assert!(coordinator.join().unwrap() || noticed);
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

/// One thread spawns and ends a task; another begins counting and waits until none is left. The waiter must
/// be woken.
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

/// One task begins to wait inside while the only other one ends. One of the two wakes the thread that looks
/// for "all that are left wait".
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
