//! A bound on open connections.
//!
//! When it is reached, the oldest connection that has not sent a whole request yet makes room: those who open
//! connections and say nothing do not lock out those who ask.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

/// Connections that are open, oldest first.
#[derive(Debug)]
pub(super) struct Connections {
    limit: usize,
    open: VecDeque<Connection>,
}

#[derive(Debug)]
struct Connection {
    task: AbortHandle,
    asked: Asked,
}

/// Whether a connection has sent a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<AtomicBool>);

impl Asked {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connections {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, open: VecDeque::with_capacity(limit) }
    }

    /// Makes room for one more. False: all that are open have asked for something.
    pub(super) fn make_room(&mut self) -> bool {
        if self.open.len() < self.limit {
            return true;
        }
        self.open.retain(|connection| !connection.task.is_finished());
        if self.open.len() < self.limit {
            return true;
        }
        let silent = self.open.iter().position(|connection| !connection.asked.get());
        let Some(connection) = silent.and_then(|index| self.open.remove(index)) else { return false };
        connection.task.abort();
        true
    }

    pub(super) fn add(&mut self, task: AbortHandle, asked: Asked) {
        self.open.push_back(Connection { task, asked });
    }
}
