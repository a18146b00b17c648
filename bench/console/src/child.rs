//! This binary once more, as a process that does one thing.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Runs a measurement, and reads the figures it prints.
pub(crate) fn run(what: &str) -> Vec<f64> {
    let output = this().arg(what).stderr(Stdio::inherit()).output().expect("it can be started");
    assert!(output.status.success(), "{what}: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect()
}

/// A client that has been told all there was, and reads on until it is killed.
pub(crate) struct Attached(Child);

impl Attached {
    pub(crate) fn to(address: &str) -> Self {
        let mut command = this();
        command.args(["client", address]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it can be started");
        let mut line = String::new();
        let told = child.stdout.as_mut().map(|output| BufReader::new(output).read_line(&mut line));
        assert!(matches!(told, Some(Ok(1..))), "the client was told nothing");
        Self(child)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn this() -> Command {
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command.stdin(Stdio::null());
    command
}
