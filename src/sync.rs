//! The one place that chooses between the real primitives and those of the model checker.
//!
//! Nothing else in the modules that loom covers names `std::sync::atomic` or a lock.

#[cfg(not(headcount_loom))]
pub(crate) use self::real::*;

#[cfg(headcount_loom)]
pub(crate) use self::model::*;

#[cfg(not(headcount_loom))]
mod real {
    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
}

#[cfg(headcount_loom)]
mod model {
    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

    /// loom's mutex with the signature of `parking_lot`'s.
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
