//! The machine, in a few words.

use std::fs;
use std::process::Command;
use std::thread;

/// Lines of Markdown that say what the figures were taken on.
pub fn describe() -> String {
    let mut lines = vec![
        format!("- Processor: {}, {} cores", cpu(), thread::available_parallelism().map_or(0, usize::from)),
        format!("- Memory: {}", field("/proc/meminfo", "MemTotal").unwrap_or_default()),
        format!("- Kernel: {}", output("uname", &["-sr"])),
        format!("- Compiler: {}", output("rustc", &["--version"])),
        format!("- Allocator: {}", crate::ALLOCATOR),
        format!("- headcount: {}", output("git", &["describe", "--always", "--dirty", "--exclude", "*"])),
        format!("- Date: {}", output("date", &["--utc", "+%Y-%m-%d %H:%M UTC"])),
    ];
    lines.extend(
        load().map(|load| {
            format!("- Load average over the minute before: {load} (a quiet machine has about 0)")
        }),
    );
    lines.join("\n") + "\n"
}

/// The load average of the last minute.
pub fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

fn cpu() -> String {
    field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn field(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
