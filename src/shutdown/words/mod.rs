//! The words of a shutdown: what the log, the terminal and the report say. It knows plain data, and where
//! lines go.

mod budget;
mod closing;
mod hint;
mod line;
mod log;
mod screen;
pub(crate) mod text;

pub(crate) use budget::{line as budget_line, warnings as budget_warnings};
pub(crate) use closing::{Sums, aborting, closing, exiting};
pub(crate) use hint::{Cut, Hints};
pub(crate) use line::{Data, Line};
pub(crate) use log::{BackOff, LastLine, Logger, Waiting};
pub(crate) use screen::{heading, task as screen_task};
