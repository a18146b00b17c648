//! Enums that people read and write by name: in settings, metrics, JSON, log lines and queries.

use std::error;
use std::fmt;

use crate::name::{MAX_NAME, cut};

/// A text that names no value of an enum such as [`Outcome`](crate::Outcome); its own text lists the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    text: String,
    expected: String,
}

impl UnknownName {
    /// For the macro below.
    #[doc(hidden)]
    pub fn new(text: &str, names: impl Iterator<Item = &'static str>) -> Self {
        let expected = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Self { text: cut(text.into(), MAX_NAME).into_owned(), expected }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is none of {}", self.text, self.expected)
    }
}

impl error::Error for UnknownName {}

/// Writes `ALL`, `as_str`, `Display` and `FromStr` of an enum from one list of names.
macro_rules! named {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// All values, in the order in which they are listed everywhere.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used in settings, metrics, JSON and log lines.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            /// From the name, in any case.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let named = |value: &&Self| value.as_str().eq_ignore_ascii_case(text);
                let unknown = || $crate::UnknownName::new(text, Self::ALL.iter().map(|value| value.as_str()));
                Self::ALL.iter().find(named).copied().ok_or_else(unknown)
            }
        }
    };
}

pub(crate) use named;

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use crate::outcome::Outcome;

    #[test]
    fn names_are_read_in_any_case_and_listed_otherwise() {
        assert_eq!("Abandoned".parse(), Ok(Outcome::Abandoned));
        let unknown = "gone".parse::<Outcome>().unwrap_err().to_string();
        assert!(unknown.starts_with("\"gone\" is none of `ok`, `error`"), "{unknown}");
    }
}
