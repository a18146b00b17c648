//! The shutdown of real processes by real signals.
//!
//! The tests start a process under test, which does what its arguments say, signal it, read its log, and
//! check how it ends.

mod account;
mod bounds;
mod contract;
mod output;
mod policies;
mod random;
mod requests;
mod signals;
#[cfg(feature = "stacks")]
mod stacks;
mod terminal;
