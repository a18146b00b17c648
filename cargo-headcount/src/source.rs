//! Source files: found below the paths given, read, parsed, and placed in the module tree of their crate.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Span, TokenStream, TokenTree};

use crate::error::Error;

/// Groups within groups beyond this depth are refused, since the parser is recursive.
const MAX_DEPTH: usize = 400;

/// A file that was read and parsed.
pub(crate) struct Source {
    /// Where it is, without symbolic links.
    pub(crate) path: PathBuf,
    /// How it is called in what is printed: relative to the path given.
    pub(crate) shown: String,
    pub(crate) text: String,
    pub(crate) ast: syn::File,
    pub(crate) home: Home,
    /// Offset of the text that was parsed: behind a byte order mark and a `#!` line.
    start: usize,
    lines: Vec<usize>,
}

/// The place of a file in a package and in the module tree of one of its crates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    /// The directory with the `Cargo.toml`, or the file itself where there is none.
    pub(crate) package: PathBuf,
    /// The crate's source root within the package: `src`, `src/bin/x`, `tests/x`.
    pub(crate) root: String,
    /// The module that the file is.
    pub(crate) module: Vec<String>,
    /// Whether the whole file is a test or a benchmark.
    pub(crate) test: bool,
}

impl Source {
    pub(crate) fn read(path: &Path, shown: String) -> Result<Self, Error> {
        let real = fs::canonicalize(path).map_err(|error| Error::io(path, "cannot be read", &error))?;
        let bytes = fs::read(&real).map_err(|error| Error::io(path, "cannot be read", &error))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::file(&shown, &format!("is not UTF-8 (byte {at})"))
        })?;
        Self::parse(real, shown, text)
    }

    pub(crate) fn parse(path: PathBuf, shown: String, text: String) -> Result<Self, Error> {
        let start = code_start(&text);
        let ast = parse(&text[start..]).map_err(|(line, column, why)| {
            Error::file(&shown, &format!("cannot be parsed: {line}:{column}: {why}"))
        })?;
        let home = home(&path);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Ok(Self { path, shown, text, ast, home, start, lines })
    }

    /// Where the code begins in the text.
    pub(crate) fn code(&self) -> usize {
        self.start
    }

    /// The bytes of a span in the text.
    pub(crate) fn range(&self, span: Span) -> Range<usize> {
        let range = span.byte_range();
        range.start + self.start..range.end + self.start
    }

    pub(crate) fn slice(&self, range: &Range<usize>) -> &str {
        &self.text[range.clone()]
    }

    /// Line and column of an offset, both from 1, the column in characters.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset) - 1;
        (line + 1, self.text[self.lines[line]..offset].chars().count() + 1)
    }

    /// Where the line of an offset begins, in the code.
    pub(crate) fn line_start(&self, offset: usize) -> usize {
        self.lines[self.lines.partition_point(|start| *start <= offset) - 1].max(self.start)
    }
}

/// Where the code begins: behind a byte order mark and a `#!` line, which is no attribute.
fn code_start(text: &str) -> usize {
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let rest = &text[mark..];
    if rest.starts_with("#!") && !rest[2..].trim_start().starts_with('[') {
        return mark + rest.find('\n').unwrap_or(rest.len());
    }
    mark
}

/// Parses a file, or says at which line and column it cannot be.
pub(crate) fn parse(code: &str) -> Result<syn::File, (usize, usize, String)> {
    let located = |span: Span, why: String| (span.start().line, span.start().column + 1, why);
    let tokens = TokenStream::from_str(code)
        .map_err(|error| located(error.span(), "not a token of Rust".to_owned()))?;
    if let Some(span) = too_deep(&tokens, MAX_DEPTH) {
        return Err(located(span, format!("more than {MAX_DEPTH} brackets within each other")));
    }
    syn::parse2(tokens).map_err(|error| located(error.span(), error.to_string()))
}

fn too_deep(tokens: &TokenStream, left: usize) -> Option<Span> {
    for token in tokens.clone() {
        if let TokenTree::Group(group) = token {
            if left == 0 {
                return Some(group.span_open());
            }
            if let Some(span) = too_deep(&group.stream(), left - 1) {
                return Some(span);
            }
        }
    }
    None
}

