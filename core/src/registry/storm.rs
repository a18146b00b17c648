//! The limit on log lines of panics and errors: ten a group and minute.

use std::time::Duration;

use crate::clock;

const LINES: u64 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// One group's state of the limit.
#[derive(Clone, Debug, Default)]
pub struct Storm {
    window_began: u64,
    lines: u64,
    held_back: u64,
}

/// What to do with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Write it; before it, say how many were held back.
    Write { held_back: u64 },
    /// Hold it back.
    HoldBack,
}

impl Storm {
    pub fn admit(&mut self, now: u64) -> Admission {
        let held_back = self.close_window(now);
        if self.lines == 0 {
            self.window_began = now;
        }
        if LINES <= self.lines {
            self.held_back += 1;
            return Admission::HoldBack;
        }
        self.lines += 1;
        Admission::Write { held_back }
    }

    /// How many lines were held back in a window that has ended by now.
    pub fn close_window(&mut self, now: u64) -> u64 {
        if clock::between(self.window_began, now) < WINDOW {
            return 0;
        }
        self.lines = 0;
        std::mem::take(&mut self.held_back)
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_then_their_number() {
        let mut storm = Storm::default();
        let start = clock::ticks_in(Duration::from_secs(1_000));
        let second = clock::ticks_in(Duration::from_secs(1));
        for _ in 0..LINES {
            assert_eq!(storm.admit(start), Admission::Write { held_back: 0 });
        }
        for number in 0..50 {
            assert_eq!(storm.admit(start + number * second), Admission::HoldBack);
        }
        assert_eq!(storm.close_window(start + 59 * second), 0, "not over yet");
        assert_eq!(storm.close_window(start + 61 * second), 50);
        assert_eq!(storm.close_window(start + 62 * second), 0, "reported once");
        // A new window begins with its first line.
        assert_eq!(storm.admit(start + 100 * second), Admission::Write { held_back: 0 });
        for _ in 0..LINES {
            storm.admit(start + 110 * second);
        }
        // Without a timer, the next line reports the number.
        assert_eq!(storm.admit(start + 170 * second), Admission::Write { held_back: 1 });
    }
}
