//! Log lines of headcount's own threads, written on one more thread, so that a full pipe delays nothing but
//! the log.
//!
//! The queue is bounded. Lines that do not fit are counted, and their number is logged as soon as there is
//! room. A subscriber that panics costs its line; the thread goes on.

use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::SystemTime;

use tracing::{Level, enabled, warn};

use super::dispatch::Heard;
use crate::settings::Log;

/// Lines that may wait to be written.
const QUEUE: usize = 1_024;

type Line = Box<dyn FnOnce() + Send>;

/// A handle to the thread that writes.
#[derive(Clone)]
pub(crate) struct Lines {
    queue: SyncSender<Line>,
    losses: Arc<Losses>,
}

/// Lines that were not written and not reported yet.
#[derive(Debug, Default)]
struct Losses {
    /// For want of room.
    unread: AtomicU64,
    /// Because the subscriber panicked.
    panicked: AtomicU64,
}

impl Lines {
    /// Starts the thread. It logs through the dispatcher that is current now, and ends with the last handle.
    pub(crate) fn start(to: Log) -> io::Result<Self> {
        let (queue, lines) = mpsc::sync_channel(QUEUE);
        let losses = Arc::new(Losses::default());
        let heard = Heard::now();
        let own_losses = Arc::clone(&losses);
        let run = move || heard.run(|| write_all(&lines, &own_losses, to));
        thread::Builder::new().name("headcount-log".to_owned()).spawn(run)?;
        Ok(Self { queue, losses })
    }

    /// Has the thread write a line, after those before it.
    pub(crate) fn write(&self, line: impl FnOnce() + Send + 'static) {
        if self.queue.try_send(Box::new(line)).is_err() {
            self.losses.unread.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Lines {
    /// Lines that there was no room for, and that the log has not reported yet.
    pub(crate) fn dropped(&self) -> u64 {
        self.losses.unread.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("losses", &self.losses).finish_non_exhaustive()
    }
}

fn write_all(lines: &Receiver<Line>, losses: &Losses, to: Log) {
    while let Ok(line) = lines.recv() {
        if catch_unwind(AssertUnwindSafe(line)).is_err() {
            losses.panicked.fetch_add(1, Ordering::Relaxed);
        }
        report(&losses.unread, to, |lost| {
            format!("{lost} log lines were dropped: the log was not read fast enough")
        });
        report(&losses.panicked, to, |lost| {
            format!("{lost} log lines were dropped: the subscriber panicked")
        });
    }
}

/// Reports losses once, in one line. A loss that cannot be reported now is kept for the next line.
fn report(losses: &AtomicU64, to: Log, text: impl FnOnce(u64) -> String) {
    let lost = losses.swap(0, Ordering::Relaxed);
    if lost == 0 {
        return;
    }
    let text = text(lost);
    let written = catch_unwind(|| match to {
        Log::Off => {}
        Log::Tracing if enabled!(target: "headcount", Level::WARN) => warn!(target: "headcount", "{text}"),
        Log::Tracing | Log::Stderr => to_stderr(Level::WARN, "headcount", &text),
    });
    if written.is_err() {
        losses.fetch_add(lost, Ordering::Relaxed);
    }
}

/// Writes one line. Standard error may be closed, which nothing can be done about.
pub(crate) fn to_stderr(level: Level, target: &str, text: &str) {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let line = format!("{time} {level:>5} {target}: {text}\n");
    let _ = io::stderr().lock().write_all(line.as_bytes());
}
