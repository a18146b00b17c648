//! The lines of the log that no release changes, since people search for them.

use nix::sys::signal::Signal::SIGINT;

use crate::support::process::{WAITING, start};

/// Level and text; `{}` stands for what differs. `docs/LOG.md` shows the same.
const FIXED: [(&str, &str); 8] = [
    ("INFO", "Shutting down ({})"),
    ("INFO", "Waiting for background tasks to complete. (CTRL+C to force quit) pending={} deadline={}"),
    ("INFO", r#"  {} #{} running {}, idle {}, "{}" {}% ({})"#),
    ("INFO", "  {} #{} completed after {}, {} remaining"),
    ("INFO", "All background tasks completed in {} ({} completed)"),
    ("WARN", "Deadline of {} reached: aborting {} tasks"),
    ("WARN", "Forced by {}: aborting {} tasks"),
    ("WARN", "  {} #{} abandoned after {} ({})"),
];

/// Whether a line begins with this text, in which a `{}` is one word, or what quotes enclose.
fn begins(text: &str, line: &str) -> bool {
    let Some((head, tail)) = text.split_once("{}") else { return line.starts_with(text) };
    let Some(rest) = line.strip_prefix(head) else { return false };
    let end = if head.ends_with('"') { '"' } else { ' ' };
    let word = rest.find(end).unwrap_or(rest.len());
    (1..=word).filter(|at| rest.is_char_boundary(*at)).any(|at| begins(tail, &rest[at..]))
}

fn lines(settings: &[(&str, &str)], tasks: &[&str], signals: usize) -> Vec<String> {
    let mut process = start(settings, tasks);
    for _ in 0..signals {
        process.signal(SIGINT);
        process.wait_for(WAITING);
    }
    process.end().lines
}

#[test]
fn the_lines_that_people_search_for_stay_as_they_are() {
    own_process!();
    let settings = [("DRAIN_TIMEOUT", "3s")];
    let all = [
        lines(&[], &["wait push 100"], 1),
        lines(&settings, &["wait push 100", "status send-email", "forever loop"], 1),
        lines(&[], &["forever loop", "forever loop"], 2),
    ]
    .concat();
    let is_logged = |(level, text): (&str, &str)| {
        let before = format!("{level} headcount::shutdown: ");
        all.iter().any(|line| line.trim_start().strip_prefix(&before).is_some_and(|line| begins(text, line)))
    };
    for line in FIXED {
        assert!(is_logged(line), "no {line:?} among {all:#?}");
    }
}

#[test]
fn the_documentation_shows_them() {
    own_process!();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/LOG.md");
    let shown = FIXED.map(|(level, text)| format!("{level}  {text}\n")).concat();
    let log = std::fs::read_to_string(path).unwrap();
    assert!(log.contains(&format!("```text\n{shown}```")), "{path} lacks:\n{shown}");
}
