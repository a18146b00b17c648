//! Request limits: after how many requests a process stops gracefully. The tower layer counts, this room
//! keeps the counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::control::{Cause, control};

/// Limits in use, for whatever shows them.
static LIMITS: Mutex<Vec<Weak<RequestLimit>>> = Mutex::new(Vec::new());

/// A limit and how many requests it has admitted.
#[derive(Debug)]
pub(crate) struct RequestLimit {
    limit: u64,
    admitted: AtomicU64,
}

impl RequestLimit {
    pub(crate) const fn new(limit: u64) -> Self {
        Self { limit, admitted: AtomicU64::new(0) }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Has the limit shown; once a limit, however often it is called.
    pub(crate) fn register(self: &Arc<Self>) {
        let mut limits = LIMITS.lock();
        let ours = Arc::downgrade(self);
        if !limits.iter().any(|known| known.ptr_eq(&ours)) {
            limits.push(ours);
        }
    }

    /// Whether a request is served. The one that reaches the limit is, and begins the shutdown.
    pub(crate) fn admits(&self) -> bool {
        let control = control();
        let admit = |admitted: u64| (admitted < self.limit || control.serves_late()).then_some(admitted + 1);
        let Ok(before) = self.admitted.fetch_update(Ordering::AcqRel, Ordering::Acquire, admit) else {
            return false;
        };
        if before + 1 == self.limit {
            control.begin(Cause::Reason(format!("request limit of {} reached", self.limit).into()));
        }
        true
    }
}

/// The limit that is closest to being reached, and how many requests it has admitted.
pub(crate) fn nearest() -> Option<(u64, u64)> {
    let mut limits = LIMITS.lock();
    limits.retain(|limit| limit.strong_count() != 0);
    let counts = limits.iter().filter_map(Weak::upgrade);
    let figures = counts.map(|count| (count.limit, count.admitted.load(Ordering::Relaxed)));
    figures.min_by_key(|(limit, admitted)| limit.saturating_sub(*admitted))
}
