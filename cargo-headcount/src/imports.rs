//! Imports that nothing uses any more after the edits are removed, so that the result compiles without a
//! warning.

use std::collections::HashSet;
use std::ops::Range;
use std::str::FromStr;

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{ItemUse, UseGroup, UseTree, Visibility};

use crate::edit::Edit;
use crate::index::{Index, Meaning, ModuleId, Written, leaves};
use crate::source::Source;

/// Crates whose imports may be removed.
const CRATES: [&str; 5] = ["tokio", "tokio_util", "actix", "actix_rt", "actix_web"];

/// Modules whose imports may be removed: of such a name only `name::` is a use.
const MODULES: [&str; 4] = ["tokio::task", "tokio::runtime", "actix_web::rt", "actix_rt::task"];

/// A word of the code with what stands before it, and whether `::` follows.
struct Word {
    name: String,
    at: usize,
    before: [String; 3],
    begins_path: bool,
}

/// Edits that remove imports, given the bytes that other edits replace.
pub(crate) fn remove(index: &Index, source: &Source, file: usize, replaced: &[Range<usize>]) -> Vec<Edit> {
    let module = index.module_of(file);
    let mut imports = Imports { index, source, module, items: Vec::new(), modules: Vec::new() };
    imports.visit_file(&source.ast);
    let words = words(source);
    let within: Vec<Range<usize>> = imports.items.iter().map(|(_, item)| source.range(item.span())).collect();
    let unused = |module: ModuleId, name: &str, is_module: bool| {
        let seen = |word: &Word| {
            let inner = imports.module_at(word.at).unwrap_or(index.module_of(file));
            inner == module || word.before[1] == ":" || index.imports_all(inner, module)
        };
        let counts = |word: &&Word| {
            word.name == name && seen(word) && word.is_use(&within) && (word.begins_path || !is_module)
        };
        let uses: Vec<&Word> = words.iter().filter(counts).collect();
        let gone = |word: &&Word| replaced.iter().any(|range| range.contains(&word.at));
        !uses.is_empty() && uses.iter().all(gone) && !index.is_shared(module, file)
    };
    let mut edits = Vec::new();
    for (module, item) in &imports.items {
        let start = Written { leading: item.leading_colon.is_some(), segments: Vec::new() };
        let paths = leaves(&item.tree, start);
        let removable = |name: &Option<String>, path: &Written| {
            let Some(name) = name else { return false };
            let Meaning::External(full) = index.meaning(*module, path) else { return false };
            let is_module = full.len() == 1 || MODULES.contains(&full.join("::").as_str());
            CRATES.contains(&full[0].as_str()) && unused(*module, name, is_module)
        };
        let removed: Vec<bool> = paths.iter().map(|(name, path)| removable(name, path)).collect();
        if removed.contains(&true) {
            match prune(source, &item.tree, &mut removed.into_iter()) {
                Pruned::Kept => {}
                Pruned::Gone => edits.push(Edit::replace(whole_lines(source, source.range(item.span())), "")),
                Pruned::Parts(ranges) => {
                    edits.extend(merged(ranges).into_iter().map(|range| Edit::replace(range, "")));
                }
            }
        }
    }
    edits
}

impl Word {
    /// Whether it uses an import of its name: it begins a path, in the code or in another import.
    fn is_use(&self, imports: &[Range<usize>]) -> bool {
        let imported = imports.iter().any(|range| range.contains(&self.at));
        let [third, second, first] = self.before.each_ref().map(String::as_str);
        if first == ":" && second == ":" {
            return matches!(third, "self" | "super" | "crate");
        }
        first != "." && first != "fn" && (!imported || first == "use")
    }
}

struct Imports<'a> {
    index: &'a Index,
    source: &'a Source,
    module: ModuleId,
    items: Vec<(ModuleId, ItemUse)>,
    /// The modules within the file, outer ones first.
    modules: Vec<(Range<usize>, ModuleId)>,
}

impl Imports<'_> {
    /// The innermost module around an offset.
    fn module_at(&self, offset: usize) -> Option<ModuleId> {
        self.modules.iter().rev().find(|(range, _)| range.contains(&offset)).map(|(_, module)| *module)
    }
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let inner = self.index.child(self.module, &item.ident.to_string());
        self.modules.push((self.source.range(item.span()), inner));
        let outside = std::mem::replace(&mut self.module, inner);
        visit::visit_item_mod(self, item);
        self.module = outside;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if matches!(item.vis, Visibility::Inherited) {
            self.items.push((self.module, item.clone()));
        }
    }
}

