//! Terms of work: how long a task may run, how many of a kind run at once, and what runs once at a time.
//!
//! This room holds the mechanisms. They know nothing of tasks, so they work the same with and without a
//! registry.
//!
//! - [`deadlines`] keeps what is due in order, and [`timer`] is the one thread that waits for the next.
//! - [`gate`] admits as many as a limit allows, and the others in the order in which they came. [`limit`] is
//!   what users see of it.
//! - [`keys`] lets one task at a time have a key.
//! - [`rules`] holds what rules by name say of timeouts and limits, and [`SetBy`] where they come from.
//!
//! [`registry`](crate::registry) arms timeouts, and the spawn functions pass the gates.

pub mod deadlines;
pub mod gate;
pub mod keys;
pub mod limit;
#[cfg(all(test, headcount_loom))]
mod model;
mod refusal;
pub mod rules;
mod set_by;
pub mod timer;

pub use self::limit::Limit;
pub use self::refusal::{Reason, TrySpawnError};
pub use self::set_by::SetBy;
