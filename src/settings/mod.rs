#![doc = include_str!("../../docs/SETTINGS.md")]

// Every setting is in one table: it makes the methods of `Builder`, reads the variables, and writes
// `docs/SETTINGS.md`.

mod builder;
mod in_force;
mod table;
mod value;
mod variables;

pub use self::builder::Builder;
pub(crate) use self::builder::OnAbandon;
pub use self::in_force::InForce;
pub(crate) use self::table::{Difference, Settings};
#[cfg(feature = "admin")]
pub(crate) use self::value::Value;
pub use self::value::{
    Action, Actions, Hide, LateSpawns, Linger, Log, Recorder, SigHup, SigQuit, Stacks, TaskLimit,
};
pub(crate) use self::variables::{Variables, is_off};

#[cfg(test)]
mod tests;
