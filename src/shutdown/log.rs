//! The log of a shutdown, written on the [thread for that](crate::observer::Lines).

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::{Level, enabled, error, info, warn};

use super::screen::Screen;
use super::text;
use crate::observer::Lines;
use crate::observer::lines::to_stderr;
use crate::settings::Log;

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

/// Writes to where the setting `log` says.
#[derive(Clone, Debug)]
pub(crate) struct Logger {
    lines: Lines,
    to: Log,
    /// Only the writing thread takes this lock. `None` inside once the terminal is gone.
    screen: Option<Arc<Mutex<Option<Screen>>>>,
}

impl Logger {
    pub(crate) fn new(lines: Lines, to: Log) -> Self {
        let screen = if to == Log::Off { None } else { Screen::on_stderr() };
        Self { lines, to, screen: screen.map(|screen| Arc::new(Mutex::new(Some(screen)))) }
    }

    /// Whether task lines are drawn in place, rather than written one after another.
    pub(crate) fn has_screen(&self) -> bool {
        self.screen.is_some()
    }

    pub(crate) fn info(&self, text: impl Into<String>) {
        self.line(Level::INFO, text.into());
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.line(Level::WARN, text.into());
    }

    pub(crate) fn error(&self, text: impl Into<String>) {
        self.line(Level::ERROR, text.into());
    }

    /// A task that blocks its thread.
    pub(crate) fn blocked(&self, text: String) {
        self.write(move |_| warn!(target: "headcount::blocked", "{text}"));
    }

    pub(crate) fn waiting(&self, line: Waiting) {
        self.write(move |to| waiting(to, &line));
    }

    /// Draws the task lines at the bottom of the terminal.
    pub(crate) fn draw(&self, lines: Vec<String>) {
        self.on_screen(move |screen| screen.draw(&lines));
    }

    /// Gives the terminal back as it was.
    pub(crate) fn close_screen(&self) {
        self.on_screen(Screen::close);
    }

    /// Resolves when all lines so far are written, or after `at_most`.
    pub(crate) async fn flush(&self, at_most: Duration) {
        let (done, written) = oneshot::channel();
        self.lines.write(move || {
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(at_most, written).await;
    }

    /// Writes the last line of a forced exit to standard error, past the log, whose pipe may be full.
    pub(crate) fn last_word(&self, text: String) {
        if self.to == Log::Off {
            return;
        }
        let write = move || to_stderr(Level::WARN, "headcount::shutdown", &text);
        // Without a thread to spare the log has to do.
        let _ = thread::Builder::new().name("headcount-last".to_owned()).spawn(write);
    }

    fn line(&self, level: Level, text: String) {
        self.write(move |to| line(to, level, &text));
    }

    fn write(&self, line: impl FnOnce(Log) + Send + 'static) {
        let to = self.to;
        if to != Log::Off {
            self.lines.write(move || line(to));
        }
    }

    /// A terminal that is gone is not drawn on again.
    fn on_screen(&self, draw: impl FnOnce(&mut Screen) -> std::io::Result<()> + Send + 'static) {
        let Some(screen) = self.screen.clone() else { return };
        self.lines.write(move || {
            let mut screen = screen.lock();
            if screen.as_mut().is_some_and(|screen| draw(screen).is_err()) {
                *screen = None;
            }
        });
    }
}

fn through_tracing(to: Log) -> bool {
    to == Log::Tracing && enabled!(target: "headcount::shutdown", Level::WARN)
}

fn line(to: Log, level: Level, text: &str) {
    match level {
        _ if !through_tracing(to) => to_stderr(level, "headcount::shutdown", text),
        Level::ERROR => error!(target: "headcount::shutdown", "{text}"),
        Level::WARN => warn!(target: "headcount::shutdown", "{text}"),
        _ => info!(target: "headcount::shutdown", "{text}"),
    }
}

fn waiting(to: Log, line: &Waiting) {
    let Waiting { what, pending, .. } = line;
    let deadline = line.deadline.map_or_else(|| "none".to_owned(), text::whole_seconds);
    let estimate = line.estimate.map(|left| text::whole_seconds(left.max(Duration::from_secs(1))));
    if through_tracing(to) {
        let estimate = estimate.map(tracing::field::display);
        info!(target: "headcount::shutdown", pending, %deadline, estimate, "{what}");
    } else {
        let estimate = estimate.map_or_else(String::new, |estimate| format!(" estimate={estimate}"));
        let text = format!("{what} pending={pending} deadline={deadline}{estimate}");
        to_stderr(Level::INFO, "headcount::shutdown", &text);
    }
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
