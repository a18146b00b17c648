//! Log lines of headcount's own threads, written on one more: a pipe that is full holds up nothing but the log.
//!
//! The queue to it is bounded; what does not fit is counted and told as soon as there is room.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::SystemTime;

use tracing::{Level, dispatcher, enabled, warn};

use crate::settings::Log;

/// Lines that may wait to be written.
const QUEUE: usize = 1_024;

type Line = Box<dyn FnOnce() + Send>;

/// A handle to the thread that writes.
#[derive(Clone)]
pub(crate) struct Lines {
    queue: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl Lines {
    /// Starts the thread; it logs through the dispatcher that is current now, and ends with the last handle.
    pub(crate) fn start(to: Log) -> io::Result<Self> {
        let (queue, lines) = mpsc::sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let dispatch = dispatcher::get_default(Clone::clone);
        let is_lost = Arc::clone(&lost);
        let run = move || dispatcher::with_default(&dispatch, || write_all(&lines, &is_lost, to));
        thread::Builder::new().name("headcount-log".to_owned()).spawn(run)?;
        Ok(Self { queue, lost })
    }

    /// Has the thread write a line, after those before it.
    pub(crate) fn write(&self, line: impl FnOnce() + Send + 'static) {
        if self.queue.try_send(Box::new(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("lost", &self.lost).finish_non_exhaustive()
    }
}

fn write_all(lines: &Receiver<Line>, lost: &AtomicU64, to: Log) {
    while let Ok(line) = lines.recv() {
        line();
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => tell_lost(lost, to),
        }
    }
}

fn tell_lost(lost: u64, to: Log) {
    let text = format!("{lost} lines of this log were lost: it was not read");
    match to {
        Log::Off => {}
        Log::Tracing if enabled!(target: "headcount", Level::WARN) => warn!(target: "headcount", "{text}"),
        Log::Tracing | Log::Stderr => to_stderr(Level::WARN, "headcount", &text),
    }
}

/// Standard error may be closed; then there is nobody to tell.
pub(crate) fn to_stderr(level: Level, target: &str, text: &str) {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let _ = writeln!(io::stderr().lock(), "{time} {level:>5} {target}: {text}");
}
