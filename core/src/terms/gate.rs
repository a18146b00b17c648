//! Admission: at most so many at once, the others in the order in which they came.
//!
//! # Protocol
//!
//! `count` holds how many are admitted and how many wait, in one word. While nothing waits and there is room,
//! entering and leaving change this word and nothing else.
//!
//! The number of those that wait changes only under the lock of the line. So a thread that holds the lock
//! and sees a waiter in the word finds it in the line. Nothing enters from the side while something waits:
//! whatever leaves then takes the lock, and hands its place to the first in the line.
//!
//! A place is a [`Permit`]. It is handed over before the waiter runs. So a waiter that is dropped looks,
//! under the lock, whether it stands in the line: if not, the place is its own, and it leaves like any other.

use std::collections::BTreeMap;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::sync::{AtomicU64, Mutex, Ordering};

/// In [`Gate::count`]: one that waits. Below are those that were admitted.
const WAITING: u64 = 1 << 32;

/// How many at once, and how many may wait for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub at_once: u32,
    pub queue: u32,
}

impl Bounds {
    const fn pack(self) -> u64 {
        (self.queue as u64) << 32 | self.at_once as u64
    }

    #[allow(clippy::cast_possible_truncation, reason = "one half of the word")]
    const fn unpack(word: u64) -> Self {
        Self { at_once: word as u32, queue: (word >> 32) as u32 }
    }
}

#[derive(Debug)]
pub struct Gate {
    count: AtomicU64,
    /// [`Bounds`] in one word.
    bounds: AtomicU64,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiting: BTreeMap<u64, Arc<Ticket>>,
    /// How many of them the queue's bound counts.
    queued: u32,
}

#[derive(Debug)]
struct Ticket {
    is_queued: bool,
    state: Mutex<TicketState>,
}

#[derive(Debug, Default)]
struct TicketState {
    is_admitted: bool,
    waker: Option<Waker>,
}

/// What entering came to.
#[derive(Debug)]
pub enum Entered {
    Admitted(Permit),
    Waits(Waiting),
    /// As many wait as may.
    Full,
}

/// A place behind the gate, given back when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct Permit(&'static Gate);

/// A place in the line, left when this is dropped.
#[derive(Debug)]
pub struct Waiting {
    gate: &'static Gate,
    place: u64,
    ticket: Arc<Ticket>,
    is_over: bool,
}

impl Gate {
    #[cfg(not(headcount_loom))]
    pub const fn new(bounds: Bounds) -> Self {
        let line = Line { next: 0, waiting: BTreeMap::new(), queued: 0 };
        Self { count: AtomicU64::new(0), bounds: AtomicU64::new(bounds.pack()), line: Mutex::new(line) }
    }

