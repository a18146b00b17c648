//! What can go wrong: each error is one line, and names the file.

use std::fmt;
use std::path::Path;

/// Something that the user has to change before the command can do its work.
#[derive(Debug)]
pub(crate) struct Error(String);

impl Error {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn file(shown: &str, what: &str) -> Self {
        Self(format!("{shown} {what}"))
    }

    pub(crate) fn io(path: &Path, what: &str, error: &std::io::Error) -> Self {
        Self(format!("{} {what}: {error}", path.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
