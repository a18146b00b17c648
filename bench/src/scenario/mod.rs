//! What is done: one scenario a file, each run in a process of its own.

mod burst;
mod drain;
mod flood;
mod groups;
mod named;
mod outside;
mod page;
mod poll;
mod scrape;
mod searches;
mod spawn_await;
mod summary;
mod ten_million;

use crate::process::answer;
use crate::report::Report;
use crate::settings::Settings;

/// A scenario's name on the command line, and what runs it.
pub type Scenario = (&'static str, fn(Settings) -> Report);

/// A part of a scenario that needs a process of its own: its name, and what prints the answer.
pub type Part = (&'static str, fn(Settings));

/// All scenarios of this binary, in the order in which they are shown.
pub const ALL: [Scenario; 13] = [
    ("spawn-await", spawn_await::run),
    ("burst", burst::run),
    ("outside", outside::run),
    ("poll", poll::run),
    ("named", named::run),
    ("groups", groups::run),
    ("summary", summary::run),
    ("scrape", scrape::run),
    ("page", page::run),
    ("searches", searches::run),
    ("flood", flood::run),
    ("ten-million", ten_million::run),
    ("drain", drain::run),
];

/// Parts of scenarios, run by these.
pub const PARTS: [Part; 4] = [
    ("drain-tracker", |settings| answer(&drain::tracker(settings))),
    ("drain-headcount", |settings| answer(&drain::headcount(settings))),
    ("force-alone", |settings| answer(&searches::force(settings, false))),
    ("force-beside-searches", |settings| answer(&searches::force(settings, true))),
];
