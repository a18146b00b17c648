//! The panic hook: it keeps where a task panicked, and names the task where a panic ends the process.

use std::panic::PanicHookInfo;

use tracing::Level;

use super::lines::to_stderr;
use crate::clock;
use crate::name::escape;
use crate::registry::local;
use crate::registry::registry;
use headcount_core::internal::registry::panicked::keep_place;
use headcount_core::internal::text::{named, took};

/// Sets a panic hook that calls the one that was set.
///
/// It keeps the place of each panic of a tracked task for the task's failure. With `names_tasks` it first
/// writes the panic to standard error with the task's name. With `panic = "abort"` nothing unwinds, so the
/// task's guard never runs and the log never has its line.
pub(crate) fn set_hook(names_tasks: bool) {
    // A hook cannot be set by a thread that panics.
    if std::thread::panicking() {
        return;
    }
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(place) = panic.location() {
            keep_place(place);
        }
        if let Some(line) = names_tasks.then(|| line(panic)).flatten() {
            to_stderr(Level::ERROR, "headcount::task", &line);
        }
        former(panic);
    }));
}

fn line(panic: &PanicHookInfo<'_>) -> Option<String> {
    let task = local::current()?;
    let reading = task.slot.own();
    let name = &registry().group(reading.group()).name;
    let after = took(clock::between(reading.started, clock::ticks()));
    let message = panic.payload();
    let message =
        message.downcast_ref::<&str>().copied().or(message.downcast_ref::<String>().map(String::as_str));
    let place = panic.location().map(|place| format!(" ({place})")).unwrap_or_default();
    let text = escape(message.unwrap_or("no text"));
    Some(format!("{} panics after {after}: {text}{place}", named(name, task.id)))
}
