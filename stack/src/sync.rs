//! The one place that chooses between the real primitives and those of the model checker.

#[cfg(not(headcount_loom))]
pub(crate) use std::sync::{
    Mutex,
    atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering},
};

#[cfg(headcount_loom)]
pub(crate) use loom::sync::{
    Mutex,
    atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering},
};
