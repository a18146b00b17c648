//! What a thread logs, for tests.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// What this thread logs from now on, until the guard is dropped.
    pub(crate) fn capture() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let subscriber =
            tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).without_time().finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// The lines since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        let text = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(text).unwrap().lines().map(|line| line.trim_start().to_owned()).collect()
    }

    /// The same without warnings of threads that block, as they do on a machine that is busy.
    pub(crate) fn take_calm(&self) -> Vec<String> {
        self.take().into_iter().filter(|line| !line.contains(" headcount::blocked: ")).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Whether a line begins as a pattern says, in which `~` stands for any number.
pub(crate) fn matches(pattern: &str, line: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('~') else { return line.starts_with(pattern) };
    let Some(rest) = line.strip_prefix(head) else { return false };
    let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    0 < number && matches(tail, &rest[number..])
}
