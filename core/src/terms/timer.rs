//! One thread that waits for the next deadline.
//!
//! It starts with the first entry, and sleeps until the next one is due. An entry that is due before all
//! others wakes it; removing one does not. Its clock is [`clock`](crate::clock), and tests move it forward.
//! A forked process has a thread of its own from its first entry on, and fires what it inherited too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::terms::deadlines::{Deadlines, Key};

/// The longest sleep, so that no arithmetic overflows.
const LONGEST: Duration = Duration::from_secs(3600);

/// Deadlines, and the thread that calls `fire` with each that is due.
#[derive(Debug)]
pub struct Timer<T: 'static> {
    thread: &'static str,
    /// What that means if the system has no thread for it.
    lost: &'static str,
    state: Mutex<State<T>>,
    /// Wakes the thread.
    sooner: Condvar,
    /// Wakes what waits in [`advance`](Self::advance).
    idle: Condvar,
    fire: fn(T),
    /// Ticks that tests have moved the clock forward. Written under the lock.
    ahead: AtomicU64,
}

#[derive(Debug)]
struct State<T> {
    deadlines: Deadlines<T>,
    /// The process that the thread runs in; 0 without one.
    runs_in: u32,
    is_firing: bool,
    /// Until when the thread sleeps.
    sleeps_until: u64,
    /// How often the thread woke up.
    wakes: u64,
}

impl<T: Send + 'static> Timer<T> {
    pub const fn new(thread: &'static str, lost: &'static str, fire: fn(T)) -> Self {
        let state =
            State { deadlines: Deadlines::new(), runs_in: 0, is_firing: false, sleeps_until: 0, wakes: 0 };
        Self {
            thread,
            lost,
            state: Mutex::new(state),
            sooner: Condvar::new(),
            idle: Condvar::new(),
            fire,
            ahead: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, in ticks, as this timer has it.
    pub fn now(&self) -> u64 {
        self.at(clock::ticks())
    }

    /// A reading of the clock, as this timer has it.
    pub fn at(&self, ticks: u64) -> u64 {
        ticks.saturating_add(self.ahead.load(Ordering::Relaxed))
    }

    /// Has an entry fired at `at`, or as soon after it as the thread runs.
    pub fn add(&'static self, at: u64, entry: T) -> Key {
        let here = process();
        let mut state = self.lock();
        let key = state.deadlines.add(at, entry);
        if state.runs_in != here {
            // A process that was forked from this one has the deadlines and not the thread.
            (state.runs_in, state.is_firing) = (here, false);
            drop(state);
            self.start();
        } else if at < state.sleeps_until {
            // Written here, so that further entries do not wake it again before it runs.
            state.sleeps_until = at;
            drop(state);
            self.sooner.notify_one();
        }
        key
    }

    /// Takes an entry off. An entry that fires already is not stopped.
    pub fn remove(&self, key: Key) {
        let removed = self.lock().deadlines.remove(key);
        // After the lock: an entry may have a destructor.
        drop(removed);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.lock().deadlines.len()
    }

    /// How often the thread woke up.
    pub fn wakes(&self) -> u64 {
        self.lock().wakes
    }

    /// Moves the clock of this timer forward, and returns once all that is due has fired.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        let ahead = self.ahead.load(Ordering::Relaxed).saturating_add(clock::ticks_in(by));
        self.ahead.store(ahead, Ordering::Relaxed);
        state.sleeps_until = 0;
        self.sooner.notify_one();
        loop {
            let now = self.now();
            let is_due = state.deadlines.next().is_some_and(|at| at <= now);
            if state.runs_in != process() || !is_due && !state.is_firing {
                return;
            }
            state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn start(&'static self) {
        let thread = thread::Builder::new().name(self.thread.to_owned());
        if let Err(error) = thread.spawn(|| self.run()) {
            self.lock().runs_in = 0;
            let write = || {
                let (thread, lost) = (self.thread, self.lost);
                tracing::error!(target: "headcount", "Cannot start the thread {thread}: {error}; {lost}");
            };
            let _ = catch_unwind(AssertUnwindSafe(write));
        }
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            let now = self.now();
            if let Some(entry) = state.deadlines.pop_due(now) {
                state.is_firing = true;
                drop(state);
                // A subscriber may panic, and the other timeouts go on.
                let _ = catch_unwind(AssertUnwindSafe(|| (self.fire)(entry)));
                state = self.lock();
                state.is_firing = false;
                continue;
            }
            self.idle.notify_all();
            let next = state.deadlines.next();
            state.sleeps_until = next.unwrap_or(u64::MAX);
            let sleep = next.map_or(LONGEST, |at| clock::between(now, at).min(LONGEST));
            state = match next {
                None => self.sooner.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(_) => self.sooner.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.wakes += 1;
        }
    }
}

/// This process, where processes fork.
fn process() -> u32 {
    if cfg!(unix) { std::process::id() } else { 1 }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::Timer;
    use crate::clock;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn entries_fire_in_order_as_the_clock_moves() {
        static FIRED: Mutex<Vec<u32>> = Mutex::new(Vec::new());
        static TIMER: Timer<u32> = Timer::new("test", "tests", |entry| FIRED.lock().unwrap().push(entry));
        let in_hours = |hours: u32| TIMER.now() + clock::ticks_in(HOUR * hours);
        TIMER.add(in_hours(3), 3);
        let second = TIMER.add(in_hours(2), 2);
        TIMER.add(in_hours(1), 1);
        TIMER.advance(HOUR / 2);
        assert_eq!(*FIRED.lock().unwrap(), [0; 0]);
        TIMER.remove(second);
        TIMER.advance(HOUR);
        assert_eq!(*FIRED.lock().unwrap(), [1]);
        TIMER.advance(2 * HOUR);
        assert_eq!(*FIRED.lock().unwrap(), [1, 3]);
        assert_eq!(TIMER.len(), 0);
    }

    #[test]
    fn the_thread_sleeps_until_something_is_due() {
        static TIMER: Timer<()> = Timer::new("test", "tests", |()| ());
        let at = TIMER.now() + clock::ticks_in(HOUR);
        let first = TIMER.add(at, ());
        // Until the thread sleeps.
        TIMER.advance(Duration::ZERO);
        let before = TIMER.wakes();
        for _ in 0..10_000 {
            let key = TIMER.add(at + 1, ());
            TIMER.remove(key);
        }
        assert!(TIMER.wakes() <= before + 1, "{} to {}", before, TIMER.wakes());
        assert_eq!(TIMER.len(), 1, "what is removed leaves nothing behind");
        TIMER.remove(first);
    }

    #[test]
    fn a_panic_in_one_entry_does_not_end_the_thread() {
        static FIRED: Mutex<Vec<u32>> = Mutex::new(Vec::new());
        static TIMER: Timer<u32> = Timer::new("test", "tests", |entry| {
            assert!(entry != 1, "the first one panics");
            FIRED.lock().unwrap().push(entry);
        });
        TIMER.add(TIMER.now() + clock::ticks_in(HOUR), 1);
        TIMER.add(TIMER.now() + clock::ticks_in(2 * HOUR), 2);
        TIMER.advance(3 * HOUR);
        assert_eq!(*FIRED.lock().unwrap(), [2]);
    }
}
