//! The metrics, as each kind of reader has them.

mod hostile;
#[cfg(feature = "shutdown")]
mod last;
#[cfg(feature = "admin")]
mod open;
#[cfg(feature = "exporter")]
mod recorders;
mod text;
