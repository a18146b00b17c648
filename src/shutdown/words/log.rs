//! The log of a shutdown, written on the [thread for that](crate::observer::Lines).
//!
//! Each line is one event of `tracing` with a text for people. Where a subscriber takes data (JSON,
//! OpenTelemetry, journald), the event has the same as fields. Where the fields would only be printed behind
//! the text that says it all, it has none: that is asked once a shutdown, see [`takes_data`].

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::subscriber::NoSubscriber;
use tracing::{Level, dispatcher, enabled, warn};

use super::line::{Data, Line};
use super::screen::Screen;
use super::text;
use crate::observer::Lines;
use crate::observer::lines::to_stderr;
use crate::observer::steps::{self, STEP, steps};
use crate::settings::Log;

const TARGET: &str = "headcount::shutdown";

/// The line that says what is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) what: String,
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
    progress: Arc<Progress>,
}

/// How far the writing thread has got.
#[derive(Debug, Default)]
struct Progress {
    handed: AtomicU64,
    written: AtomicU64,
    /// Whether events have their data as fields: not asked yet, no, yes.
    data: AtomicU8,
}

/// A line that is written once: by the log, or past it.
#[derive(Clone, Debug)]
pub(crate) struct LastLine {
    line: Line,
    is_written: Arc<AtomicBool>,
}

impl Logger {
    pub(crate) fn new(lines: Lines, to: Log) -> Self {
        let screen = if to == Log::Off { None } else { Screen::on_stderr() };
        let screen = screen.map(|screen| Arc::new(Mutex::new(Some(screen))));
        Self { lines, to, screen, progress: Arc::default() }
    }

    /// Whether task lines are drawn in place, rather than written one after another.
    pub(crate) fn has_screen(&self) -> bool {
        self.screen.is_some()
    }

    /// Whether lines wait that were handed over long ago: more of the same would only push out others.
    pub(crate) fn is_behind(&self) -> bool {
        const MANY: u64 = 200;
        MANY < self.unwritten()
    }

    /// Lines that are on their way.
    pub(crate) fn unwritten(&self) -> u64 {
        let written = self.progress.written.load(Ordering::Acquire);
        self.progress.handed.load(Ordering::Acquire).saturating_sub(written)
    }

    pub(crate) fn line(&self, line: Line) {
        self.write(move |to, data| write_line(to, data, &line));
    }

    /// A line that can also be written past the log.
    pub(crate) fn last_line(&self, line: Line) -> LastLine {
        let line = LastLine { line, is_written: Arc::default() };
        let ours = line.clone();
        self.write(move |to, data| {
            if !ours.is_written.swap(true, Ordering::AcqRel) {
                write_line(to, data, &ours.line);
            }
        });
        line
    }

    /// A task that blocks its thread.
    pub(crate) fn blocked(&self, line: Line) {
        self.write(move |_, data| {
            let emit = || {
                if data { blocked_event(&line) } else { warn!(target: "headcount::blocked", "{}", line.text) }
            };
            or_past_it(emit, line.level, &line.text);
        });
    }

    pub(crate) fn waiting(&self, line: Waiting) {
        self.write(move |to, data| waiting(to, data, &line));
    }

    /// Draws the task lines at the bottom of the terminal.
    pub(crate) fn draw(&self, lines: Vec<String>) {
        self.on_screen(move |screen| screen.draw(&lines));
    }

    /// Gives the terminal back as it was.
    pub(crate) fn close_screen(&self) {
        self.on_screen(Screen::close);
    }

    /// Has it asked again whether events take data: a subscriber may have been set since.
    pub(crate) fn ask_again(&self) {
        self.progress.data.store(0, Ordering::Release);
    }

    /// Waits until all lines so far are written: as long as there is progress, and `at_most`. False if some
    /// are not.
    pub(crate) async fn flush(&self, stuck_after: Duration, at_most: Duration) -> bool {
        let wanted = self.progress.handed.load(Ordering::Acquire);
        let (mut last, mut quiet) = (self.progress.written.load(Ordering::Acquire), 0);
        for _ in 0..=steps(at_most) {
            let written = self.progress.written.load(Ordering::Acquire);
            if wanted <= written {
                return true;
            }
            quiet = if written == last { quiet + 1 } else { 0 };
            last = written;
            if steps(stuck_after) < quiet {
                return false;
            }
            tokio::time::sleep(STEP).await;
        }
        false
    }

