//! The one place that chooses between the real primitives and those of the model checker.
//!
//! Nothing else in the modules that loom covers names `std::sync::atomic` or a lock.

#[cfg(not(headcount_loom))]
pub(crate) use self::real::*;

#[cfg(headcount_loom)]
pub(crate) use self::model::*;

/// In debug builds a panic where two threads write to what one thread has, until it is handed over.
#[derive(Debug, Default)]
pub(crate) struct OneWriter {
    /// An address of the thread that writes; 0 before the first time.
    #[cfg(debug_assertions)]
    thread: std::sync::atomic::AtomicUsize,
}

#[cfg(debug_assertions)]
impl OneWriter {
    /// Before each write.
    pub(crate) fn check(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        thread_local!(static HERE: u8 = const { 0 });
        // No thread but this one has the address, as long as the thread lives. A thread that ends still
        // writes.
        let Ok(here) = HERE.try_with(|here| std::ptr::from_ref(here) as usize) else { return };
        let writer = self.thread.compare_exchange(0, here, Relaxed, Relaxed).unwrap_or_else(|writer| writer);
        assert!(writer == 0 || writer == here, "two threads write to what one has");
    }

    /// The next write may be another thread's.
    pub(crate) fn hand_over(&self) {
        self.thread.store(0, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(not(debug_assertions))]
impl OneWriter {
    #[inline]
    #[allow(clippy::unused_self, reason = "debug builds use it")]
    pub(crate) fn check(&self) {}

    #[inline]
    #[allow(clippy::unused_self, reason = "debug builds use it")]
    pub(crate) fn hand_over(&self) {}
}

#[cfg(not(headcount_loom))]
mod real {
    pub(crate) use crate::lock::Mutex;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
    use std::time::Duration;

    use spin::mutex::{SpinMutex, SpinMutexGuard};

    /// How often a [`ShortMutex`] is tried before the thread sleeps.
    const TRIES: u32 = 100;
    /// How long it sleeps between two tries.
    const NAP: Duration = Duration::from_micros(20);

    /// A lock held for a few stores, whose release is a store: half the price of a lock that must look for
    /// sleepers.
    ///
    /// A thread that finds it taken tries again for a while; then its holder is likely not running, and the
    /// thread sleeps between tries, so that the holder gets to run whatever the priorities are.
    #[derive(Debug)]
    pub(crate) struct ShortMutex<T>(SpinMutex<T>);

    pub(crate) type ShortMutexGuard<'a, T> = SpinMutexGuard<'a, T>;

    impl<T> ShortMutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(SpinMutex::new(value))
        }

        #[inline]
        pub(crate) fn lock(&self) -> ShortMutexGuard<'_, T> {
            match self.0.try_lock() {
                Some(guard) => guard,
                None => self.lock_taken(),
            }
        }

        #[cold]
        fn lock_taken(&self) -> ShortMutexGuard<'_, T> {
            for _ in 0..TRIES {
                std::hint::spin_loop();
                if let Some(guard) = self.0.try_lock() {
                    return guard;
                }
            }
            loop {
                std::thread::sleep(NAP);
                if let Some(guard) = self.0.try_lock() {
                    return guard;
                }
            }
        }
    }
}

#[cfg(headcount_loom)]
mod model {
    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

    pub(crate) use self::{Mutex as ShortMutex, MutexGuard as ShortMutexGuard};

    /// loom's mutex with the signature of [`crate::lock::Mutex`].
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a model does not poison its locks")
        }
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::ShortMutex;

    #[test]
    fn a_lock_that_is_held_for_long_is_got_in_the_end() {
        let (value, begun) = (ShortMutex::new(0), Barrier::new(3));
        let held = value.lock();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    begun.wait();
                    *value.lock() += 1;
                });
            }
            begun.wait();
            // So long that both sleep.
            thread::sleep(std::time::Duration::from_millis(5));
            assert_eq!(*held, 0);
            drop(held);
        });
        assert_eq!(*value.lock(), 2);
    }

    #[test]
    fn one_at_a_time() {
        let value = ShortMutex::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50_000).for_each(|_| *value.lock() += 1));
            }
        });
        assert_eq!(*value.lock(), 200_000);
    }
}
