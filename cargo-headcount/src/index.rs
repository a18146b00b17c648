//! What the names in a code base stand for: modules with their items and imports, over all files, so that an
//! import of an import is followed.
//!
//! Not seen: items that macros make, `#[path]`, and what crates outside of the files re-export, but for
//! those that [`crate::forms`] knows.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Attribute, Fields, Ident, ImplItem, Item as SynItem, ReturnType, Type, UseTree, parse_quote};

use crate::forms::{Class, Form};
use crate::source::Source;

pub(crate) type ModuleId = usize;

/// Longest chain of imports and aliases that is followed.
const MAX_STEPS: usize = 32;

/// A path as written: `::a::b` is leading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) leading: bool,
    pub(crate) segments: Vec<String>,
}

/// What a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Something outside of the files read.
    External(Vec<String>),
    /// An item of a module, with what follows it in the path.
    Local(ModuleId, String, Vec<String>),
    Module(ModuleId),
    /// One of these, by `cfg`.
    Conditional(Vec<Meaning>),
    Unknown,
}

impl Meaning {
    /// What a name stands for that has each of these under another `cfg`.
    pub(crate) fn of_all(mut all: Vec<Self>) -> Self {
        let Some(first) = all.first() else { return Self::Unknown };
        if all.iter().all(|other| first.is_same(other)) {
            return all.swap_remove(0);
        }
        let flat = all.into_iter().flat_map(|meaning| match meaning {
            Self::Conditional(inner) => inner,
            other => vec![other],
        });
        Self::Conditional(flat.collect())
    }

    /// The same, or the same spawn by another path.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::External(one), Self::External(other)) if one != other => {
                let form = Form::of(one);
                let class = Class::of(one);
                (form.is_some() && form == Form::of(other)) || (class.is_some() && class == Class::of(other))
            }
            _ => self == other,
        }
    }
}

/// An item, and the `cfg`s that it stands under.
struct Conditioned {
    condition: String,
    item: Item,
}

/// An item that matters here.
enum Item {
    Use(Written),
    Module(ModuleId),
    Function(Option<Type>),
    Type(Vec<(String, Type)>),
    Alias(Type),
    Value(Type),
}

struct Module {
    parent: Option<ModuleId>,
    root: ModuleId,
    package: PathBuf,
    /// The name of the crate that it is the root of.
    krate: String,
    path: Vec<String>,
    items: HashMap<String, Vec<Conditioned>>,
    globs: Vec<(Written, usize)>,
}

/// All modules of all files.
#[derive(Default)]
pub(crate) struct Index {
    modules: Vec<Module>,
    roots: HashMap<(PathBuf, String), ModuleId>,
    /// The libraries among the packages read, by the name they are imported by.
    libraries: HashMap<String, ModuleId>,
    /// Dependencies by the name they have in a package.
    renamed: HashMap<PathBuf, HashMap<String, String>>,
    methods: HashMap<(ModuleId, String, String), Option<Type>>,
    /// The module of each file.
    homes: Vec<ModuleId>,
}

impl Index {
    pub(crate) fn new(sources: &[Source]) -> Self {
        let mut index = Self::default();
        for source in sources {
            let home = index.home(source);
            index.homes.push(home);
        }
        for (file, source) in sources.iter().enumerate() {
            index.add(index.homes[file], file, &source.ast.items, "");
        }
        for (file, source) in sources.iter().enumerate() {
            index.add_methods(index.homes[file], &source.ast.items);
        }
        index
    }

    /// The module that a file is.
    pub(crate) fn module_of(&self, file: usize) -> ModuleId {
        self.homes[file]
    }

    /// The module `name` within another.
    pub(crate) fn child(&self, module: ModuleId, name: &str) -> ModuleId {
        let inner = self
            .items(module, name)
            .find_map(|item| if let Item::Module(id) = item { Some(*id) } else { None });
        inner.unwrap_or(module)
    }

    /// The path of a module with its crate's name.
    pub(crate) fn path(&self, module: ModuleId) -> String {
        let module = &self.modules[module];
        let krate = &self.modules[module.root].krate;
        std::iter::once(krate).chain(&module.path).map(String::as_str).collect::<Vec<_>>().join("::")
    }

    /// Whether a module imports all names of another.
    pub(crate) fn imports_all(&self, module: ModuleId, of: ModuleId) -> bool {
        let globs = &self.modules[module].globs;
        globs.iter().any(|(path, _)| self.meaning(module, path) == Meaning::Module(of))
    }