    /// Writes lines that the log has not written to standard error, past the log, whose pipe may be full; and
    /// how many it still had. Waits for them, and `at_most`: the process may end once this has resolved.
    pub(crate) async fn write_past(&self, lines: Vec<LastLine>, at_most: Duration) {
        if self.to == Log::Off {
            return;
        }
        let (done, is_done) = tokio::sync::oneshot::channel();
        let (unwritten, dropped) = (self.unwritten(), self.lines.dropped());
        let write = move || {
            let own = lines.iter().filter(|line| !line.is_written.load(Ordering::Acquire)).count() as u64;
            for LastLine { line, is_written } in &lines {
                if !is_written.swap(true, Ordering::AcqRel) {
                    to_stderr(line.level, TARGET, &line.text);
                }
            }
            let lost = unwritten.saturating_sub(own) + dropped;
            if 0 < own && 0 < lost {
                let text = format!("{lost} lines of this log were not written: nothing reads it");
                to_stderr(Level::WARN, TARGET, &text);
            }
            let _ = done.send(());
        };
        // Without a thread to spare the log has to do.
        let _ = thread::Builder::new().name("headcount-last".to_owned()).spawn(write);
        let _ = steps::within(at_most, is_done).await;
    }

    fn write(&self, line: impl FnOnce(Log, bool) + Send + 'static) {
        if self.to != Log::Off {
            let (to, progress) = (self.to, Arc::clone(&self.progress));
            self.hand_over(move || line(to, progress.takes_data()));
        }
    }

    /// A terminal that is gone is not drawn on again.
    fn on_screen(&self, draw: impl FnOnce(&mut Screen) -> std::io::Result<()> + Send + 'static) {
        let Some(screen) = self.screen.clone() else { return };
        self.hand_over(move || {
            let mut screen = screen.lock();
            if screen.as_mut().is_some_and(|screen| draw(screen).is_err()) {
                *screen = None;
            }
        });
    }

    fn hand_over(&self, write: impl FnOnce() + Send + 'static) {
        let written = Written(Arc::clone(&self.progress));
        self.progress.handed.fetch_add(1, Ordering::AcqRel);
        self.lines.write(move || {
            // Counted also where the subscriber panics, or where there is no room for the line.
            let _written = written;
            write();
        });
    }
}

/// Counts a line as written when it is dropped.
struct Written(Arc<Progress>);

impl Drop for Written {
    fn drop(&mut self) {
        self.0.written.fetch_add(1, Ordering::AcqRel);
    }
}

impl Progress {
    fn takes_data(&self) -> bool {
        match self.data.load(Ordering::Acquire) {
            0 => {
                let takes = catch_unwind(takes_data).unwrap_or(false);
                self.data.store(1 + u8::from(takes), Ordering::Release);
                takes
            }
            known => known == 2,
        }
    }
}

/// Whether the current subscriber takes data, rather than printing fields behind the text.
///
/// Asked with a span, which nothing prints: of an error among its fields, formatters for people also look for
/// the source, and those for data only take the text. What does not look at spans at all is given data.
fn takes_data() -> bool {
    if dispatcher::get_default(tracing::Dispatch::is::<NoSubscriber>) {
        return false;
    }
    let asked = Asked::default();
    let error: &(dyn Error + 'static) = &asked;
    drop(tracing::error_span!(target: TARGET, "log format", error));
    let (texts, shown) = (asked.0.texts.load(Ordering::Acquire), asked.0.shown.load(Ordering::Acquire));
    texts == 0 || texts < shown
}

/// An error that counts what is asked of it.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Answers>);

#[derive(Debug, Default)]
struct Answers {
    /// Asked for its source.
    texts: AtomicU64,
    /// Asked for its text.
    shown: AtomicU64,
}

impl fmt::Display for Asked {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.shown.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

impl Error for Asked {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.texts.fetch_add(1, Ordering::AcqRel);
        None
    }
}

/// Where WARN is switched off for it, the log goes to standard error.
fn through_tracing(to: Log) -> bool {
    to == Log::Tracing && enabled!(target: "headcount::shutdown", Level::WARN)
}

/// The level of a line that is to be seen also where INFO is switched off.
fn loud_level() -> Level {
    if enabled!(target: "headcount::shutdown", Level::INFO) { Level::INFO } else { Level::WARN }
}

fn write_line(to: Log, with_data: bool, line: &Line) {
    if !through_tracing(to) {
        to_stderr(line.level, TARGET, &line.text);
        return;
    }
    let level = if line.is_loud && line.level == Level::INFO { loud_level() } else { line.level };
    let emit =
        || if with_data { event(level, &line.text, &line.data) } else { event_of_text(level, &line.text) };
    or_past_it(emit, line.level, &line.text);
}

/// Emits an event. If the subscriber panics, which it does where its writer cannot write, the line goes to
/// standard error.
fn or_past_it(emit: impl FnOnce(), level: Level, text: &str) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if catch_unwind(AssertUnwindSafe(emit)).is_err() {
        if !SAID.swap(true, Ordering::AcqRel) {
            let text = "The subscriber of this log panicked: its lines are written to standard error";
            to_stderr(Level::WARN, TARGET, text);
        }
        to_stderr(level, TARGET, text);
    }
}

