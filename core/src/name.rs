//! Names, labels and fields: what users give is brought into bounds here, and unnamed tasks are named after their code.

use std::borrow::Cow;

/// Longest name, label key or label value, in bytes.
pub const MAX_NAME: usize = 128;
/// Longest field key, field value or status, in bytes.
pub const MAX_FIELD: usize = 256;
/// Longest text of a panic or error, in bytes.
pub const MAX_MESSAGE: usize = 4096;
/// Most fields of one task; later ones are dropped, later values of a known key replace the earlier.
pub const MAX_FIELDS: usize = 16;
/// Most labels of one group; later ones are dropped.
pub const MAX_LABELS: usize = 8;

/// Where groups beyond the limits are counted.
pub const OTHER: &str = "__other__";

/// The place of a task, for people: those that are counted together have none.
pub fn place(location: &str) -> &str {
    if location.is_empty() { "of one group too many" } else { location }
}

const RESERVED_KEYS: [&str; 5] = ["task", "kind", "outcome", "le", "quantile"];

/// Cuts a text to `limit` bytes at a character, with `…` for what is missing.
pub fn cut(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Writes control characters, and those that change the direction of a line, as escapes, so that no text can forge a line of the log.
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

fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A label's key as Prometheus allows it: letters, digits and `_`, beginning with a letter, and none that the metrics use themselves.
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

/// The path of the code behind a future or closure of this type, where it has one.
///
/// Best effort: [`std::any::type_name`] promises nothing. A type that ends in `{{closure}}` gives its path; of any other
/// the first generic argument that does, so that adaptors are looked through.
pub fn of_type(type_name: &str) -> Option<String> {
    if type_name.starts_with("dyn ") {
        return None;
    }
    if type_name.ends_with("::{{closure}}") {
        return Some(path_of(type_name));
    }
    let open = type_name.find('<').filter(|open| *open != 0)?;
    let close = matching(type_name, open)?;
    split_top(&type_name[open + 1..close], ", ").into_iter().find_map(of_type)
}

/// A path without closures and generics; `<A as B>::f` is `A::f`.
fn path_of(path: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in split_top(path, "::") {
        match part.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')) {
            Some(inner) => parts.extend(implementor(inner)),
            None if part == "{{closure}}" => {}
            None => parts.push(part[..part.find('<').unwrap_or(part.len())].to_owned()),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("::")
}

/// `A` of `A as B`; nothing of `impl B for A`, whose path is known from what stands before it.
fn implementor(inner: &str) -> Option<String> {
    if inner.starts_with("impl ") {
        return None;
    }
    let parts = split_top(inner, " as ");
    parts.first().map(|part| path_of(part))
}

/// Splits at a separator that stands outside all brackets.
fn split_top<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut depth, mut start, mut at) = (0_usize, 0, 0);
    while at < text.len() {
        if depth == 0 && text[at..].starts_with(separator) {
            parts.push(&text[start..at]);
            at += separator.len();
            start = at;
            continue;
        }
        depth = depth_after(text, at, depth);
        at += text[at..].chars().next().map_or(1, char::len_utf8);
    }
    parts.push(&text[start..]);
    parts
}

/// Where the bracket that opens at `open` closes.
fn matching(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, _) in text.char_indices().skip_while(|(at, _)| *at < open) {
        depth = depth_after(text, at, depth);
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn depth_after(text: &str, at: usize, depth: usize) -> usize {
    match text.as_bytes()[at] {
        b'<' | b'(' | b'[' => depth + 1,
        b'>' if text[..at].ends_with('-') => depth,
        b'>' | b')' | b']' => depth.saturating_sub(1),
        _ => depth,
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    #[test]
    fn paths_come_out_of_type_names() {
        let cases = [
            ("app::send_email::{{closure}}", Some("app::send_email")),
            ("app::Mailer::send::{{closure}}", Some("app::Mailer::send")),
            ("<app::Ses as app::Provider>::send::{{closure}}", Some("app::Ses::send")),
            (
                "<app::Pool<u8> as app::Provider<alloc::string::String>>::send::{{closure}}",
                Some("app::Pool::send"),
            ),
            ("app::run<alloc::string::String>::{{closure}}", Some("app::run")),
            ("app::handler::{{closure}}::{{closure}}", Some("app::handler")),
            ("app::mail::<impl app::Mailer>::send::{{closure}}", Some("app::mail::send")),
            ("tracing::instrument::Instrumented<app::f::{{closure}}>", Some("app::f")),
            (
                "tokio::time::timeout::Timeout<tracing::instrument::Instrumented<app::f::{{closure}}>>",
                Some("app::f"),
            ),
            ("futures_util::future::Map<app::f::{{closure}}, app::main::{{closure}}>", Some("app::f")),
            ("tokio::task::task_local::TaskLocalFuture<u32, app::f::{{closure}}>", Some("app::f")),
            ("core::pin::Pin<alloc::boxed::Box<app::f<fn(u8) -> u8>::{{closure}}>>", Some("app::f")),
            ("core::pin::Pin<alloc::boxed::Box<dyn core::future::Future<Output = ()> + Send>>", None),
            ("dyn core::future::Future<Output = app::f::{{closure}}>", None),
            ("fn(u32) -> app::Answer", None),
            ("app::Hand", None),
            ("<<<", None),
            ("", None),
        ];
        for (type_name, expected) in cases {
            assert_eq!(of_type(type_name).as_deref(), expected, "{type_name}");
        }
    }

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
    }
}
