//! The coordinator: an event loop on a thread of its own, over parts that each keep their own state.
//!
//! ```text
//!  signals, commands, ends, late tasks, hook, time ──▶ events ──▶ machine ──▶ stages
//!                                                                              │
//!                                              ledger · voice · handover · ending
//! ```
//!
//! The [`run`] loop waits for whatever comes first and hands it to the [machine](super::machine) together
//! with all that it knows; what comes back, [`stages`] performs. The [`ledger`] keeps the account of the
//! tasks, the [`voice`] knows what the log has, the [handover](hooks) passes tasks to the application's
//! hook, and the [`ending`] makes the report and ends the process.
//!
//! Nothing in it blocks or waits for a request: lines, files and hooks have threads of their own, and each is
//! waited for a bounded time.

mod abandoned;
mod ending;
mod hooks;
mod ledger;
mod run;
mod stages;
mod voice;

pub(super) use run::start;
