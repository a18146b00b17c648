//! The shutdown of real processes by real signals.
//!
//! The test binary starts itself again as the process under test: what its arguments say, [`child`] does. The tests signal it, read
//! its log, and check how it ends.

#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod random;
#[cfg(unix)]
mod requests;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod tests;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    if std::env::var_os(process::CHILD).is_some() {
        return child::main();
    }
    let arguments = libtest_mimic::Arguments::from_args();
    libtest_mimic::run(&arguments, tests::all()).exit_code()
}

#[cfg(not(unix))]
fn main() {}
