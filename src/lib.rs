//! headcount

mod error;
mod install;
mod observer;
mod outcome;
pub mod settings;
pub mod snapshot;

pub use error::Error;
pub use install::{Builder, Headcount};