fn words(source: &Source) -> Vec<Word> {
    fn collect(tokens: TokenStream, source: &Source, before: &mut [String; 3], words: &mut Vec<Word>) {
        let push = |before: &mut [String; 3], text: String| {
            before.rotate_left(1);
            before[2] = text;
        };
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => {
                    push(before, "(".to_owned());
                    collect(group.stream(), source, before, words);
                    push(before, ")".to_owned());
                }
                TokenTree::Ident(name) => {
                    let at = source.range(name.span()).start;
                    let text = name.to_string();
                    let begins_path = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':' && next.spacing() == Spacing::Joint);
                    words.push(Word { name: text.clone(), at, before: before.clone(), begins_path });
                    push(before, text);
                }
                other => push(before, other.to_string()),
            }
        }
    }
    let mut words = Vec::new();
    let code = &source.text[source.code()..];
    let tokens = TokenStream::from_str(code).unwrap_or_default();
    collect(tokens, source, &mut Default::default(), &mut words);
    words
}

enum Pruned {
    Kept,
    Gone,
    Parts(Vec<Range<usize>>),
}

/// Takes leaves out of a tree, in the order of [`leaves`].
fn prune(source: &Source, tree: &UseTree, removed: &mut impl Iterator<Item = bool>) -> Pruned {
    match tree {
        UseTree::Path(tree) => prune(source, &tree.tree, removed),
        UseTree::Name(_) | UseTree::Rename(_) | UseTree::Glob(_) => {
            if removed.next() == Some(true) {
                Pruned::Gone
            } else {
                Pruned::Kept
            }
        }
        UseTree::Group(group) => {
            let ranges: Vec<Range<usize>> =
                group.items.iter().map(|item| source.range(item.span())).collect();
            let items: Vec<Pruned> = group.items.iter().map(|item| prune(source, item, removed)).collect();
            let gone: HashSet<usize> = items
                .iter()
                .enumerate()
                .filter(|(_, item)| matches!(item, Pruned::Gone))
                .map(|(at, _)| at)
                .collect();
            if gone.len() == items.len() {
                return Pruned::Gone;
            }
            if gone.len() + 1 == items.len() && !source.slice(&source.range(group.span())).contains('/') {
                return lone(source, group, &items);
            }
            let mut parts = Vec::new();
            for (at, item) in items.into_iter().enumerate() {
                match item {
                    Pruned::Kept => {}
                    Pruned::Parts(inner) => parts.extend(inner),
                    Pruned::Gone => match ranges.get(at + 1) {
                        // With the comma behind it; the last ones with the comma before them.
                        Some(next) if (at + 1..ranges.len()).any(|later| !gone.contains(&later)) => {
                            parts.push(ranges[at].start..next.start);
                        }
                        _ => {
                            let kept = (0..at).rev().find(|earlier| !gone.contains(earlier));
                            parts
                                .push(kept.map_or(ranges[at].start, |kept| ranges[kept].end)..ranges[at].end);
                        }
                    },
                }
            }
            if parts.is_empty() { Pruned::Kept } else { Pruned::Parts(parts) }
        }
    }
}

/// The last item of a group needs no braces; `self` does.
fn lone(source: &Source, group: &UseGroup, items: &[Pruned]) -> Pruned {
    let whole = source.range(group.span());
    for (item, pruned) in group.items.iter().zip(items) {
        let parts = match pruned {
            Pruned::Gone => continue,
            Pruned::Kept => Vec::new(),
            Pruned::Parts(parts) => parts.clone(),
        };
        let kept = source.range(item.span());
        let (open, close) = match item {
            UseTree::Name(name) if name.ident == "self" => (whole.start + 1, whole.end - 1),
            _ => (whole.start, whole.end),
        };
        return Pruned::Parts([vec![open..kept.start, kept.end..close], parts].concat());
    }
    Pruned::Gone
}

fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// An item with the line that it has for itself.
fn whole_lines(source: &Source, range: Range<usize>) -> Range<usize> {
    let start = source.line_start(range.start);
    let rest = &source.text[range.end..];
    let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
    let alone = source.text[start..range.start].trim().is_empty();
    if alone && rest[blank..].starts_with('\n') {
        return start..range.end + blank + 1;
    }
    range
}
