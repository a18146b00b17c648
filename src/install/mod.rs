//! Installing headcount in a process. The only room that knows all others: it builds the parts in order and
//! hands each what it needs.
//!
//! [`headcount`] is the handle that the application keeps, [`start`] puts the parts together, [`log`] writes
//! what was installed.

mod headcount;
mod log;
mod start;

pub use headcount::Headcount;
