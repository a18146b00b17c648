//! Walks a file and finds its spawns.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, FnArg, Pat, Signature, Stmt, Visibility};

use crate::forms::{Class, Form};
use crate::index::{Index, Meaning, ModuleId, Written, leaves, written};
use crate::source::Source;
use crate::types::{Kind, Typed};

/// A place that spawns.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) form: Form,
    /// The whole call, or the path where the function is passed as a value.
    pub(crate) range: Range<usize>,
    /// The name of what is called: where line and column point to.
    pub(crate) at: usize,
    pub(crate) call: Call,
    pub(crate) args: Vec<Arg>,
    /// What was written before the dot of a method call.
    pub(crate) receiver: Option<Receiver>,
    /// The path of the function around it.
    pub(crate) function: String,
    pub(crate) test: bool,
    /// The innermost macro that it stands in the arguments of.
    pub(crate) within_macro: Option<String>,
    /// What it spawns is tracked already.
    pub(crate) tracked: bool,
    /// The variable that the handle is bound to.
    pub(crate) bound: Option<String>,
    /// What becomes of a result.
    pub(crate) result: ResultUse,
}

/// How a function is named at a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// `path(…)`: the bytes of the path without generic arguments, and its first segment.
    Path(Range<usize>, String),
    /// `path` as a value.
    Value(Range<usize>, String),
    /// `receiver.method(…)`, and whether generic arguments are given: the bytes up to and with the
    /// parenthesis.
    Method { opening: Range<usize>, generics: bool },
}

#[derive(Debug, Clone)]
pub(crate) struct Arg {
    pub(crate) range: Range<usize>,
    pub(crate) shape: Shape,
    pub(crate) idents: BTreeSet<String>,
    pub(crate) tracked: bool,
}

/// What an argument looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An async block, with the one call that it awaits, if it is one.
    Block(Option<String>),
    Closure(Option<String>),
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) range: Range<usize>,
    pub(crate) reference: bool,
    /// More than a variable and fields of it.
    pub(crate) computed: bool,
    pub(crate) idents: BTreeSet<String>,
    /// For `task::Builder::new().name(x)`: the bytes of `x`, if it has a name.
    pub(crate) builder: Option<Builder>,
    /// It is `Handle::current()`.
    pub(crate) current: bool,
}

/// A chain that begins with `task::Builder::new()`.
#[derive(Debug, Clone)]
pub(crate) struct Builder {
    pub(crate) name: Option<NameArg>,
}

#[derive(Debug, Clone)]
pub(crate) struct NameArg {
    pub(crate) range: Range<usize>,
    /// A literal or a constant: what lives as long as the program.
    pub(crate) lasting: bool,
    /// The bytes behind a leading `&` of `&format!(…)`.
    pub(crate) owned: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultUse {
    /// `.unwrap()`, `.expect(…)` or `?` follows, and ends there.
    Unwrapped(usize),
    Ignored,
    Used,
}

/// A function that spawns what its caller gave it, or hands it on.
#[derive(Debug, Clone)]
pub(crate) struct Wrapper {
    pub(crate) name: String,
    /// It spawns itself.
    pub(crate) spawns: bool,
    /// Where it hands on what it was given: it is a wrapper if one of these is.
    pub(crate) through: Vec<Key>,
    pub(crate) at: usize,
    /// Where `#[track_caller]` goes; none where it is, or cannot be.
    pub(crate) insert: Option<usize>,
    pub(crate) key: Key,
}

/// A function by module and name, or a method by module, type and name.
pub(crate) type Key = (ModuleId, String, String);

/// What was found in a file.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) sites: Vec<Site>,
    pub(crate) wrappers: Vec<Wrapper>,
    /// How often each local function is called.
    pub(crate) calls: HashMap<Key, usize>,
}

#[derive(Default)]
pub(crate) struct Scope {
    pub(crate) variables: HashMap<String, Typed>,
    uses: HashMap<String, Written>,
    globs: Vec<Written>,
}

