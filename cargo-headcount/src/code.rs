//! A code base: all its files, read, and what was found in each.

use std::collections::HashSet;

use crate::cli::Selection;
use crate::error::Error;
use crate::index::Index;
use crate::scan::{Found, Key, Wrapper, scan};
use crate::source::{Source, files};

pub(crate) struct Code {
    pub(crate) sources: Vec<Source>,
    pub(crate) index: Index,
    pub(crate) found: Vec<Found>,
}

impl Code {
    /// Reads all files; those that cannot be are the second part.
    pub(crate) fn read(selection: &Selection) -> Result<(Self, Vec<Error>), Error> {
        let (mut sources, mut errors) = (Vec::new(), Vec::new());
        for (path, shown) in files(&selection.paths, &selection.exclude)? {
            match Source::read(&path, shown) {
                Ok(source) => sources.push(source),
                Err(error) => errors.push(error),
            }
        }
        let mut code = Self::of(sources);
        if selection.no_tests {
            for found in &mut code.found {
                found.sites.retain(|site| !site.test);
            }
        }
        Ok((code, errors))
    }

    pub(crate) fn of(sources: Vec<Source>) -> Self {
        let index = Index::new(&sources);
        let mut found: Vec<Found> =
            sources.iter().enumerate().map(|(file, source)| scan(&index, source, file)).collect();
        let wrappers = wrappers(&found);
        for found in &mut found {
            found.wrappers.retain(|wrapper| wrappers.contains(&wrapper.key));
        }
        Self { sources, index, found }
    }

    /// How often a wrapper is called in all files.
    pub(crate) fn calls(&self, key: &Key) -> usize {
        self.found.iter().filter_map(|found| found.calls.get(key)).sum()
    }
}

/// The functions that spawn what they are given, themselves or through another such function.
fn wrappers(found: &[Found]) -> HashSet<Key> {
    let candidates = || found.iter().flat_map(|found| &found.wrappers);
    let mut known: HashSet<Key> =
        candidates().filter(|wrapper| wrapper.spawns).map(|wrapper| wrapper.key.clone()).collect();
    loop {
        let before = known.len();
        let through = |wrapper: &&Wrapper| wrapper.through.iter().any(|key| known.contains(key));
        let more: Vec<Key> = candidates().filter(through).map(|wrapper| wrapper.key.clone()).collect();
        known.extend(more);
        if known.len() == before {
            return known;
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A code base of one file without a package.
    pub(crate) fn code(text: &str) -> Code {
        let source = Source::parse("/nowhere/snippet.rs".into(), "snippet.rs".to_owned(), text.to_owned());
        Code::of(vec![source.expect("a snippet that parses")])
    }
}