    /// Whether another file imports all of a module's names.
    pub(crate) fn is_shared(&self, module: ModuleId, file: usize) -> bool {
        self.modules.iter().enumerate().any(|(at, other)| {
            other
                .globs
                .iter()
                .any(|(path, of)| *of != file && self.meaning(at, path) == Meaning::Module(module))
        })
    }

    fn home(&mut self, source: &Source) -> ModuleId {
        let home = &source.home;
        let key = (home.package.clone(), home.root.clone());
        let root = if let Some(root) = self.roots.get(&key) {
            *root
        } else {
            let root = self.new_module(None, &home.package, Vec::new());
            self.read_manifest(&home.package, &home.root, root);
            self.roots.insert(key, root);
            root
        };
        home.module.iter().fold(root, |module, name| self.submodule(module, name, ""))
    }

    fn new_module(&mut self, parent: Option<ModuleId>, package: &Path, path: Vec<String>) -> ModuleId {
        let id = self.modules.len();
        let root = parent.map_or(id, |parent| self.modules[parent].root);
        let package = package.to_owned();
        let krate = "crate".to_owned();
        self.modules.push(Module {
            parent,
            root,
            package,
            krate,
            path,
            items: HashMap::new(),
            globs: Vec::new(),
        });
        id
    }

    fn submodule(&mut self, parent: ModuleId, name: &str, condition: &str) -> ModuleId {
        let existing = self.child(parent, name);
        if existing != parent {
            return existing;
        }
        let mut path = self.modules[parent].path.clone();
        path.push(name.to_owned());
        let package = self.modules[parent].package.clone();
        let id = self.new_module(Some(parent), &package, path);
        self.item(parent, &name, condition, Item::Module(id));
        id
    }

    fn item(&mut self, module: ModuleId, name: &impl ToString, condition: &str, item: Item) {
        let item = Conditioned { condition: condition.to_owned(), item };
        self.modules[module].items.entry(plain_name(&name.to_string())).or_default().push(item);
    }

    fn items(&self, module: ModuleId, name: &str) -> impl Iterator<Item = &Item> {
        self.modules[module].items.get(name).into_iter().flatten().map(|conditioned| &conditioned.item)
    }

    /// The package's name, and the dependencies that have another name than their crate.
    fn read_manifest(&mut self, package: &Path, root: &str, module: ModuleId) {
        let Ok(manifest) = fs::read_to_string(package.join("Cargo.toml")) else { return };
        let (name, renamed) = manifest_names(&manifest);
        let Some(name) = name else { return };
        let own = root.rsplit('/').next().filter(|own| *own != "src").map(|own| own.replace('-', "_"));
        if own.is_none() {
            self.libraries.insert(name.clone(), module);
        }
        self.modules[module].krate = own.unwrap_or(name);
        self.renamed.insert(package.to_owned(), renamed);
    }

    /// Items of a module that stands under the `cfg`s of `outer`.
    fn add(&mut self, module: ModuleId, file: usize, items: &[SynItem], outer: &str) {
        for item in items {
            let condition = format!("{outer}{}", condition(attributes(item)));
            match item {
                SynItem::Use(item) => {
                    let start = Written { leading: item.leading_colon.is_some(), segments: Vec::new() };
                    for (name, path) in leaves(&item.tree, start) {
                        match name {
                            Some(name) => self.item(module, &name, &condition, Item::Use(path)),
                            None => self.modules[module].globs.push((path, file)),
                        }
                    }
                }
                SynItem::Mod(item) => {
                    if let Some((_, items)) = &item.content {
                        let inner = self.submodule(module, &item.ident.to_string(), &condition);
                        self.add(inner, file, items, &condition);
                    }
                }
                SynItem::ExternCrate(item) => {
                    let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
                    let path = Written { leading: true, segments: vec![item.ident.to_string()] };
                    self.item(module, name, &condition, Item::Use(path));
                }
                _ => {
                    if let Some((name, item)) = own_item(item) {
                        self.item(module, name, &condition, item);
                    }
                }
            }
        }
    }

