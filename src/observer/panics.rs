//! The panic hook that names the task, for programs in which a panic ends the process.

use std::panic::PanicHookInfo;

use tracing::Level;

use super::lines::to_stderr;
use crate::clock;
use crate::name::escape;
use crate::registry::local;
use crate::registry::registry;
use headcount_core::internal::text::{named, took};

/// Has each panic of a tracked task written to standard error with its name, before the hook that was set
/// does its work.
///
/// With `panic = "abort"` nothing unwinds, so the task's guard never runs and the log never has its line.
pub(crate) fn name_tasks() {
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(line) = line(panic) {
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
