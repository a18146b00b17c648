//! The log of a shutdown, written on a thread of its own: a pipe that is full holds up nothing but the log.
//!
//! The queue to it is bounded; what does not fit is counted and told as soon as there is room.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tracing::{Level, dispatcher, enabled, info, warn};

use super::screen::Screen;
use super::text;
use crate::settings::Log;

/// Lines that may wait to be written.
const QUEUE: usize = 1_024;

/// The line that says what is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) what: &'static str,
    pub(crate) pending: u64,
    /// What is left of the time; `None` without a deadline.
    pub(crate) deadline: Option<Duration>,
    /// Until all have likely ended.
    pub(crate) estimate: Option<Duration>,
}

#[derive(Debug)]
enum Job {
    Line(Level, String),
    Blocked(String),
    Waiting(Waiting),
    Draw(Vec<String>),
    CloseScreen,
    Flush(oneshot::Sender<()>),
}

/// A handle to the thread that writes.
#[derive(Clone, Debug)]
pub(crate) struct Logger {
    jobs: SyncSender<Job>,
    lost: Arc<AtomicU64>,
    to: Log,
    has_screen: bool,
}

impl Logger {
    /// Starts the thread; it logs through the dispatcher that is current now, and ends with the last handle.
    pub(crate) fn start(to: Log) -> io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let screen = if to == Log::Off { None } else { Screen::on_stderr() };
        let has_screen = screen.is_some();
        let dispatch = dispatcher::get_default(Clone::clone);
        let mut writer = Writer { to, screen, lost: Arc::clone(&lost) };
        let run = move || dispatcher::with_default(&dispatch, || writer.run(&queue));
        thread::Builder::new().name("headcount-log".to_owned()).spawn(run)?;
        Ok(Self { jobs, lost, to, has_screen })
    }

    /// Whether task lines are drawn in place, rather than written one after another.
    pub(crate) fn has_screen(&self) -> bool {
        self.has_screen
    }

    pub(crate) fn info(&self, text: impl Into<String>) {
        self.push(Job::Line(Level::INFO, text.into()));
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.push(Job::Line(Level::WARN, text.into()));
    }

    /// A task that blocks its thread.
    pub(crate) fn blocked(&self, text: String) {
        self.push(Job::Blocked(text));
    }

    pub(crate) fn waiting(&self, line: Waiting) {
        self.push(Job::Waiting(line));
    }

    /// Draws the task lines at the bottom of the terminal.
    pub(crate) fn draw(&self, lines: Vec<String>) {
        self.push(Job::Draw(lines));
    }

    /// Gives the terminal back as it was.
    pub(crate) fn close_screen(&self) {
        self.push(Job::CloseScreen);
    }

    /// Resolves when all lines so far are written, or after `at_most`.
    pub(crate) async fn flush(&self, at_most: Duration) {
        let (done, written) = oneshot::channel();
        self.push(Job::Flush(done));
        let _ = tokio::time::timeout(at_most, written).await;
    }

    /// Writes the last line of a forced exit to standard error, past the log, whose pipe may be full.
    pub(crate) fn last_word(&self, line: String) {
        if self.to == Log::Off {
            return;
        }
        let write = move || to_stderr(Level::WARN, &line);
        // Without a thread to spare the log has to do.
        let _ = thread::Builder::new().name("headcount-last".to_owned()).spawn(write);
    }

    fn push(&self, job: Job) {
        if self.to != Log::Off && self.jobs.try_send(job).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Writer {
    to: Log,
    screen: Option<Screen>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn run(&mut self, queue: &Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            match job {
                Job::Line(level, text) => self.line(level, &text),
                Job::Blocked(text) => warn!(target: "headcount::blocked", "{text}"),
                Job::Waiting(line) => self.waiting(&line),
                Job::Draw(lines) => self.on_screen(|screen| screen.draw(&lines)),
                Job::CloseScreen => self.on_screen(Screen::close),
                Job::Flush(done) => drop(done.send(())),
            }
            match self.lost.swap(0, Ordering::Relaxed) {
                0 => {}
                lost => {
                    self.line(Level::WARN, &format!("{lost} lines of this log were lost: it was not read"));
                }
            }
        }
    }

    /// A terminal that is gone is not drawn on again.
    fn on_screen(&mut self, draw: impl FnOnce(&mut Screen) -> io::Result<()>) {
        if self.screen.as_mut().is_some_and(|screen| draw(screen).is_err()) {
            self.screen = None;
        }
    }

    fn through_tracing(&self) -> bool {
        self.to == Log::Tracing && enabled!(target: "headcount::shutdown", Level::WARN)
    }

    fn line(&self, level: Level, text: &str) {
        match (self.to, level) {
            (Log::Off, _) => {}
            (_, Level::WARN) if self.through_tracing() => warn!(target: "headcount::shutdown", "{text}"),
            _ if self.through_tracing() => info!(target: "headcount::shutdown", "{text}"),
            _ => to_stderr(level, text),
        }
    }

    fn waiting(&self, line: &Waiting) {
        let Waiting { what, pending, .. } = line;
        let deadline = line.deadline.map_or_else(|| "none".to_owned(), text::whole_seconds);
        let estimate = line.estimate.map(|left| text::whole_seconds(left.max(Duration::from_secs(1))));
        if self.through_tracing() {
            let estimate = estimate.map(tracing::field::display);
            info!(target: "headcount::shutdown", pending, %deadline, estimate, "{what}");
        } else if self.to != Log::Off {
            let estimate = estimate.map_or_else(String::new, |estimate| format!(" estimate={estimate}"));
            to_stderr(Level::INFO, &format!("{what} pending={pending} deadline={deadline}{estimate}"));
        }
    }
}

/// Standard error may be closed; then there is nobody to tell.
fn to_stderr(level: Level, text: &str) {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let _ = writeln!(io::stderr().lock(), "{time} {level:>5} headcount::shutdown: {text}");
}

/// When the waiting line is next written: after 1, 2, 5, 10, 20, 50 … seconds, up to an interval.
#[derive(Debug)]
pub(crate) struct BackOff {
    step: u32,
    at_most: Duration,
}

impl BackOff {
    pub(crate) fn new(at_most: Duration) -> Self {
        // No interval at all would write without an end.
        Self { step: 0, at_most: at_most.max(Duration::from_millis(100)) }
    }

    /// How long until the next.
    pub(crate) fn next(&mut self) -> Duration {
        let leading = [1, 2, 5][self.step as usize % 3];
        let seconds = 10_u64.saturating_pow(self.step / 3).saturating_mul(leading);
        let pause = Duration::from_secs(seconds).min(self.at_most);
        if pause < self.at_most {
            self.step += 1;
        }
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(at_most: u64) -> Vec<u64> {
        let mut back_off = BackOff::new(Duration::from_secs(at_most));
        (0..7).map(|_| back_off.next().as_secs()).collect()
    }

    #[test]
    fn the_log_backs_off_up_to_its_interval() {
        assert_eq!(pauses(10), [1, 2, 5, 10, 10, 10, 10]);
        assert_eq!(pauses(30), [1, 2, 5, 10, 20, 30, 30]);
        assert_eq!(pauses(1), [1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn an_interval_of_nothing_does_not_flood() {
        assert_eq!(BackOff::new(Duration::ZERO).next(), Duration::from_millis(100));
        let mut longest = BackOff::new(Duration::MAX);
        assert!((0..200).all(|_| Duration::from_secs(1) <= longest.next()));
    }
}
