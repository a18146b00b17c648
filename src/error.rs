//! The one error: why [`install`](crate::Headcount::install) was refused.

use std::error;
use std::fmt;

/// Why headcount could not do what was asked.
///
/// Its text names the value and what would be right. The `is_…` methods report its kind.
pub struct Error {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Setting,
    AlreadyInstalled,
    Address,
    Unprotected,
    File,
    Resources,
}

#[allow(clippy::needless_pass_by_value, reason = "`map_err` gives the source away")]
impl Error {
    /// A variable or a setting has a value that it cannot have.
    pub fn is_setting(&self) -> bool {
        self.kind == Kind::Setting
    }

    /// Headcount is installed in this process already.
    pub fn is_already_installed(&self) -> bool {
        self.kind == Kind::AlreadyInstalled
    }

    /// An address that was chosen could not be bound: taken, not of this machine, or not permitted.
    pub fn is_address(&self) -> bool {
        self.kind == Kind::Address
    }

    /// An address outside loopback was chosen and no token set.
    pub fn is_unprotected(&self) -> bool {
        self.kind == Kind::Unprotected
    }

    /// A file that a setting names could not be used.
    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    /// The operating system refused a thread, a runtime or a descriptor.
    pub fn is_resources(&self) -> bool {
        self.kind == Kind::Resources
    }

    fn new(kind: Kind, text: String) -> Self {
        Self { kind, text }
    }

    pub(crate) fn setting(setting: &str, value: &str, expected: &str) -> Self {
        Self::new(Kind::Setting, format!("{setting}={value}: expected {expected}"))
    }

    pub(crate) fn already_installed() -> Self {
        let text = "headcount is installed in this process already: call install() once, at the top of main";
        Self::new(Kind::AlreadyInstalled, text.to_owned())
    }

    #[cfg(any(feature = "admin", feature = "console"))]
    pub(crate) fn address(setting: &str, address: impl fmt::Display, source: std::io::Error) -> Self {
        if is_exhausted(&source) {
            let advice = "raise this process' limit of open files, or set HEADCOUNT=off";
            return Self::new(
                Kind::Resources,
                format!("{setting}={address} cannot be bound ({source}): {advice}"),
            );
        }
        let advice = "choose an address that is free, port 0 for any, or `none`";
        Self::new(Kind::Address, format!("{setting}={address} cannot be bound ({source}): {advice}"))
    }

    #[cfg(feature = "admin")]
    pub(crate) fn unprotected(setting: &str, address: impl fmt::Display) -> Self {
        let advice = "set `token` or `token_file`, or choose an address on 127.0.0.1";
        Self::new(Kind::Unprotected, format!("{setting}={address} can be reached from outside: {advice}"))
    }

    pub(crate) fn file(setting: &str, path: impl fmt::Display, problem: &str) -> Self {
        Self::new(Kind::File, format!("{setting}={path} {problem}"))
    }

    pub(crate) fn unreadable(setting: &str, path: impl fmt::Display, source: std::io::Error) -> Self {
        Self::file(setting, path, &format!("cannot be read ({source}): name a file that this user may read"))
    }

    pub(crate) fn resources(what: &str, source: std::io::Error) -> Self {
        Self::new(
            Kind::Resources,
            format!(
                "{what} could not be started ({source}): raise this process' limits, or set HEADCOUNT=off"
            ),
        )
    }
}

/// Whether there were no descriptors left, for this process or the machine.
#[cfg(any(feature = "admin", feature = "console"))]
fn is_exhausted(problem: &std::io::Error) -> bool {
    // `EMFILE` and `ENFILE`, which all Unixes number alike and no kind of std's names.
    cfg!(unix) && matches!(problem.raw_os_error(), Some(23 | 24))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Error {
    /// The text, since that is what `main` prints of an error it returns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text holds the cause, so that there is no [`source`](error::Error::source) that a chain would print
/// once more.
impl error::Error for Error {}
