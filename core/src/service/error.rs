//! Why a service or timer did not begin.

use std::error;
use std::fmt;

/// Why a service or timer did not begin: nothing of it was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NoRuntime,
    NoTimeDriver,
    Invalid,
}

impl ServiceError {
    pub(super) fn no_runtime(name: &str) -> Self {
        let text = format!("{name} needs a tokio runtime: begin it inside one, or on its handle");
        Self { kind: Kind::NoRuntime, text }
    }

    pub(super) fn no_time_driver(name: &str) -> Self {
        let text = format!("{name} needs a runtime with a time driver: call `enable_time` or `enable_all`");
        Self { kind: Kind::NoTimeDriver, text }
    }

    pub(super) fn invalid(name: &str, what: &str) -> Self {
        Self { kind: Kind::Invalid, text: format!("{name} cannot begin: {what}") }
    }

    /// It was begun outside of a tokio runtime.
    #[must_use]
    pub fn is_no_runtime(&self) -> bool {
        self.kind == Kind::NoRuntime
    }

    /// Its runtime has no time driver, which waits and ticks need.
    #[must_use]
    pub fn is_no_time_driver(&self) -> bool {
        self.kind == Kind::NoTimeDriver
    }

    /// One of its terms makes no sense, such as a period of 0.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.kind == Kind::Invalid
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl error::Error for ServiceError {}
