//! Calls that spawn: their form, their arguments, what they are called on and what becomes of the result.

use std::ops::Range;

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Expr, Stmt};

use super::found::{Arg, Builder, Call, NameArg, Receiver, ResultUse, Shape, Site};
use super::scanner::Scanner;
use super::tokens::{bare, idents, tokens_of};
use crate::forms::{Class, Form};
use crate::index::{Meaning, Written, written};
use crate::types::Kind;

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
pub(super) fn looks_like_a_spawn(node: &syn::ExprMethodCall) -> bool {
    let thread =
        node.method == "spawn" && node.args.first().is_some_and(|arg| matches!(bare(arg), Expr::Closure(_)));
    !node.args.is_empty() && !thread && SPAWNS.contains(&node.method.to_string().as_str())
}

impl Scanner<'_> {
    pub(super) fn record(
        &mut self,
        form: Form,
        range: Range<usize>,
        at: usize,
        call: Call,
        args: Vec<Arg>,
        receiver: Option<Receiver>,
    ) -> &mut Site {
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
        let at_end = self.found.sites.len();
        self.found.sites.push(Site {
            form,
            conditional: false,
            range,
            at,
            call,
            args,
            receiver,
            function,
            test: 0 < self.tests,
            within_macro: self.macros.last().cloned(),
            taken: self.taken(),
            tracked,
            bound,
            result,
        });
        &mut self.found.sites[at_end]
    }

    /// A function named by its path, called or as a value.
    pub(super) fn path(&mut self, path: &syn::ExprPath, whole: Range<usize>, args: Option<Vec<Arg>>) -> bool {
        if path.qself.is_some() {
            return false;
        }
        let Some(last) = path.path.segments.last() else { return false };
        let name = written(&path.path);
        let meaning = self.meaning(&name);
        for meaning in meanings(&meaning) {
            if let Meaning::Local(module, name, rest) = meaning {
                let given = args.iter().flatten().cloned().collect();
                match &rest[..] {
                    [] => self.called((*module, String::new(), name.clone()), given),
                    [method] => self.called((*module, name.clone(), method.clone()), given),
                    _ => {}
                }
            }
        }
        let Some(form) = form(&meaning) else { return false };
        let first = self.range(&path.path);
        let last = self.source.range(last.ident.span());
        let named = first.start..last.end;
        let start = name.segments[0].clone();
        let site = match args {
            Some(args) => self.record(form, whole, last.start, Call::Path(named, start), args, None),
            None => self.record(form, named.clone(), last.start, Call::Value(named, start), Vec::new(), None),
        };
        site.conditional = matches!(meaning, Meaning::Conditional(_));
        true
    }

    pub(super) fn argument(&self, expr: &Expr) -> Arg {
        Arg {
            range: self.range(expr),
            shape: shape(expr),
            idents: idents(tokens_of(expr)),
            tracked: self.is_tracked(expr),
        }
    }

    /// Whether an argument begins with `headcount::track(…)` or `headcount::task(…)`.
    pub(super) fn is_tracked(&self, expr: &Expr) -> bool {
        match bare(expr) {
            Expr::MethodCall(call) => self.is_tracked(&call.receiver),
            Expr::Call(call) => match bare(&call.func) {
                Expr::Path(path) => {
                    meanings(&self.meaning(&written(&path.path))).iter().any(|meaning| match meaning {
                        Meaning::External(full) => {
                            matches!(
                                full.iter().map(String::as_str).collect::<Vec<_>>()[..],
                                ["headcount" | "headcount_core", "track" | "task"]
                            )
                        }
                        _ => false,
                    })
                }
                _ => false,
            },
            Expr::Path(_) | Expr::Field(_) => self.infer(expr).kind == Kind::Class(Class::Headcount),
            _ => false,
        }
    }

    pub(super) fn receiver(&self, expr: &Expr) -> Receiver {
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

    pub(super) fn builder(&self, expr: &Expr) -> Option<Builder> {
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

    pub(super) fn method_call(&mut self, node: &syn::ExprMethodCall) {
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
    pub(super) fn result(&mut self, expr: &Expr, becomes: ResultUse) {
        if matches!(bare(expr), Expr::MethodCall(call) if call.method.to_string().starts_with("spawn")) {
            let range = self.range(bare(expr));
            self.results.insert((range.start, range.end), becomes);
        }
    }

    /// A path and a parenthesis, seen as tokens alone.
    pub(crate) fn raw_call(&mut self, path: &Written, spans: (Span, Span), args: &proc_macro2::Group) {
        let meaning = self.meaning(path);
        let Some(form) = form(&meaning) else { return };
        let (first, last) = (self.source.range(spans.0), self.source.range(spans.1));
        let whole = first.start..self.source.range(args.span_close()).end;
        let inside = self.source.range(args.span_open()).end..self.source.range(args.span_close()).start;
        let arg = Arg { range: inside, shape: Shape::Other, idents: idents(args.stream()), tracked: false };
        let call = Call::Path(first.start..last.end, path.segments[0].clone());
        let site = self.record(form, whole, last.start, call, vec![arg], None);
        site.conditional = matches!(meaning, Meaning::Conditional(_));
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
}

/// All that a name may stand for.
fn meanings(meaning: &Meaning) -> &[Meaning] {
    match meaning {
        Meaning::Conditional(all) => all,
        one => std::slice::from_ref(one),
    }
}

/// The form of a function or type: a plain one, if it has that under some `cfg`.
fn form(meaning: &Meaning) -> Option<Form> {
    let forms = meanings(meaning).iter().filter_map(|meaning| match meaning {
        Meaning::External(full) => Form::of(full),
        _ => None,
    });
    forms.max_by(|one, other| (one.plain(), one).cmp(&(other.plain(), other)))
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
