//! Each measurement in a process of its own: the binary starts itself again with an argument.

use std::process::{Command, Stdio};
use std::{env, io};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::settings::Settings;

/// The argument that makes a process do one thing and print what it found.
pub const CHILD: &str = "--child";

/// Runs `program`, one of this crate's binaries, as a child that does `what`.
pub fn run<T: DeserializeOwned>(program: &str, what: &str, settings: Settings) -> io::Result<T> {
    let binary = env::current_exe()?.with_file_name(program);
    let mut command = Command::new(binary);
    command.args([CHILD, what]).stdin(Stdio::null()).stdout(Stdio::piped());
    if settings.quick {
        command.arg("--quick");
    }
    let output = command.spawn()?.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{what}: {}", output.status)));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Prints what a child found, for [`run`] to read.
pub fn answer<T: Serialize>(found: &T) {
    println!("{}", serde_json::to_string(found).expect("what was found is plain data"));
}