pub(crate) struct Scanner<'a> {
    pub(crate) index: &'a Index,
    pub(crate) source: &'a Source,
    pub(crate) module: ModuleId,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) owner: Option<Kind>,
    owner_name: Option<String>,
    functions: Vec<String>,
    tests: usize,
    /// Closures and async blocks around, within the function.
    nested: usize,
    direct: Vec<usize>,
    /// Calls of local functions, with what they are given.
    handed: Vec<(Key, Vec<Arg>)>,
    pub(crate) macros: Vec<String>,
    bound: Option<(Range<usize>, String)>,
    results: HashMap<(usize, usize), ResultUse>,
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
                if let Some(target) = scope.uses.get(first) {
                    let segments = target.segments.iter().chain(&path.segments[1..]).cloned().collect();
                    return self.index.meaning(self.module, &Written { leading: target.leading, segments });
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

    fn through_globs(&self, path: &Written) -> Option<Meaning> {
        let globs = self.scopes.iter().rev().flat_map(|scope| &scope.globs);
        globs.map(|glob| [&glob.segments[..], &path.segments].concat()).find_map(|segments| {
            match self.index.meaning(self.module, &Written { leading: false, segments }) {
                Meaning::External(full) if crate::index::is_known(&full) => Some(Meaning::External(full)),
                _ => None,
            }
        })
    }

    fn scoped(&mut self, work: impl FnOnce(&mut Self)) {
        self.scopes.push(Scope::default());
        work(self);
        self.scopes.pop();
    }

    pub(crate) fn declare(&mut self, name: String, typed: Typed) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.variables.insert(name, typed);
        }
    }

    fn function_path(&self) -> String {
        let mut path = self.index.path(self.module);
        for name in self.owner_name.iter().chain(self.functions.last()) {
            path.push_str("::");
            path.push_str(name);
        }
        path
    }

    fn tested(&mut self, attributes: &[Attribute], work: impl FnOnce(&mut Self)) {
        let test = attributes.iter().any(is_test);
        self.tests += usize::from(test);
        work(self);
        self.tests -= usize::from(test);
    }

    /// A function: what is outside of it is not seen but for imports.
    fn function(
        &mut self,
        attributes: &[Attribute],
        start: Option<Span>,
        signature: &Signature,
        body: &Block,
    ) {
        let uses: HashMap<String, Written> =
            self.scopes.iter().flat_map(|scope| scope.uses.clone()).collect();
        let globs = self.scopes.iter().flat_map(|scope| scope.globs.clone()).collect();
        let outside =
            std::mem::replace(&mut self.scopes, vec![Scope { variables: HashMap::new(), uses, globs }]);
        let nested = std::mem::take(&mut self.nested);
        let direct = (std::mem::take(&mut self.direct), std::mem::take(&mut self.handed));
        let bound = self.bound.take();
        self.functions.push(signature.ident.to_string());
        for input in &signature.inputs {
            match input {
                FnArg::Receiver(_) => {
                    let kind = self.owner.clone().unwrap_or(Kind::Unknown);
                    self.declare("self".to_owned(), Typed { kind, reference: true });
                }
                FnArg::Typed(input) => {
                    let typed = self.of_type(&input.ty);
                    self.bind(&input.pat, &typed);
                }
            }
        }
        self.visit_block(body);
        self.wrapper(attributes, start, signature);
        self.functions.pop();
        self.scopes = outside;
        self.nested = nested;
        (self.direct, self.handed) = direct;
        self.bound = bound;
    }

    /// Notes a function that spawns what a parameter of it gives.
    fn wrapper(&mut self, attributes: &[Attribute], start: Option<Span>, signature: &Signature) {
        let given = given_parameters(signature);
        let hands_on = |names: &BTreeSet<String>| given.iter().any(|(name, _)| names.contains(name));
        // A block that awaits the caller's future is a wrapper, one that calls the caller's closure is a
        // task of this function.
        let passes = |arg: &Arg| {
            let future = |(name, future): &(String, bool)| *future && arg.idents.contains(name);
            if arg.shape == Shape::Other { hands_on(&arg.idents) } else { given.iter().any(future) }
        };
        let spawns = |at: &usize| self.found.sites[*at].args.iter().any(passes);
        let spawns = self.direct.iter().any(spawns);
        let handed = self.handed.iter().filter(|(_, args)| args.iter().any(passes));
        let through: Vec<Key> = handed.map(|(key, _)| key.clone()).collect();
        if signature.asyncness.is_some() || (!spawns && through.is_empty()) {
            return;
        }
        let refused = |attribute: &Attribute| {
            let text = tokens_of(attribute).to_string();
            ["track_caller", "target_feature", "naked"].iter().any(|name| text.contains(name))
        };
        let can = signature.abi.is_none() && signature.ident != "main" && !attributes.iter().any(refused);
        let start = start.unwrap_or_else(|| first_of(signature));
        let name = signature.ident.to_string();
        let key = match &self.owner {
            Some(Kind::Local(module, owner)) => (*module, owner.clone(), name),
            _ => (self.module, String::new(), name),
        };
        self.found.wrappers.push(Wrapper {
            name: self.function_path(),
            spawns,
            through,
            at: self.source.range(signature.ident.span()).start,
            insert: can.then(|| self.source.range(start).start),
            key,
        });
    }

    fn called(&mut self, key: Key, args: Vec<Arg>) {
        if self.nested == 0 && !args.is_empty() {
            self.handed.push((key.clone(), args));
        }
        *self.found.calls.entry(key).or_default() += 1;
    }

    fn record(
        &mut self,
        form: Form,
        range: Range<usize>,
        at: usize,
        call: Call,
        args: Vec<Arg>,
        receiver: Option<Receiver>,
    ) {
        let tracked = !form.plain() || args.iter().any(|arg| arg.tracked);
        let bound = match &self.bound {
            Some((around, name)) if *around == range => Some(name.clone()),
            _ => None,
        };
        if self.nested == 0 && !matches!(form, Form::Unresolved(_) | Form::Executor) {
            self.direct.push(self.found.sites.len());
        }
        let result = self.results.get(&(range.start, range.end)).copied().unwrap_or(ResultUse::Used);
        let function = self.function_path();
        self.found.sites.push(Site {
            form,
            range,
            at,
            call,
            args,
            receiver,
            function,
            test: 0 < self.tests,
            within_macro: self.macros.last().cloned(),
            tracked,
            bound,
            result,
        });
    }

    /// A function named by its path, called or as a value.
    fn path(&mut self, path: &syn::ExprPath, whole: Range<usize>, args: Option<Vec<Arg>>) -> bool {
        if path.qself.is_some() {
            return false;
        }
        let Some(last) = path.path.segments.last() else { return false };
        let name = written(&path.path);
        let form = match self.meaning(&name) {
            Meaning::External(full) => Form::of(&full),
            Meaning::Local(module, name, rest) => {
                let given = args.iter().flatten().cloned().collect();
                match &rest[..] {
                    [] => self.called((module, String::new(), name), given),
                    [method] => self.called((module, name, method.clone()), given),
                    _ => {}
                }
                None
            }
            _ => None,
        };
        let Some(form) = form else { return false };
        let first = self.range(&path.path);
        let last = self.source.range(last.ident.span());
        let named = first.start..last.end;
        let start = name.segments[0].clone();
        match args {
            Some(args) => self.record(form, whole, last.start, Call::Path(named, start), args, None),
            None => self.record(form, named.clone(), last.start, Call::Value(named, start), Vec::new(), None),
        }
        true
    }

    fn argument(&self, expr: &Expr) -> Arg {
        Arg {
            range: self.range(expr),
            shape: shape(expr),
            idents: idents(tokens_of(expr)),
            tracked: self.is_tracked(expr),
        }
    }

    /// Whether an argument begins with `headcount::track(…)` or `headcount::task(…)`.
    fn is_tracked(&self, expr: &Expr) -> bool {
        match bare(expr) {
            Expr::MethodCall(call) => self.is_tracked(&call.receiver),
            Expr::Call(call) => match bare(&call.func) {
                Expr::Path(path) => match self.meaning(&written(&path.path)) {
                    Meaning::External(full) => {
                        matches!(
                            full.iter().map(String::as_str).collect::<Vec<_>>()[..],
                            ["headcount" | "headcount_core", "track" | "task"]
                        )
                    }
                    _ => false,
                },
                _ => false,
            },
            Expr::Path(_) | Expr::Field(_) => self.infer(expr).kind == Kind::Class(Class::Headcount),
            _ => false,
        }
    }

    fn receiver(&self, expr: &Expr) -> Receiver {
        let typed = self.infer(expr);
        let current = matches!(bare(expr), Expr::Call(call) if call.args.is_empty()
            && matches!(bare(&call.func), Expr::Path(path)
                if typed.kind == Kind::Class(Class::Handle) && path.path.segments.last().is_some_and(|last| last.ident == "current")));
        Receiver {
            range: self.range(expr),
            reference: typed.reference,
            computed: !is_place(expr),
            idents: idents(tokens_of(expr)),
            builder: self.builder(expr),
            current,
        }
    }

    fn builder(&self, expr: &Expr) -> Option<Builder> {
        match bare(expr) {
            Expr::Call(_) if self.infer(expr).kind == Kind::Class(Class::TaskBuilder) => {
                Some(Builder { name: None })
            }
            Expr::MethodCall(call) if call.method == "name" && call.args.len() == 1 => {
                self.builder(&call.receiver)?;
                let arg = call.args.first()?;
                let owned = match bare(arg) {
                    Expr::Reference(inner) if matches!(bare(&inner.expr), Expr::Macro(mac) if mac.mac.path.is_ident("format")) => {
                        Some(self.range(&*inner.expr))
                    }
                    _ => None,
                };
                Some(Builder { name: Some(NameArg { range: self.range(arg), lasting: lasts(arg), owned }) })
            }
            _ => None,
        }
    }

    fn method_call(&mut self, node: &syn::ExprMethodCall) {
        let method = node.method.to_string();
        let typed = self.infer(&node.receiver);
        let form = match typed.kind {
            Kind::Class(Class::Headcount) if method.starts_with("spawn") => {
                Some(Form::Headcount(format!("task.{method}")))
            }
            Kind::Class(class) if class.spawns(&method) => Some(Form::Method(class, method)),
            Kind::Class(_) | Kind::Foreign => None,
            Kind::Local(module, name) => {
                let known = self.index.method(module, &name, &method).is_some();
                let given = node.args.iter().map(|arg| self.argument(arg)).collect();
                self.called((module, name, method.clone()), given);
                (!known && looks_like_a_spawn(node)).then_some(Form::Unresolved(method))
            }
            Kind::Unknown => looks_like_a_spawn(node).then_some(Form::Unresolved(method)),
        };
        let Some(form) = form else { return };
        let whole = self.range(node);
        let paren = self.source.range(node.paren_token.span.open());
        let receiver = self.receiver(&node.receiver);
        let args = node.args.iter().map(|arg| self.argument(arg)).collect();
        let call = Call::Method { opening: whole.start..paren.end, generics: node.turbofish.is_some() };
        let at = self.source.range(node.method.span()).start;
        self.record(form, whole, at, call, args, Some(receiver));
    }

    /// Notes what becomes of the result of a spawn of `task::Builder`.
    fn result(&mut self, expr: &Expr, becomes: ResultUse) {
        if matches!(bare(expr), Expr::MethodCall(call) if call.method.to_string().starts_with("spawn")) {
            let range = self.range(bare(expr));
            self.results.insert((range.start, range.end), becomes);
        }
    }

    /// A path and a parenthesis, seen as tokens alone.
    pub(crate) fn raw_call(&mut self, path: &Written, spans: (Span, Span), args: &proc_macro2::Group) {
        let Meaning::External(full) = self.meaning(path) else { return };
        let Some(form) = Form::of(&full) else { return };
        let (first, last) = (self.source.range(spans.0), self.source.range(spans.1));
        let whole = first.start..self.source.range(args.span_close()).end;
        let inside = self.source.range(args.span_open()).end..self.source.range(args.span_close()).start;
        let arg = Arg { range: inside, shape: Shape::Other, idents: idents(args.stream()), tracked: false };
        let call = Call::Path(first.start..last.end, path.segments[0].clone());
        self.record(form, whole, last.start, call, vec![arg], None);
    }

    pub(crate) fn raw_method(&mut self, name: &proc_macro2::Ident, args: &proc_macro2::Group) {
        let method = name.to_string();
        if !SPAWNS.contains(&method.as_str()) || args.stream().is_empty() {
            return;
        }
        let range = self.source.range(name.span());
        let opening = range.start..self.source.range(args.span_open()).end;
        let call = Call::Method { opening, generics: false };
        self.record(Form::Unresolved(method), range.clone(), range.start, call, Vec::new(), None);
    }

    pub(crate) fn statements(&mut self, statements: &[Stmt]) {
        self.scoped(|this| {
            this.declare_items(statements);
            for statement in statements {
                this.visit_stmt(statement);
            }
        });
    }

    /// Items of a block are known in all of it.
    fn declare_items(&mut self, statements: &[Stmt]) {
        for statement in statements {
            match statement {
                Stmt::Item(syn::Item::Fn(item)) => {
                    self.declare(item.sig.ident.to_string(), Typed::default());
                }
                Stmt::Item(syn::Item::Use(item)) => {
                    let start = Written { leading: item.leading_colon.is_some(), segments: Vec::new() };
                    let Some(scope) = self.scopes.last_mut() else { continue };
                    for (name, path) in leaves(&item.tree, start) {
                        match name {
                            Some(name) => drop(scope.uses.insert(name, path)),
                            None => scope.globs.push(path),
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Methods by whose name a call is taken for a spawn when the receiver's type is not known.
const SPAWNS: [&str; 7] = [
    "spawn",
    "spawn_on",
    "spawn_local",
    "spawn_local_on",
    "spawn_blocking",
    "spawn_blocking_on",
    "spawn_pinned",
];

/// A `spawn` without arguments is a process, and one of a closure is a thread.
fn looks_like_a_spawn(node: &syn::ExprMethodCall) -> bool {
    let thread =
        node.method == "spawn" && node.args.first().is_some_and(|arg| matches!(bare(arg), Expr::Closure(_)));
    !node.args.is_empty() && !thread && SPAWNS.contains(&node.method.to_string().as_str())
}

impl<'ast> Visit<'ast> for Scanner<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if let syn::Item::Verbatim(tokens) = item {
            self.raw(tokens.clone());
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let inner = self.index.child(self.module, &item.ident.to_string());
        let outside = std::mem::replace(&mut self.module, inner);
        let scopes = std::mem::replace(&mut self.scopes, vec![Scope::default()]);
        self.tested(&item.attrs, |this| visit::visit_item_mod(this, item));
        self.module = outside;
        self.scopes = scopes;
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let owner = self.of_type(&item.self_ty).kind;
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        let outside = (self.owner.replace(owner), std::mem::replace(&mut self.owner_name, name));
        self.tested(&item.attrs, |this| visit::visit_item_impl(this, item));
        (self.owner, self.owner_name) = outside;
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let name = item.ident.to_string();
        let owner = Kind::Local(self.module, name.clone());
        let outside = (self.owner.replace(owner), self.owner_name.replace(name));
        visit::visit_item_trait(self, item);
        (self.owner, self.owner_name) = outside;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let owner = (self.owner.take(), self.owner_name.take());
        self.tested(&item.attrs, |this| {
            this.function(&item.attrs, visible(&item.vis), &item.sig, &item.block);
        });
        (self.owner, self.owner_name) = owner;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.tested(&item.attrs, |this| {
            this.function(&item.attrs, visible(&item.vis), &item.sig, &item.block);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.attrs, None, &item.sig, body);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.statements(&block.stmts);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        match statement {
            Stmt::Expr(expr, Some(_)) => self.result(expr, ResultUse::Ignored),
            Stmt::Local(local) if matches!(local.pat, Pat::Wild(_)) => {
                if let Some(init) = &local.init {
                    self.result(&init.expr, ResultUse::Ignored);
                }
            }
            _ => {}
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let typed = local.init.as_ref().map(|init| self.infer(&init.expr)).unwrap_or_default();
        if let Some(init) = &local.init {
            let named = match &local.pat {
                Pat::Ident(pat) => Some((self.range(bare(&init.expr)), pat.ident.to_string())),
                _ => None,
            };
            let outside = std::mem::replace(&mut self.bound, named);
            self.visit_expr(&init.expr);
            if let Some((_, diverge)) = &init.diverge {
                self.visit_expr(diverge);
            }
            self.bound = outside;
        }
        self.bind(&local.pat, &typed);
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Verbatim(tokens) => self.raw(tokens.clone()),
            Expr::Try(inner) => {
                let end = self.range_end(inner.question_token.span());
                self.result(&inner.expr, ResultUse::Unwrapped(end));
            }
            _ => {}
        }
        visit::visit_expr(self, expr);
    }

    fn visit_expr_let(&mut self, node: &'ast syn::ExprLet) {
        self.visit_expr(&node.expr);
        let typed = self.infer(&node.expr);
        self.bind(&node.pat, &typed);
    }

    fn visit_expr_if(&mut self, node: &'ast syn::ExprIf) {
        self.scoped(|this| {
            this.visit_expr(&node.cond);
            this.visit_block(&node.then_branch);
        });
        if let Some((_, otherwise)) = &node.else_branch {
            self.visit_expr(otherwise);
        }
    }

    fn visit_expr_while(&mut self, node: &'ast syn::ExprWhile) {
        self.scoped(|this| visit::visit_expr_while(this, node));
    }

    fn visit_expr_for_loop(&mut self, node: &'ast syn::ExprForLoop) {
        self.visit_expr(&node.expr);
        let typed = self.infer(&node.expr);
        self.scoped(|this| {
            this.bind(&node.pat, &typed);
            this.visit_block(&node.body);
        });
    }

    fn visit_expr_match(&mut self, node: &'ast syn::ExprMatch) {
        self.visit_expr(&node.expr);
        let typed = self.infer(&node.expr);
        for arm in &node.arms {
            self.scoped(|this| {
                this.bind(&arm.pat, &typed);
                visit::visit_arm(this, arm);
            });
        }
    }

    fn visit_expr_closure(&mut self, node: &'ast syn::ExprClosure) {
        self.nested += 1;
        self.scoped(|this| {
            for input in &node.inputs {
                this.bind(input, &Typed::default());
            }
            this.visit_expr(&node.body);
        });
        self.nested -= 1;
    }

    fn visit_expr_async(&mut self, node: &'ast syn::ExprAsync) {
        self.nested += 1;
        visit::visit_expr_async(self, node);
        self.nested -= 1;
    }

    fn visit_expr_call(&mut self, node: &'ast syn::ExprCall) {
        let mut known = false;
        if let Expr::Path(path) = bare(&node.func) {
            let args = node.args.iter().map(|arg| self.argument(arg)).collect();
            let whole = self.range(node);
            known = self.path(path, whole, Some(args));
        }
        if known {
            node.args.iter().for_each(|arg| self.visit_expr(arg));
        } else if let Expr::Path(_) = bare(&node.func) {
            node.args.iter().for_each(|arg| self.visit_expr(arg));
        } else {
            visit::visit_expr_call(self, node);
        }
    }

    fn visit_expr_path(&mut self, node: &'ast syn::ExprPath) {
        let whole = self.range(node);
        self.path(node, whole, None);
    }

    fn visit_expr_method_call(&mut self, node: &'ast syn::ExprMethodCall) {
        if node.method == "unwrap" || node.method == "expect" {
            let end = self.range(node).end;
            self.result(&node.receiver, ResultUse::Unwrapped(end));
        }
        self.method_call(node);
        visit::visit_expr_method_call(self, node);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
            self.macros.push("an exported macro_rules".to_owned());
            self.tokens(item.mac.tokens.clone());
            self.macros.pop();
        } else {
            self.visit_macro(&item.mac);
        }
    }

    fn visit_macro(&mut self, node: &'ast syn::Macro) {
        let name = node.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        self.macros.push(name);
        self.tokens(node.tokens.clone());
        self.macros.pop();
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

impl Scanner<'_> {
    fn range_end(&self, span: Span) -> usize {
        self.source.range(span).end
    }
}

/// The expression inside of parentheses.
pub(crate) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => bare(&inner.expr),
        Expr::Group(inner) => bare(&inner.expr),
        _ => expr,
    }
}

fn shape(expr: &Expr) -> Shape {
    match bare(expr) {
        Expr::Async(block) => Shape::Block(only_call(&block.block.stmts, true)),
        Expr::Block(block) => match block.block.stmts.last() {
            Some(Stmt::Expr(last, None)) => shape(last),
            _ => Shape::Other,
        },
        Expr::Closure(closure) => match bare(&closure.body) {
            Expr::Block(block) => Shape::Closure(only_call(&block.block.stmts, false)),
            body => Shape::Closure(called_name(body)),
        },
        _ => Shape::Other,
    }
}

fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Path(_) => true,
        Expr::Field(field) => is_place(&field.base),
        _ => false,
    }
}

/// The tokens of a node.
pub(crate) fn tokens_of(node: &impl ToTokens) -> TokenStream {
    node.to_token_stream()
}

/// A literal, or a path in capitals.
fn lasts(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Lit(_) => true,
        Expr::Macro(mac) => {
            ["concat", "stringify", "module_path"].iter().any(|name| mac.mac.path.is_ident(name))
        }
        Expr::Path(path) => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name.chars().any(char::is_uppercase) && !name.chars().any(char::is_lowercase)
        }),
        _ => false,
    }
}

