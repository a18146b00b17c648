//! A gate that opens once, for as many as wait before it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

#[derive(Debug, Default)]
pub struct Gate {
    open: AtomicBool,
    waiting: Notify,
}

impl Gate {
    pub const fn new() -> Self {
        Self { open: AtomicBool::new(false), waiting: Notify::const_new() }
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Opens it and wakes everything that waits before it.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
        self.waiting.notify_waiters();
    }

    /// Resolves at the next opening: once it is enabled or polled, look whether the gate is open already.
    pub fn opening(&self) -> Notified<'_> {
        self.waiting.notified()
    }

    /// Resolves when it is open.
    pub async fn opened(&self) {
        let opening = self.opening();
        tokio::pin!(opening);
        opening.as_mut().enable();
        if !self.is_open() {
            opening.await;
        }
    }
}
