//! Names, labels and fields: what users give is brought into bounds here, and unnamed tasks are named after
//! their code.

mod block;
mod code;
mod pattern;
mod place;

use std::borrow::Cow;

pub use self::block::Blocks;
pub use self::code::{CodeName, of_type};
pub use self::pattern::fits;
pub use self::place::{file as source_place, location};

/// Longest name, label key or label value, in bytes.
pub const MAX_NAME: usize = 128;
/// Longest field key, field value or status, in bytes.
pub const MAX_FIELD: usize = 256;
/// Longest text of a panic or error, in bytes.
pub const MAX_MESSAGE: usize = 4096;
/// Longest id of a trace, in bytes.
pub const MAX_TRACE_ID: usize = 64;
/// Most fields of one task; later ones are dropped, later values of a known key replace the earlier.
pub const MAX_FIELDS: usize = 16;
/// Most labels of one group; later ones are dropped.
pub const MAX_LABELS: usize = 8;

/// Where groups beyond the limits are counted.
pub const OTHER: &str = "__other__";

/// The location of a task, for people: those that are counted together have none.
pub fn place(location: &str) -> &str {
    if location.is_empty() { "location not kept: too many groups" } else { location }
}

/// Labels of the metrics themselves, and of their formats.
pub const RESERVED_KEYS: [&str; 6] = ["task", "kind", "outcome", "reason", "le", "quantile"];

/// Cuts a text to `limit` bytes at a character, with `…` for what is missing.
pub fn cut(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Writes control characters, and those that change the direction of a line, as escapes, so that no text can
/// forge a line of the log.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if needs_escape(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters, and those that show nothing or turn the direction of a line.
fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A label's key as Prometheus allows it: letters, digits and `_`, beginning with a letter, and none that
/// the metrics use themselves.
pub fn label_key(key: &str) -> String {
    let legal = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let mut clean: String = key.chars().take(MAX_NAME).map(legal).collect();
    clean = clean.trim_start_matches('_').to_owned();
    if !clean.starts_with(|first: char| first.is_ascii_alphabetic()) {
        clean.insert_str(0, "label_");
    }
    clean.truncate(MAX_NAME - 1);
    if RESERVED_KEYS.contains(&clean.as_str()) {
        clean.push('_');
    }
    clean
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    #[test]
    fn label_keys_are_legal_and_not_ours() {
        let cases = [
            ("provider", "provider"),
            ("le", "le_"),
            ("__name__", "name__"),
            ("task", "task_"),
            ("a-b c", "a_b_c"),
        ];
        for (key, expected) in cases {
            assert_eq!(label_key(key), expected);
        }
        assert_eq!(label_key(""), "label_");
        assert_eq!(label_key("9lives"), "label_9lives");
        assert_eq!(label_key("_kind"), "kind_");
        assert!(label_key(&"é".repeat(1000)).len() <= MAX_NAME);
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(cut("short".into(), 5), "short");
        assert_eq!(cut("äöüäöü".into(), 8), "äö…");
    }

    #[test]
    fn control_characters_cannot_forge_a_line() {
        assert_eq!(escape("a\nb\u{202e}"), "a\\nb\\u{202e}");
        for invisible in ['\u{61c}', '\u{200b}', '\u{feff}', '\u{2060}', '\u{7f}', '\u{85}', '\u{e0041}'] {
            assert_eq!(escape(&invisible.to_string()), invisible.escape_default().to_string());
        }
    }
}
