//! The scanner: where it is in a file, and what names mean there.

use std::collections::HashMap;
use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::Visit;

use super::found::{Arg, Found, Key, ResultUse};
use crate::index::{Index, Meaning, ModuleId, Written};
use crate::source::Source;
use crate::types::{Kind, Typed};

#[derive(Default)]
pub(crate) struct Scope {
    pub(crate) variables: HashMap<String, Typed>,
    /// The imports of each name: several where they depend on `cfg`.
    pub(super) uses: HashMap<String, Vec<Written>>,
    pub(super) globs: Vec<Written>,
}

pub(crate) struct Scanner<'a> {
    pub(crate) index: &'a Index,
    pub(crate) source: &'a Source,
    pub(crate) module: ModuleId,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) owner: Option<Kind>,
    pub(super) owner_name: Option<String>,
    pub(super) functions: Vec<String>,
    pub(super) tests: usize,
    /// Closures and async blocks around, within the function.
    pub(super) nested: usize,
    pub(super) direct: Vec<usize>,
    /// Calls of local functions, with what they are given.
    pub(super) handed: Vec<(Key, Vec<Arg>)>,
    pub(crate) macros: Vec<String>,
    pub(super) bound: Option<(Range<usize>, String)>,
    pub(super) results: HashMap<(usize, usize), ResultUse>,
    pub(crate) found: Found,
}

/// Finds the spawns of a file.
pub(crate) fn scan(index: &Index, source: &Source, file: usize) -> Found {
    let mut scanner = Scanner {
        index,
        source,
        module: index.module_of(file),
        scopes: vec![Scope::default()],
        owner: None,
        owner_name: None,
        functions: Vec::new(),
        tests: usize::from(source.home.test),
        nested: 0,
        direct: Vec::new(),
        handed: Vec::new(),
        macros: Vec::new(),
        bound: None,
        results: HashMap::new(),
        found: Found::default(),
    };
    scanner.visit_file(&source.ast);
    scanner.found
}

impl Scanner<'_> {
    pub(crate) fn range(&self, node: &impl Spanned) -> Range<usize> {
        self.source.range(node.span())
    }

    /// What a path stands for here: imports of blocks come before those of the module.
    pub(crate) fn meaning(&self, path: &Written) -> Meaning {
        let Some(first) = path.segments.first() else { return Meaning::Unknown };
        if !path.leading {
            for scope in self.scopes.iter().rev() {
                if path.segments.len() == 1 && scope.variables.contains_key(first) {
                    return Meaning::Unknown;
                }
                if let Some(targets) = scope.uses.get(first) {
                    let meaning = |target: &Written| {
                        let segments = target.segments.iter().chain(&path.segments[1..]).cloned().collect();
                        self.index.meaning(self.module, &Written { leading: target.leading, segments })
                    };
                    return Meaning::of_all(targets.iter().map(meaning).collect());
                }
            }
            if let (Some(Kind::Local(owner, name)), "Self") = (&self.owner, first.as_str()) {
                return Meaning::Local(*owner, name.clone(), path.segments[1..].to_vec());
            }
        }
        let meaning = self.index.meaning(self.module, path);
        if path.leading || !matches!(&meaning, Meaning::External(found) if *found == path.segments) {
            return meaning;
        }
        self.through_globs(path).unwrap_or(meaning)
    }

    /// The crates of headcount whose names mean something else here.
    pub(super) fn taken(&self) -> Vec<&'static str> {
        let is_taken = |name: &&str| {
            let path = Written { leading: false, segments: vec![(*name).to_owned()] };
            let by_block = self.scopes.iter().any(|scope| scope.uses.contains_key(*name));
            by_block || self.index.meaning(self.module, &path) != Meaning::External(path.segments)
        };
        ["headcount", "headcount_core"].into_iter().filter(is_taken).collect()
    }

    pub(super) fn through_globs(&self, path: &Written) -> Option<Meaning> {
        let globs = self.scopes.iter().rev().flat_map(|scope| &scope.globs);
        globs.map(|glob| [&glob.segments[..], &path.segments].concat()).find_map(|segments| {
            match self.index.meaning(self.module, &Written { leading: false, segments }) {
                Meaning::External(full) if crate::index::is_known(&full) => Some(Meaning::External(full)),
                _ => None,
            }
        })
    }

    pub(super) fn scoped(&mut self, work: impl FnOnce(&mut Self)) {
        self.scopes.push(Scope::default());
        work(self);
        self.scopes.pop();
    }

    pub(crate) fn declare(&mut self, name: String, typed: Typed) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.variables.insert(name, typed);
        }
    }

    pub(super) fn function_path(&self) -> String {
        let mut path = self.index.path(self.module);
        for name in self.owner_name.iter().chain(self.functions.last()) {
            path.push_str("::");
            path.push_str(name);
        }
        path
    }

    pub(super) fn range_end(&self, span: Span) -> usize {
        self.source.range(span).end
    }
}