    #[cfg(headcount_loom)]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            count: AtomicU64::new(0),
            bounds: AtomicU64::new(bounds.pack()),
            line: Mutex::new(Line::default()),
        }
    }

    /// Other bounds, before anything enters.
    #[cfg(not(headcount_loom))]
    pub(super) const fn begin_with(&mut self, bounds: Bounds) {
        self.bounds = AtomicU64::new(bounds.pack());
    }

    pub fn bounds(&self) -> Bounds {
        Bounds::unpack(self.bounds.load(Ordering::Relaxed))
    }

    /// Changes the bounds, and admits what there is room for now.
    #[cfg(test)]
    pub fn set_bounds(&self, bounds: Bounds) {
        self.store_bounds(bounds);
        self.admit();
    }

    /// Changes the bounds; the caller [admits](Self::admit) what there is room for then.
    pub fn store_bounds(&self, bounds: Bounds) {
        self.bounds.store(bounds.pack(), Ordering::Relaxed);
    }

    /// Admits what there is room for.
    pub fn admit(&self) {
        let mut line = self.line.lock();
        let admitted = self.hand_out(&mut line);
        drop(line);
        wake(admitted);
    }

    /// How many are admitted.
    pub fn running(&self) -> u64 {
        self.count.load(Ordering::Acquire) % WAITING
    }

    /// How many of those that wait count against the bound of the line.
    pub fn queued(&self) -> u64 {
        self.line.lock().queued.into()
    }

    /// How many wait.
    pub fn waiting(&self) -> u64 {
        self.count.load(Ordering::Acquire) / WAITING
    }

    /// Enters if there is room and nothing waits.
    pub fn try_enter(&'static self) -> Option<Permit> {
        let mut count = self.count.load(Ordering::Relaxed);
        while self.has_room(count) {
            // Acquire: what left before has done all that it did. Release: for the one that enters next.
            match self.count.compare_exchange_weak(count, count + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(Permit(self)),
                Err(now) => count = now,
            }
        }
        None
    }

    fn has_room(&self, count: u64) -> bool {
        count < WAITING && count < u64::from(self.bounds().at_once)
    }

    /// Enters, or stands in the line. Where `is_queued`, the line's bound counts.
    pub fn enter(&'static self, is_queued: bool) -> Entered {
        if let Some(permit) = self.try_enter() {
            return Entered::Admitted(permit);
        }
        let mut line = self.line.lock();
        let bounds = self.bounds();
        // Nothing leaves what nothing enters, so nothing may wait for it.
        if bounds.at_once == 0 || is_queued && bounds.queue <= line.queued {
            // Something may have left since.
            return self.try_enter().map_or(Entered::Full, Entered::Admitted);
        }
        let mut count = self.count.load(Ordering::Relaxed);
        loop {
            let (next, waits) =
                if self.has_room(count) { (count + 1, false) } else { (count + WAITING, true) };
            match self.count.compare_exchange_weak(count, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if waits => break,
                Ok(_) => return Entered::Admitted(Permit(self)),
                Err(now) => count = now,
            }
        }
        let place = line.next;
        line.next += 1;
        line.queued += u32::from(is_queued);
        let ticket = Arc::new(Ticket { is_queued, state: Mutex::new(TicketState::default()) });
        line.waiting.insert(place, Arc::clone(&ticket));
        Entered::Waits(Waiting { gate: self, place, ticket, is_over: false })
    }

    fn leave(&self) {
        let mut count = self.count.load(Ordering::Relaxed);
        while count < WAITING {
            match self.count.compare_exchange_weak(count, count - 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => count = now,
            }
        }
        let mut line = self.line.lock();
        self.count.fetch_sub(1, Ordering::AcqRel);
        let admitted = self.hand_out(&mut line);
        drop(line);
        wake(admitted);
    }

    /// Hands places to the first in the line, as long as there is room.
    fn hand_out(&self, line: &mut Line) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let mut count = self.count.load(Ordering::Relaxed);
        while WAITING <= count && count % WAITING < u64::from(self.bounds().at_once) {
            let next = count + 1 - WAITING;
            match self.count.compare_exchange(count, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    let (_, ticket) = line.waiting.pop_first().expect("the line holds what waits");
                    line.queued -= u32::from(ticket.is_queued);
                    let mut state = ticket.state.lock();
                    state.is_admitted = true;
                    wakers.extend(state.waker.take());
                    count = next;
                }
                Err(now) => count = now,
            }
        }
        wakers
    }
}

