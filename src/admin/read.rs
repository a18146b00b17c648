//! Where the handlers read: on threads of headcount's own, so that the thread that accepts connections stays
//! free for health.

use axum::http::{StatusCode, header};

use super::problem::Problem;
use crate::error::Error;
use crate::observer::reader::{Reader, Unread};

/// More short reads than the own server has connections.
const READS: usize = 512;
/// Reads of single tasks among all, of which a search through a million takes half a second.
const SEARCHES: usize = 8;

/// Two threads: one for what takes milliseconds, one for what may take longer.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    short: Reader,
    long: Reader,
}

impl Readers {
    pub(super) fn start() -> Result<Self, Error> {
        Ok(Self {
            short: Reader::start("headcount-read", READS)?,
            long: Reader::start("headcount-search", SEARCHES)?,
        })
    }

    /// A read of totals.
    pub(super) async fn short<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.short.read(read).await.map_err(refusal)
    }

    /// A read of tasks.
    pub(super) async fn long<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.long.read(read).await.map_err(refusal)
    }
}

fn refusal(problem: Unread) -> Problem {
    match problem {
        Unread::Busy => {
            let detail = format!("{SEARCHES} reads of tasks wait already: try again in a second");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_header(header::RETRY_AFTER, "1")
        }
        Unread::Panicked => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this read panicked"),
    }
}