fn visible(visibility: &Visibility) -> Option<Span> {
    match visibility {
        Visibility::Inherited => None,
        shown => Some(shown.span()),
    }
}

fn first_of(signature: &Signature) -> Span {
    match tokens_of(signature).into_iter().next() {
        Some(token) => token.span(),
        None => signature.fn_token.span,
    }
}

fn is_test(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let last = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    match last.as_str() {
        "test" | "rstest" | "test_case" | "bench" | "proptest" => true,
        "cfg" => {
            let text = tokens_of(attribute).to_string();
            let words: Vec<&str> = text.split(|character: char| !character.is_alphanumeric()).collect();
            words.contains(&"test") && !words.contains(&"not")
        }
        _ => false,
    }
}

/// The parameters that are futures or closures of the caller, generic, `impl` or boxed, and whether each is
/// a future.
fn given_parameters(signature: &Signature) -> Vec<(String, bool)> {
    let mut generics: BTreeMap<String, bool> = BTreeMap::new();
    for param in signature.generics.type_params() {
        if let Some(future) = is_future(param.bounds.to_token_stream()) {
            generics.insert(param.ident.to_string(), future);
        }
    }
    for predicate in signature.generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        if let syn::WherePredicate::Type(predicate) = predicate {
            if let Some(future) = is_future(predicate.bounds.to_token_stream()) {
                generics.insert(predicate.bounded_ty.to_token_stream().to_string(), future);
            }
        }
    }
    let named = |input: &FnArg| {
        let FnArg::Typed(input) = input else { return None };
        let Pat::Ident(pat) = &*input.pat else { return None };
        let ty = tokens_of(&input.ty);
        let future = generics.get(&ty.to_string()).copied().or_else(|| is_future(ty))?;
        Some((pat.ident.to_string(), future))
    };
    signature.inputs.iter().filter_map(named).collect()
}