    fn add_methods(&mut self, module: ModuleId, items: &[SynItem]) {
        for item in items {
            match item {
                SynItem::Mod(item) => {
                    if let Some((_, items)) = &item.content {
                        let inner = self.child(module, &item.ident.to_string());
                        self.add_methods(inner, items);
                    }
                }
                SynItem::Impl(item) => {
                    let Some((owner, name)) = self.local_type(module, &item.self_ty) else { continue };
                    for method in &item.items {
                        if let ImplItem::Fn(method) = method {
                            let key = (owner, name.clone(), method.sig.ident.to_string());
                            let output = returned(&method.sig.output);
                            let known = self.methods.entry(key).or_insert_with(|| output.clone());
                            if text(known.as_ref()) != text(output.as_ref()) {
                                *known = Some(parse_quote!(_));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn local_type(&self, module: ModuleId, ty: &Type) -> Option<(ModuleId, String)> {
        let Type::Path(path) = ty else { return None };
        match self.meaning(module, &written(&path.path)) {
            Meaning::Local(owner, name, rest) if rest.is_empty() => Some((owner, name)),
            _ => None,
        }
    }

    /// What a method of a local type returns, where it has that method and returns something: `_` where
    /// there are several.
    pub(crate) fn method(&self, owner: ModuleId, name: &str, method: &str) -> Option<&Option<Type>> {
        self.methods.get(&(owner, name.to_owned(), method.to_owned()))
    }

    pub(crate) fn field(&self, owner: ModuleId, name: &str, field: &str) -> Option<&Type> {
        let types = self.items(owner, name).flat_map(|item| match item {
            Item::Type(fields) => &fields[..],
            _ => &[],
        });
        only(types.filter(|(name, _)| name == field).map(|(_, ty)| Some(ty)))
    }

    /// The type of a constant or static, or what a function returns.
    pub(crate) fn value(&self, owner: ModuleId, name: &str) -> Option<&Type> {
        only(self.items(owner, name).filter_map(|item| match item {
            Item::Value(ty) => Some(Some(ty)),
            Item::Function(ty) => Some(ty.as_ref()),
            _ => None,
        }))
    }

    pub(crate) fn alias(&self, owner: ModuleId, name: &str) -> Option<&Type> {
        only(self.items(owner, name).filter_map(|item| match item {
            Item::Alias(ty) => Some(Some(ty)),
            Item::Type(_) => Some(None),
            _ => None,
        }))
    }

    pub(crate) fn is_type(&self, owner: ModuleId, name: &str) -> bool {
        self.items(owner, name).any(|item| matches!(item, Item::Type(_)))
    }

    /// What a path stands for in a module.
    pub(crate) fn meaning(&self, module: ModuleId, path: &Written) -> Meaning {
        self.resolve(module, path, &mut Walk::default())
    }

    fn resolve(&self, module: ModuleId, path: &Written, walk: &mut Walk) -> Meaning {
        walk.steps += 1;
        let Some(first) = path.segments.first() else { return Meaning::Unknown };
        if walk.steps > MAX_STEPS {
            return Meaning::Unknown;
        }
        let rest = &path.segments[1..];
        if path.leading {
            return self.external(module, &path.segments, walk);
        }
        match first.as_str() {
            "crate" | "$crate" => self.within(self.modules[module].root, rest, walk),
            "self" if !rest.is_empty() => self.within(module, rest, walk),
            "super" => {
                let mut parent = self.modules[module].parent.unwrap_or(module);
                let mut rest = rest;
                while rest.first().is_some_and(|segment| segment == "super") {
                    parent = self.modules[parent].parent.unwrap_or(parent);
                    rest = &rest[1..];
                }
                self.within(parent, rest, walk)
            }
            _ => match self.within(module, &path.segments, walk) {
                Meaning::Unknown => self.external(module, &path.segments, walk),
                known => known,
            },
        }
    }

    /// A path from a module on.
    fn within(&self, module: ModuleId, path: &[String], walk: &mut Walk) -> Meaning {
        let Some((name, rest)) = path.split_first() else { return Meaning::Module(module) };
        if !walk.seen.insert((module, path.to_vec())) {
            return Meaning::Unknown;
        }
        let items = self.modules[module].items.get(name).map_or(&[][..], Vec::as_slice);
        let seen = walk.seen.clone();
        let mut found: Vec<(&str, Meaning)> = Vec::new();
        for Conditioned { condition, item } in items {
            // The items exclude each other, so that each has a way of its own.
            walk.seen.clone_from(&seen);
            let meaning = match item {
                Item::Use(target) => {
                    let segments = target.segments.iter().chain(rest).cloned().collect();
                    self.resolve(module, &Written { leading: target.leading, segments }, walk)
                }
                Item::Module(inner) => self.within(*inner, rest, walk),
                // What has a path behind it is no function.
                Item::Function(_) | Item::Value(_) if !rest.is_empty() => continue,
                _ => Meaning::Local(module, name.clone(), rest.to_vec()),
            };
            found.push((condition, meaning));
        }
        chosen(found).unwrap_or_else(|| self.through_globs(module, path, walk))
    }

    fn through_globs(&self, module: ModuleId, path: &[String], walk: &mut Walk) -> Meaning {
        for (glob, _) in &self.modules[module].globs {
            match self.resolve(module, glob, walk) {
                Meaning::Module(inner) => match self.within(inner, path, walk) {
                    Meaning::Unknown => {}
                    known => return known,
                },
                Meaning::External(outer) => {
                    let full: Vec<String> = outer.iter().chain(path).cloned().collect();
                    if is_known(&full) {
                        return Meaning::External(full);
                    }
                }
                _ => {}
            }
        }
        Meaning::Unknown
    }

    fn external(&self, module: ModuleId, path: &[String], walk: &mut Walk) -> Meaning {
        let package = &self.modules[module].package;
        let name = self.renamed.get(package).and_then(|names| names.get(&path[0])).unwrap_or(&path[0]);
        match self.libraries.get(name) {
            Some(root) if self.modules[module].root != *root => self.within(*root, &path[1..], walk),
            _ => Meaning::External(std::iter::once(name).chain(&path[1..]).cloned().collect()),
        }
    }
}

/// What a name stands for, given its items in a module, each with its condition.
///
/// Items of one name and one condition have different namespaces: an import comes before the module's own
/// item. A module itself counts only where nothing else has its name.
fn chosen(mut found: Vec<(&str, Meaning)>) -> Option<Meaning> {
    if found.iter().any(|(_, meaning)| !matches!(meaning, Meaning::Module(_))) {
        found.retain(|(_, meaning)| !matches!(meaning, Meaning::Module(_)));
    }
    let mut by_condition: Vec<(&str, Meaning)> = Vec::new();
    for (condition, meaning) in found {
        match by_condition.iter_mut().find(|(known, _)| *known == condition) {
            None => by_condition.push((condition, meaning)),
            Some((_, known)) if matches!(known, Meaning::Unknown | Meaning::Local(..)) => {
                if meaning != Meaning::Unknown {
                    *known = meaning;
                }
            }
            Some(_) => {}
        }
    }
    let all: Vec<Meaning> = by_condition.into_iter().map(|(_, meaning)| meaning).collect();
    Some(Meaning::of_all(all)).filter(|meaning| *meaning != Meaning::Unknown)
}

/// The type on which all agree: where they depend on `cfg` there is none.
fn only<'a>(types: impl Iterator<Item = Option<&'a Type>>) -> Option<&'a Type> {
    let all: Vec<Option<&Type>> = types.collect();
    let first = *all.first()?;
    all.iter().all(|ty| text(*ty) == text(first)).then_some(first)?
}

fn text(ty: Option<&Type>) -> Option<String> {
    ty.map(|ty| ty.to_token_stream().to_string())
}

/// The `cfg`s among attributes, as text.
fn condition(attributes: &[Attribute]) -> String {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.map(|attribute| attribute.to_token_stream().to_string()).collect()
}

fn attributes(item: &SynItem) -> &[Attribute] {
    match item {
        SynItem::Use(item) => &item.attrs,
        SynItem::Mod(item) => &item.attrs,
        SynItem::ExternCrate(item) => &item.attrs,
        SynItem::Fn(item) => &item.attrs,
        SynItem::Struct(item) => &item.attrs,
        SynItem::Enum(item) => &item.attrs,
        SynItem::Trait(item) => &item.attrs,
        SynItem::Type(item) => &item.attrs,
        SynItem::Static(item) => &item.attrs,
        SynItem::Const(item) => &item.attrs,
        _ => &[],
    }
}

/// An item that a module defines itself.
fn own_item(item: &SynItem) -> Option<(&Ident, Item)> {
    match item {
        SynItem::Fn(item) => Some((&item.sig.ident, Item::Function(returned(&item.sig.output)))),
        SynItem::Struct(item) => Some((&item.ident, Item::Type(fields(&item.fields)))),
        SynItem::Enum(item) => Some((&item.ident, Item::Type(Vec::new()))),
        SynItem::Trait(item) => Some((&item.ident, Item::Type(Vec::new()))),
        SynItem::Type(item) => Some((&item.ident, Item::Alias((*item.ty).clone()))),
        SynItem::Static(item) => Some((&item.ident, Item::Value((*item.ty).clone()))),
        SynItem::Const(item) => Some((&item.ident, Item::Value((*item.ty).clone()))),
        _ => None,
    }
}

/// What one resolution has been through: so that imports in a circle end.
#[derive(Default)]
struct Walk {
    steps: usize,
    seen: HashSet<(ModuleId, Vec<String>)>,
}

/// Whether an external path, or one that begins with it, is of interest: all that a glob import of another
/// crate can be asked.
pub(crate) fn is_known(path: &[String]) -> bool {
    const MODULES: [[&str; 2]; 5] = [
        ["tokio", "task"],
        ["tokio", "runtime"],
        ["actix_web", "rt"],
        ["actix_rt", "task"],
        ["headcount", "task"],
    ];
    let is = |module: &[&str; 2]| path == module;
    Form::of(path).is_some()
        || (2..=path.len()).any(|end| Class::of(&path[..end]).is_some())
        || MODULES.iter().any(is)
}

/// The names that a `use` brings in, each with its path; none for `*`.
pub(crate) fn leaves(tree: &UseTree, mut path: Written) -> Vec<(Option<String>, Written)> {
    match tree {
        UseTree::Path(tree) => {
            path.segments.push(plain_name(&tree.ident.to_string()));
            leaves(&tree.tree, path)
        }
        UseTree::Name(tree) => {
            let name = plain_name(&tree.ident.to_string());
            if name != "self" {
                path.segments.push(name);
            }
            vec![(path.segments.last().cloned(), path)]
        }
        UseTree::Rename(tree) => {
            if tree.ident != "self" {
                path.segments.push(plain_name(&tree.ident.to_string()));
            }
            vec![(Some(plain_name(&tree.rename.to_string())), path)]
        }
        UseTree::Glob(_) => vec![(None, path)],
        UseTree::Group(tree) => tree.items.iter().flat_map(|tree| leaves(tree, path.clone())).collect(),
    }
}

/// A path as written, without generic arguments.
pub(crate) fn written(path: &syn::Path) -> Written {
    let segments = path.segments.iter().map(|segment| plain_name(&segment.ident.to_string())).collect();
    Written { leading: path.leading_colon.is_some(), segments }
}

/// `r#spawn` is `spawn`.
fn plain_name(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

fn returned(output: &ReturnType) -> Option<Type> {
    match output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some((**ty).clone()),
    }
}

fn fields(fields: &Fields) -> Vec<(String, Type)> {
    let named = |(at, field): (usize, &syn::Field)| {
        (field.ident.as_ref().map_or_else(|| at.to_string(), ToString::to_string), field.ty.clone())
    };
    fields.iter().enumerate().map(named).collect()
}

/// The package's name as an identifier, and its dependencies of the form `name = { package = "crate" }`.
fn manifest_names(manifest: &str) -> (Option<String>, HashMap<String, String>) {
    let identifier = |text: &str| text.trim().trim_matches(['"', '\'']).replace('-', "_");
    let (mut name, mut renamed) = (None, HashMap::new());
    let mut section = "";
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').trim_start_matches('[').trim();
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        match (section, key.trim()) {
            ("package", "name") => name = Some(identifier(value)),
            (section, "package") if section.contains("dependencies.") => {
                let alias = section.rsplit("dependencies.").next().unwrap_or_default();
                renamed.insert(identifier(alias), identifier(value));
            }
            (section, key) if section.ends_with("dependencies") => {
                let package =
                    value.split("package").nth(1).and_then(|rest| rest.trim_start().strip_prefix('='));
                if let Some(package) = package.and_then(|rest| rest.split(['"', '\'']).nth(1)) {
                    renamed.insert(identifier(key), identifier(package));
                }
            }
            _ => {}
        }
    }
    (name, renamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renamed_dependencies_are_found_in_both_notations() {
        let manifest = "[package]\nname = \"my-app\"\n[dependencies]\ntk = { version = \"1\", package = \"tokio\" }\n\
            [dev-dependencies.tokio-one]\npackage = \"tokio\"\n";
        let (name, renamed) = manifest_names(manifest);
        assert_eq!(name.as_deref(), Some("my_app"));
        assert_eq!(renamed["tk"], "tokio");
        assert_eq!(renamed["tokio_one"], "tokio");
    }
}
