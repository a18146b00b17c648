//! loom models of the gate: a place is handed over, never lost and never given twice.

use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::thread;

use super::gate::{Bounds, Entered, Gate, Permit, Waiting};

fn gate(at_once: u32, queue: u32) -> &'static Gate {
    Box::leak(Box::new(Gate::new(Bounds { at_once, queue })))
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Counts itself in while it is admitted.
fn work(inside: &AtomicU64, permit: Permit) {
    assert_eq!(inside.fetch_add(1, Ordering::AcqRel), 0, "two were admitted at once");
    inside.fetch_sub(1, Ordering::AcqRel);
    drop(permit);
}

/// Works at once where there is room, else waits in the line.
fn enter(gate: &'static Gate, inside: &AtomicU64) -> Option<Waiting> {
    match gate.enter(true) {
        Entered::Admitted(permit) => {
            work(inside, permit);
            None
        }
        Entered::Waits(waiting) => Some(waiting),
        Entered::Full => panic!("there is room in the line"),
    }
}

/// The others have left, so one that waited has its place.
fn be_admitted(waiting: Option<Waiting>, inside: &AtomicU64) {
    let Some(mut waiting) = waiting else { return };
    let Poll::Ready(permit) = waiting.poll(&Context::from_waker(Waker::noop())) else {
        panic!("the place was lost")
    };
    work(inside, permit);
}

/// One leaves while another enters: it is admitted at once, or by the one that leaves.
#[test]
fn a_place_given_back_reaches_one_that_enters() {
    explore(|| {
        let (gate, inside) = (gate(1, 1), Arc::new(AtomicU64::new(0)));
        let first = gate.try_enter().expect("there is room");
        let other = thread::spawn({
            let inside = inside.clone();
            move || work(&inside, first)
        });
        let waiting = enter(gate, &inside);
        other.join().unwrap();
        be_admitted(waiting, &inside);
        assert_eq!((gate.running(), gate.waiting()), (0, 0));
    });
}

/// The one that waits is aborted while the place is handed to it: the place is free again, or goes on to the
/// next in the line.
#[test]
fn a_place_handed_to_one_that_is_aborted_goes_on() {
    explore(|| {
        let gate = gate(1, 2);
        let first = gate.try_enter().expect("there is room");
        let (Entered::Waits(second), Entered::Waits(mut third)) = (gate.enter(true), gate.enter(true)) else {
            panic!("both wait")
        };
        let leaver = thread::spawn(move || drop(first));
        drop(second);
        leaver.join().unwrap();
        let Poll::Ready(permit) = third.poll(&Context::from_waker(Waker::noop())) else {
            panic!("the place was lost")
        };
        assert_eq!((gate.running(), gate.waiting()), (1, 0));
        drop(permit);
        assert_eq!(gate.running(), 0);
    });
}

/// A stop drops all that wait while places are handed out.
#[test]
fn a_stop_leaves_no_place_behind() {
    explore(|| {
        let gate = gate(1, 2);
        let first = gate.try_enter().expect("there is room");
        let Entered::Waits(second) = gate.enter(true) else { panic!("it waits") };
        let stop = thread::spawn(move || drop(second));
        let late = match gate.enter(true) {
            Entered::Waits(late) => Some(late),
            Entered::Admitted(_) => panic!("the first one is there"),
            Entered::Full => None,
        };
        drop(first);
        drop(late);
        stop.join().unwrap();
        assert_eq!((gate.running(), gate.waiting()), (0, 0));
    });
}

/// A stop drops all that wait, the last first or the first first, while the place is handed out.
#[test]
fn a_stop_drops_all_that_wait_while_a_place_is_handed_out() {
    for is_first_first in [true, false] {
        explore(move || {
            let gate = gate(1, 3);
            let first = gate.try_enter().expect("there is room");
            let (Entered::Waits(second), Entered::Waits(third)) = (gate.enter(true), gate.enter(true)) else {
                panic!("both wait")
            };
            let leaver = thread::spawn(move || drop(first));
            if is_first_first {
                drop(second);
                drop(third);
            } else {
                drop(third);
                drop(second);
            }
            leaver.join().unwrap();
            assert_eq!((gate.running(), gate.waiting(), gate.queued()), (0, 0, 0));
            assert!(gate.try_enter().is_some());
        });
    }
}

/// One that waits is aborted while another comes and the place is handed out: there is never more than one
/// inside, and the place is neither lost nor kept.
#[test]
fn a_place_handed_to_one_that_is_aborted_is_free_for_one_that_comes() {
    explore(|| {
        let (gate, inside) = (gate(1, 2), Arc::new(AtomicU64::new(0)));
        let first = gate.try_enter().expect("there is room");
        let Entered::Waits(second) = gate.enter(true) else { panic!("it waits") };
        let leaver = thread::spawn({
            let inside = inside.clone();
            move || work(&inside, first)
        });
        let aborter = thread::spawn(move || drop(second));
        let waiting = enter(gate, &inside);
        leaver.join().unwrap();
        aborter.join().unwrap();
        be_admitted(waiting, &inside);
        assert_eq!((gate.running(), gate.waiting()), (0, 0));
    });
}

/// Notes that it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// One that waits polls while the place is handed to it: it sees the place, or it is woken.
#[test]
fn one_that_polls_is_not_forgotten() {
    explore(|| {
        let gate = gate(1, 1);
        let first = gate.try_enter().expect("there is room");
        let Entered::Waits(mut second) = gate.enter(true) else { panic!("it waits") };
        let leaver = thread::spawn(move || drop(first));
        let flag = std::sync::Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        let is_pending = second.poll(&Context::from_waker(&waker)).map(drop).is_pending();
        leaver.join().unwrap();
        if is_pending {
            assert!(flag.0.load(Ordering::Acquire), "nothing wakes it");
            assert!(second.poll(&Context::from_waker(&waker)).map(drop).is_ready());
        }
        drop(second);
        assert_eq!((gate.running(), gate.waiting()), (0, 0));
    });
}

/// A limit is raised while another leaves.
#[test]
fn a_limit_that_is_raised_admits_what_waits() {
    explore(|| {
        let gate = gate(1, 2);
        let first = gate.try_enter().expect("there is room");
        let Entered::Waits(mut second) = gate.enter(true) else { panic!("it waits") };
        let raiser = thread::spawn(move || gate.set_bounds(Bounds { at_once: 2, queue: 2 }));
        drop(first);
        raiser.join().unwrap();
        let Poll::Ready(permit) = second.poll(&Context::from_waker(Waker::noop())) else {
            panic!("it was not admitted")
        };
        assert_eq!((gate.running(), gate.waiting()), (1, 0));
        drop(permit);
        assert_eq!((gate.running(), gate.waiting()), (0, 0));
    });
}
