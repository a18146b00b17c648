//! The name of an inlined function, from its source file, where that is at hand.
//!
//! Line tables name an inlined `async fn` by `{async_fn#0}` alone. On the machine that compiled the program,
//! the function is the last `fn` before the line, and its type that of the last `impl`.

use std::path::Path;

/// The largest file that is read.
const MOST_BYTES: u64 = 1 << 20;

/// `Mailer::send` or `send`: what encloses this line.
pub(super) fn enclosing(path: &Path, line: u32) -> Option<String> {
    let size = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    if MOST_BYTES < size {
        return None;
    }
    enclosing_in(&std::fs::read_to_string(path).ok()?, line)
}

fn enclosing_in(text: &str, line: u32) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(line as usize).collect();
    if lines.len() < line as usize {
        return None;
    }
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut inside = usize::MAX;
    let mut function = None;
    for line in lines.iter().rev() {
        if line.trim().is_empty() || line.trim_start().starts_with("//") {
            continue;
        }
        let here = indent(line);
        if function.is_none() {
            if let Some(name) = function_of(line).filter(|_| here <= inside) {
                if here == 0 {
                    return Some(name.to_owned());
                }
                (function, inside) = (Some(name), here);
            } else {
                inside = inside.min(here.max(1));
            }
        } else if here < inside {
            let function = function?;
            if let Some(ty) = type_of(line) {
                return Some(format!("{ty}::{function}"));
            }
            if here == 0 {
                return Some(function.to_owned());
            }
        }
    }
    function.map(str::to_owned)
}

/// What may stand before `fn`.
const BEFORE: [&str; 7] = ["pub", "async", "unsafe", "const", "extern", "default", "safe"];

/// `send` of `pub(crate) async fn send<T>(`.
fn function_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let at = if line.starts_with("fn ") { 0 } else { line.find(" fn ")? + 1 };
    let is_before = |word: &str| BEFORE.iter().any(|known| word.starts_with(known)) || word.starts_with('"');
    // A macro's line such as `async fn a() { b().await }` within other code is none.
    if !line[..at].split_whitespace().all(|word| is_before(word) || word.ends_with(')')) {
        return None;
    }
    ident(line[at + 3..].trim_start())
}

/// `Mailer` of `impl<T> Mailer<T> {` and of `impl<T> Future for Mailer<T>`.
fn type_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("unsafe ").unwrap_or(line);
    let rest = line
        .strip_prefix("impl")
        .or_else(|| line.strip_prefix("pub trait "))
        .or_else(|| line.strip_prefix("trait "))?;
    let rest = skip_generics(rest).trim_start();
    let rest = rest.split(" where").next().unwrap_or(rest);
    let ty = rest.rsplit(" for ").next().unwrap_or(rest).trim();
    let path = &ty[..ty
        .find(['<', ' ', '{', ':'])
        .map_or(ty.len(), |at| if ty[at..].starts_with("::") { ty.len() } else { at })];
    ident(path.rsplit("::").next().unwrap_or(path).trim_start_matches(['&', '!']))
}

fn skip_generics(text: &str) -> &str {
    if !text.starts_with('<') {
        return text;
    }
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            // `->` closes nothing.
            '>' if !text[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
    }
    ""
}

fn ident(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (0 < end).then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::enclosing_in;

    const TEXT: &str = "\
use std::future::Future;

async fn first() {
    second().await;
}

impl<T: Fn() -> u32> Mailer<T> {
    /// A comment about fn other.
    pub(crate) async fn send<U>(&self, to: U) {
        loop {
            let x = async {
                self.pool.get().await
            };
            x.await;
        }
    }
}

impl<S> Future for Watched<'_, S> where S: Send {
    fn poll(self: Pin<&mut Self>) -> Poll<()> {
        ready()
    }
}

mod inner {
    pub async fn third() { super::first().await }
}
";

    #[test]
    fn a_line_has_its_function() {
        let table = [
            (4, Some("first")),
            (12, Some("Mailer::send")),
            (14, Some("Mailer::send")),
            (21, Some("Watched::poll")),
            (26, Some("third")),
            (1, None),
            (99, None),
        ];
        for (line, function) in table {
            assert_eq!(enclosing_in(TEXT, line).as_deref(), function, "line {line}");
        }
    }
}
