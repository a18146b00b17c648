//! Where a timeout or a limit comes from.

use crate::named::named;

/// Where the timeout or the limit of a group of tasks comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SetBy {
    /// The code of the task.
    #[default]
    Code,
    /// A rule by name of the code that installs headcount: `timeout` or `limit` of its builder.
    Builder,
    /// The variable `HEADCOUNT_TIMEOUT` or `HEADCOUNT_LIMIT`.
    Variable,
    /// `set_limit`, while the process runs.
    Call,
}

named!(SetBy { Code => "code", Builder => "builder", Variable => "variable", Call => "call" });

impl SetBy {
    /// For a sentence: `HEADCOUNT_TIMEOUT says so`.
    #[doc(hidden)]
    pub fn says(self, variable: &str) -> String {
        let what = match self {
            Self::Code => "its code",
            Self::Builder => "the builder",
            Self::Variable => variable,
            Self::Call => "set_limit",
        };
        format!("{what} says so")
    }
}
