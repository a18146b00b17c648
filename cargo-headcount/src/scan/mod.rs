//! Walks a file and finds its spawns.
//!
//! [`scanner`] knows where the walk is and what names mean there; [`walk`] goes through the file,
//! [`functions`] looks at functions and [`calls`] at calls. [`found`] is what comes out.

mod calls;
mod found;
mod functions;
mod scanner;
mod tokens;
mod walk;

pub(crate) use found::{Arg, Call, Found, Key, Receiver, ResultUse, Shape, Site, Wrapper};
pub(crate) use scanner::{Scanner, scan};
pub(crate) use tokens::bare;