/// Whether bounds or a type are those of a future; none if not those of a closure either.
fn is_future(tokens: TokenStream) -> Option<bool> {
    let words = idents(tokens);
    let has = |names: &[&str]| names.iter().any(|name| words.contains(*name));
    if has(&["Fn", "FnMut", "FnOnce"]) {
        return Some(false);
    }
    has(&["Future", "IntoFuture", "BoxFuture", "LocalBoxFuture"]).then_some(true)
}

pub(crate) fn idents(tokens: TokenStream) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Ident(name) => drop(names.insert(name.to_string())),
            TokenTree::Group(group) => names.extend(idents(group.stream())),
            _ => {}
        }
    }
    names
}

/// The name of the only function that statements call, or await.
fn only_call(statements: &[Stmt], awaited: bool) -> Option<String> {
    let mut calls = Calls { awaited, names: Vec::new() };
    for statement in statements {
        calls.visit_stmt(statement);
    }
    match &calls.names[..] {
        [only] => Some(only.clone()),
        _ => None,
    }
}

fn called_name(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Call(call) => match bare(&call.func) {
            Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        },
        Expr::MethodCall(call) => Some(call.method.to_string()),
        _ => None,
    }
}

struct Calls {
    awaited: bool,
    names: Vec<String>,
}

impl<'ast> Visit<'ast> for Calls {
    fn visit_expr_await(&mut self, node: &'ast syn::ExprAwait) {
        self.names.extend(called_name(&node.base).filter(|_| self.awaited));
        visit::visit_expr_await(self, node);
    }

    fn visit_expr_call(&mut self, node: &'ast syn::ExprCall) {
        if !self.awaited {
            self.names.extend(called_name(&Expr::Call(node.clone())));
        }
        visit::visit_expr_call(self, node);
    }
}