fn event_of_text(level: Level, text: &str) {
    match level {
        Level::ERROR => tracing::error!(target: "headcount::shutdown", "{text}"),
        Level::WARN => tracing::warn!(target: "headcount::shutdown", "{text}"),
        _ => tracing::info!(target: "headcount::shutdown", "{text}"),
    }
}

/// One event with all that a line may say; what it does not say is not there.
macro_rules! event_with {
    ($target:literal, $level:expr, $text:expr, $data:expr) => {{
        let (text, data): (&str, &Data) = ($text, $data);
        tracing::event!(
                target: $target,
                $level,
                task = data.task.as_deref(),
                id = data.id,
                kind = data.kind,
                state = data.state,
                outcome = data.outcome,
                age_seconds = data.age_seconds,
                idle_seconds = data.idle_seconds,
                status = data.status.as_deref(),
                progress = data.progress,
                total = data.total,
                location = data.location.as_deref(),
                labels = data.labels.as_deref(),
                fields = data.fields.as_deref(),
                trace_id = data.trace_id.as_deref(),
                hint = data.hint.as_deref(),
                count = data.count,
                remaining = data.remaining,
                pending = data.pending,
                deadline_seconds = data.deadline_seconds,
                estimate_seconds = data.estimate_seconds,
                duration_seconds = data.duration_seconds,
                reason = data.reason.as_deref(),
                completed = data.completed,
                failed = data.failed,
                panicked = data.panicked,
                timed_out = data.timed_out,
                rejected = data.rejected,
                cancelled = data.cancelled,
                abandoned = data.abandoned,
                connections_closed = data.connections_closed,
                refused = data.refused,
                untracked = data.untracked,
                exit_code = data.exit_code,
                "{text}"
        )
    }};
}

fn event(level: Level, text: &str, data: &Data) {
    match level {
        Level::ERROR => event_with!("headcount::shutdown", Level::ERROR, text, data),
        Level::WARN => event_with!("headcount::shutdown", Level::WARN, text, data),
        _ => event_with!("headcount::shutdown", Level::INFO, text, data),
    }
}

fn blocked_event(line: &Line) {
    event_with!("headcount::blocked", Level::WARN, &line.text, &line.data);
}

fn waiting(to: Log, with_data: bool, line: &Waiting) {
    let Waiting { what, pending, .. } = line;
    let deadline = line.deadline.map_or_else(|| "none".to_owned(), text::whole_seconds);
    let estimate = line.estimate.map(|left| text::whole_seconds(left.max(Duration::from_secs(1))));
    if !through_tracing(to) {
        let estimate = estimate.map_or_else(String::new, |estimate| format!(" estimate={estimate}"));
        let text = format!("{what} pending={pending} deadline={deadline}{estimate}");
        to_stderr(Level::INFO, TARGET, &text);
        return;
    }
    if with_data {
        let data = Data {
            pending: Some(*pending),
            deadline_seconds: line.deadline.map(|left| left.as_secs_f64()),
            estimate_seconds: line.estimate.map(|left| left.as_secs_f64()),
            ..Data::default()
        };
        or_past_it(|| event(loud_level(), what, &data), Level::INFO, what);
        return;
    }
    let estimate = estimate.map(tracing::field::display);
    let emit = || {
        if loud_level() == Level::WARN {
            tracing::warn!(target: "headcount::shutdown", pending, %deadline, estimate, "{what}");
        } else {
            tracing::info!(target: "headcount::shutdown", pending, %deadline, estimate, "{what}");
        }
    };
    or_past_it(emit, Level::INFO, what);
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
