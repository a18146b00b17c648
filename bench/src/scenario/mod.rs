//! What is done: one scenario a file, each run in a process of its own.

mod burst;
mod flood;
mod groups;
mod named;
mod outside;
mod poll;
mod spawn_await;
mod summary;
mod ten_million;

use crate::report::Report;
use crate::settings::Settings;

/// A scenario's name on the command line, and what runs it.
pub type Scenario = (&'static str, fn(Settings) -> Report);

/// All scenarios of this binary, in the order in which they are shown.
pub const ALL: [Scenario; 9] = [
    ("spawn-await", spawn_await::run),
    ("burst", burst::run),
    ("outside", outside::run),
    ("poll", poll::run),
    ("named", named::run),
    ("groups", groups::run),
    ("summary", summary::run),
    ("flood", flood::run),
    ("ten-million", ten_million::run),
];