/// The place of a file, from its path alone: `#[path]` attributes are not followed.
fn home(path: &Path) -> Home {
    let package = path.ancestors().skip(1).find(|directory| directory.join("Cargo.toml").is_file());
    let Some(package) = package else {
        return Home { package: path.to_owned(), root: String::new(), module: Vec::new(), test: false };
    };
    let inside = path.strip_prefix(package).unwrap_or(path).with_extension("");
    let parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let test = matches!(parts[0].as_str(), "tests" | "benches");
    let rooted = |root: &[String], rest: &[String]| Home {
        package: package.to_owned(),
        root: root.join("/"),
        module: module(rest),
        test,
    };
    match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["src", "bin", _, ..] => rooted(&parts[..3], &parts[3..]),
        ["tests" | "benches" | "examples", _, ..] => rooted(&parts[..2], &parts[2..]),
        [_, _, ..] => rooted(&parts[..1], &parts[1..]),
        _ => rooted(&parts, &[]),
    }
}

fn module(parts: &[String]) -> Vec<String> {
    let mut module = parts.to_vec();
    let names_directory =
        |name: &String| name == "mod" || (parts.len() == 1 && (name == "lib" || name == "main"));
    if module.last().is_some_and(names_directory) {
        module.pop();
    }
    module
}

/// Every Rust file below the paths, in order, without hidden directories and build directories.
pub(crate) fn files(paths: &[PathBuf], exclude: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Error> {
    let excluded: Vec<PathBuf> = exclude
        .iter()
        .map(|path| fs::canonicalize(path).map_err(|error| Error::io(path, "cannot be excluded", &error)))
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        let data = fs::metadata(path).map_err(|error| Error::io(path, "cannot be read", &error))?;
        let before = found.len();
        if data.is_file() {
            found.push((path.clone(), path.display().to_string()));
        } else {
            walk(path, path, &excluded, &mut found)?;
        }
        if found.len() == before {
            return Err(Error::file(&path.display().to_string(), "has no Rust source below it"));
        }
    }
    found.retain(|(path, _)| fs::canonicalize(path).map_or(true, |real| seen.insert(real)));
    Ok(found)
}

fn walk(
    directory: &Path,
    top: &Path,
    excluded: &[PathBuf],
    found: &mut Vec<(PathBuf, String)>,
) -> Result<(), Error> {
    let failed = |error: &std::io::Error| Error::io(directory, "cannot be read", error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| failed(&error))? {
        entries.push(entry.map_err(|error| failed(&error))?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        let kind = entry.file_type().map_err(|error| failed(&error))?;
        if excluded.contains(&fs::canonicalize(&path).unwrap_or_default()) {
            continue;
        }
        if kind.is_dir() {
            let skipped = name.to_string_lossy().starts_with('.') || is_build_directory(&path);
            if !skipped {
                walk(&path, top, excluded, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && path.is_file() {
            let shown = path.strip_prefix(top).unwrap_or(&path).display().to_string();
            found.push((path, shown));
        }
    }
    Ok(())
}

/// Cargo marks what it builds into.
fn is_build_directory(path: &Path) -> bool {
    path.join("CACHEDIR.TAG").is_file()
        || (path.ends_with("target") && !path.join("mod.rs").is_file() && path.join("debug").is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_place_in_the_module_tree() {
        let cases = [
            ("src/lib.rs", "src", ""),
            ("src/main.rs", "src", ""),
            ("src/inner.rs", "src", "inner"),
            ("src/a/mod.rs", "src", "a"),
            ("src/a/main.rs", "src", "a::main"),
            ("src/bin/tool.rs", "src/bin/tool", ""),
            ("src/bin/tool/main.rs", "src/bin/tool", ""),
            ("src/bin/tool/part.rs", "src/bin/tool", "part"),
            ("tests/it.rs", "tests/it", ""),
            ("examples/all/main.rs", "examples/all", ""),
            ("build.rs", "build", ""),
        ];
        let package = std::env::current_dir().expect("a working directory");
        for (path, root, module) in cases {
            let home = home(&package.join(path));
            assert_eq!((home.root.as_str(), home.module.join("::").as_str()), (root, module), "{path}");
        }
    }

    #[test]
    fn code_begins_behind_marks_and_shebangs() {
        assert_eq!(code_start("fn main() {}"), 0);
        assert_eq!(code_start("\u{feff}fn main() {}"), 3);
        assert_eq!(code_start("#!/usr/bin/env run\nfn main() {}"), 18);
        assert_eq!(code_start("#![allow(unused)]\n"), 0);
        assert_eq!(code_start("#! [allow(unused)]\n"), 0);
    }

    #[test]
    fn what_nests_too_deeply_is_refused() {
        let code = format!("fn f() {{ {}1{}; }}", "(".repeat(5000), ")".repeat(5000));
        let (_, _, why) = parse(&code).err().expect("refused");
        assert!(why.contains("within each other"), "{why}");
    }
}
