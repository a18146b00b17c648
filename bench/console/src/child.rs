//! This binary once more, or its twin of the other build, as a process that does one thing.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The path of this program.
pub(crate) fn this() -> PathBuf {
    env::current_exe().expect("this program has a path")
}

/// Runs a measurement, and reads the figures it prints.
pub(crate) fn run(program: &Path, what: &str) -> Vec<f64> {
    let mut command = Command::new(program);
    let output = command.arg(what).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.expect("it can be started");
    assert!(output.status.success(), "{what}: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect()
}

/// A client that has received the first update, and reads on until it is killed.
pub(crate) struct Attached(Child);

impl Attached {
    pub(crate) fn to(address: &str) -> Self {
        Self::start(&["client", address])
    }

    /// One that looks at the first task of that update in detail.
    pub(crate) fn looking(address: &str) -> Self {
        Self::start(&["client", address, "look"])
    }

    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(this());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it can be started");
        let mut line = String::new();
        let read = child.stdout.as_mut().map(|output| BufReader::new(output).read_line(&mut line));
        assert!(matches!(read, Some(Ok(1..))), "the client received nothing");
        Self(child)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
