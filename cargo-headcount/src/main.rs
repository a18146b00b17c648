//! `cargo headcount`: finds every spawn of a tokio code base, and moves them over to headcount.
//!
//! ```text
//! source ──▶ index ──▶ scan (types, macros, forms) ──▶ audit, ratchet
//!                                                  └─▶ migrate (rewrite, imports, names, edit) ──▶ write
//! ```
//!
//! Files are parsed, and edited as text at the bytes that the parser's spans name: what is not replaced
//! stays as it was, down to its spaces.

mod audit;
mod cli;
mod code;
mod edit;
mod error;
mod forms;
mod imports;
mod index;
mod macros;
mod migrate;
mod names;
mod ratchet;
mod rewrite;
mod scan;
mod source;
mod types;
mod write;

use std::io::Write as _;
use std::process::ExitCode;
use std::thread;

use crate::cli::Command;
use crate::error::Error;

/// The parser is recursive: nesting as deep as is let through needs more than a main thread has.
const STACK: usize = 256 << 20;

fn main() -> ExitCode {
    let worker = thread::Builder::new().stack_size(STACK).spawn(run);
    let result = worker.map_err(|error| Error::new(format!("cannot start a thread: {error}")));
    match result.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(code))) => ExitCode::from(code),
        Ok(Ok(Err(error))) | Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
        // The panic has been printed.
        Ok(Err(_)) => ExitCode::from(2),
    }
}

fn run() -> Result<u8, Error> {
    let (text, code) = match cli::parse(std::env::args_os().skip(1))? {
        Command::Help => (cli::HELP.to_owned(), 0),
        Command::Version => (format!("cargo-headcount {}\n", env!("CARGO_PKG_VERSION")), 0),
        Command::Audit(options) => audit::run(&options)?,
        Command::Migrate(options) => migrate::run(&options)?,
    };
    // A reader that went away, such as `head`, is no failure of ours.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(code)
}
