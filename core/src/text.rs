//! How a duration and a task are written, the same in log, report, API and page.

use std::fmt;
use std::time::Duration;

use crate::name::escape;

/// A duration as people write them: `90ms`, `3.2s`, `61s`, `2h 14m`.
pub fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration < Duration::from_millis(100) => format!("{}ms", duration.as_millis()),
        0..10 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        10..120 => format!("{seconds}s"),
        120..7200 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// How long something took: never in milliseconds, so that the lines of one drain compare at a glance.
pub fn took(duration: Duration) -> String {
    if duration < Duration::from_millis(100) {
        format!("0.{}s", duration.subsec_millis() / 100)
    } else {
        length(duration)
    }
}

/// `send-email #17`.
pub fn named(name: &str, id: impl fmt::Display) -> String {
    format!("{} #{id}", escape(name))
}
