//! What the system says this process holds.

use std::fs;

/// Resident memory in MiB.
pub fn resident() -> f64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux says what a process holds");
    let line = text.lines().find(|line| line.starts_with("VmRSS")).expect("VmRSS is always there");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok());
    kib.expect("VmRSS is a number of kB") / 1024.0
}