/// After the lock: a waker may run code that enters or leaves. One that panics takes no wake-up from the
/// others, which have their places already.
fn wake(wakers: Vec<Waker>) {
    let mut first = None;
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            match first {
                None => first = Some(payload),
                // What a panic carries may panic where it is dropped.
                Some(_) => forget(payload),
            }
        }
    }
    match first {
        // A second panic would end the process.
        Some(payload) if thread::panicking() => forget(payload),
        Some(payload) => resume_unwind(payload),
        None => {}
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Waiting {
    /// Ready with the place once there is one.
    pub fn poll(&mut self, context: &Context<'_>) -> Poll<Permit> {
        let mut state = self.ticket.state.lock();
        if state.is_admitted {
            self.is_over = true;
            return Poll::Ready(Permit(self.gate));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut line = self.gate.line.lock();
        if line.waiting.remove(&self.place).is_some() {
            line.queued -= u32::from(self.ticket.is_queued);
            self.gate.count.fetch_sub(WAITING, Ordering::AcqRel);
            return;
        }
        drop(line);
        // It was admitted meanwhile.
        self.gate.leave();
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::collections::VecDeque;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::{Bounds, Entered, Gate, Permit, Waiting};

    fn gate(at_once: u32, queue: u32) -> &'static Gate {
        Box::leak(Box::new(Gate::new(Bounds { at_once, queue })))
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Enters from the spawn, whose place in the line is counted, or from a caller that waits itself.
        Enter(bool),
        Leave(usize),
        /// Drops one that waits.
        Abort(usize),
        SetBounds(u32, u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => any::<bool>().prop_map(Step::Enter),
            2 => any::<usize>().prop_map(Step::Leave),
            1 => any::<usize>().prop_map(Step::Abort),
            1 => (1..5_u32, 0..6_u32).prop_map(|(at_once, queue)| Step::SetBounds(at_once, queue)),
        ];
        prop::collection::vec(step, 0..120)
    }

    /// Takes all that were admitted; those must be the first of the line.
    fn admitted(line: &mut VecDeque<(Waiting, bool)>, running: &mut Vec<Permit>) {
        let context = Context::from_waker(Waker::noop());
        let mut left = VecDeque::new();
        for (mut waiting, is_queued) in line.drain(..) {
            match waiting.poll(&context) {
                Poll::Ready(permit) => {
                    assert!(left.is_empty(), "one was admitted before another that came first");
                    running.push(permit);
                }
                Poll::Pending => left.push_back((waiting, is_queued)),
            }
        }
        *line = left;
    }

    proptest! {
        /// Never more than the limit, in the order of arrival, and nothing is lost.
        #[test]
        fn a_gate_is_a_line_before_a_room(steps in steps()) {
            let gate = gate(2, 3);
            let mut bounds = gate.bounds();
            let (mut running, mut line) = (Vec::new(), VecDeque::new());
            for step in steps {
                match step {
                    Step::Enter(is_queued) => {
                        let queued = line.iter().filter(|(_, is_queued)| *is_queued).count();
                        let has_room = line.is_empty() && running.len() < bounds.at_once as usize;
                        match gate.enter(is_queued) {
                            Entered::Admitted(permit) => {
                                prop_assert!(has_room);
                                running.push(permit);
                            }
                            Entered::Waits(waiting) => {
                                prop_assert!(!has_room && (!is_queued || queued < bounds.queue as usize));
                                line.push_back((waiting, is_queued));
                            }
                            Entered::Full => {
                                prop_assert!(!has_room && is_queued && bounds.queue as usize <= queued);
                            }
                        }
                    }
                    Step::Leave(place) if !running.is_empty() => {
                        let place = place % running.len();
                        drop(running.swap_remove(place));
                    }
                    Step::Abort(place) if !line.is_empty() => {
                        let place = place % line.len();
                        drop(line.remove(place));
                    }
                    Step::Leave(_) | Step::Abort(_) => {}
                    Step::SetBounds(at_once, queue) => {
                        bounds = Bounds { at_once, queue };
                        gate.set_bounds(bounds);
                    }
                }
                let before = running.len();
                admitted(&mut line, &mut running);
                prop_assert!(running.len() <= (bounds.at_once as usize).max(before));
                prop_assert!(line.is_empty() || bounds.at_once as usize <= running.len());
                prop_assert_eq!(gate.running(), running.len() as u64);
                prop_assert_eq!(gate.waiting(), line.len() as u64);
            }
            drop(line);
            drop(running);
            prop_assert_eq!((gate.running(), gate.waiting()), (0, 0));
        }
    }

    #[test]
    fn a_limit_of_0_admits_nothing_and_lets_nothing_wait() {
        let gate = gate(0, 10);
        assert!(matches!(gate.enter(true), Entered::Full));
        assert!(matches!(gate.enter(false), Entered::Full));
    }

    #[test]
    fn one_that_was_admitted_and_dropped_hands_its_place_on() {
        let gate = gate(1, 2);
        let Entered::Admitted(first) = gate.enter(true) else { panic!("there is room") };
        let Entered::Waits(second) = gate.enter(true) else { panic!("it waits") };
        let Entered::Waits(mut third) = gate.enter(true) else { panic!("it waits") };
        drop(first);
        // The second has the place, and never learnt of it.
        assert_eq!((gate.running(), gate.waiting()), (1, 1));
        drop(second);
        assert!(third.poll(&Context::from_waker(Waker::noop())).is_ready());
    }
}
