//! What type an expression has, as far as it matters for `.spawn(…)`: from annotations, constructors, fields
//! and return types.
//!
//! Pointers, locks, options and collections are looked through: `Arc<Mutex<Option<JoinSet<T>>>>` counts as
//! `JoinSet`, since no method of
//! the layers is called `spawn`.

use syn::{Expr, Pat, Type};

use crate::forms::Class;
use crate::index::{Meaning, ModuleId, written};
use crate::scan::{Scanner, bare};

/// Longest chain of aliases and return types that is followed.
const MAX_STEPS: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    Class(Class),
    /// A type of the files read.
    Local(ModuleId, String),
    /// A type of another crate, without spawns that are known.
    Foreign,
    #[default]
    Unknown,
}

/// A type, and whether it is known to be behind a reference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Typed {
    pub(crate) kind: Kind,
    pub(crate) reference: bool,
}

impl Typed {
    fn value(kind: Kind) -> Self {
        Self { kind, reference: false }
    }
}

const LAYERS: [&str; 34] = [
    "Arc",
    "ArcSwap",
    "Box",
    "BTreeMap",
    "Cell",
    "Cow",
    "Guard",
    "HashMap",
    "Lazy",
    "LazyCell",
    "LazyLock",
    "LinkedList",
    "ManuallyDrop",
    "Mutex",
    "MutexGuard",
    "OnceCell",
    "OnceLock",
    "Option",
    "OwnedMutexGuard",
    "Pin",
    "Rc",
    "Ref",
    "RefCell",
    "RefMut",
    "Result",
    "RwLock",
    "RwLockReadGuard",
    "RwLockWriteGuard",
    "SmallVec",
    "Vec",
    "VecDeque",
    "Weak",
    "IndexMap",
    "DashMap",
];

impl Scanner<'_> {
    /// The type that is written.
    pub(crate) fn of_type(&self, ty: &Type) -> Typed {
        self.written_type(self.module, ty, true, 0)
    }

    /// A type written in another module, where this function's imports do not count.
    fn elsewhere(&self, module: ModuleId, ty: &Type, steps: usize) -> Typed {
        self.written_type(module, ty, false, steps)
    }

    fn written_type(&self, module: ModuleId, ty: &Type, here: bool, steps: usize) -> Typed {
        if MAX_STEPS < steps {
            return Typed::default();
        }
        let inner = |ty: &Type| self.written_type(module, ty, here, steps + 1);
        match ty {
            Type::Reference(ty) => Typed { reference: true, ..inner(&ty.elem) },
            Type::Paren(ty) => inner(&ty.elem),
            Type::Group(ty) => inner(&ty.elem),
            Type::Slice(ty) => inner(&ty.elem),
            Type::Array(ty) => inner(&ty.elem),
            Type::Path(path) if path.qself.is_none() => self.path_type(module, &path.path, here, steps),
            _ => Typed::default(),
        }
    }

    fn path_type(&self, module: ModuleId, path: &syn::Path, here: bool, steps: usize) -> Typed {
        let name = written(path);
        if name.segments == ["Self"] {
            return Typed::value(self.owner.clone().unwrap_or_default());
        }
        let meaning = if here { self.meaning(&name) } else { self.index.meaning(module, &name) };
        match meaning {
            Meaning::Local(owner, name, rest) if rest.is_empty() => match self.index.alias(owner, &name) {
                Some(ty) => self.elsewhere(owner, ty, steps + 1),
                None => Typed::value(Kind::Local(owner, name)),
            },
            Meaning::External(full) => match Class::of(&full) {
                Some(class) => Typed::value(Kind::Class(class)),
                None => self.layer(module, path, here, steps, full.len()),
            },
            _ => Typed::default(),
        }
    }

    /// The type inside of `Arc<…>` and its like.
    fn layer(&self, module: ModuleId, path: &syn::Path, here: bool, steps: usize, length: usize) -> Typed {
        let Some(last) = path.segments.last() else { return Typed::default() };
        let unknown = || if length == 1 { Typed::default() } else { Typed::value(Kind::Foreign) };
        let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return unknown() };
        let name = last.ident.to_string();
        let types = arguments.args.iter().filter_map(|arg| match arg {
            syn::GenericArgument::Type(ty) => Some(self.written_type(module, ty, here, steps + 1)),
            _ => None,
        });
        if LAYERS.contains(&name.as_str()) || name.ends_with("Result") {
            let mut types: Vec<Typed> = types.collect();
            return match name.as_str() {
                "HashMap" | "BTreeMap" | "IndexMap" | "DashMap" => types.pop().unwrap_or_default(),
                _ => types.into_iter().next().unwrap_or_default(),
            };
        }
        unknown()
    }

    /// The type of an expression.
    pub(crate) fn infer(&self, expr: &Expr) -> Typed {
        match bare(expr) {
            Expr::Path(path) if path.qself.is_none() => self.infer_path(&path.path),
            Expr::Field(field) => self.infer_field(field),
            Expr::Call(call) => self.infer_call(call),
            Expr::MethodCall(call) => self.infer_method(call),
            Expr::Reference(inner) => Typed { reference: true, ..self.infer(&inner.expr) },
            Expr::Unary(inner) => Typed::value(self.infer(&inner.expr).kind),
            Expr::Try(inner) => self.infer(&inner.expr),
            Expr::Await(inner) => self.infer(&inner.base),
            Expr::Index(inner) => Typed::value(self.infer(&inner.expr).kind),
            Expr::Struct(literal) => self.path_type(self.module, &literal.path, true, 0),
            Expr::Block(block) => match block.block.stmts.last() {
                Some(syn::Stmt::Expr(last, None)) => self.infer(last),
                _ => Typed::default(),
            },
            _ => Typed::default(),
        }
    }

    fn infer_path(&self, path: &syn::Path) -> Typed {
        let name = written(path);
        if let ([only], false) = (&name.segments[..], name.leading) {
            let variable = self.scopes.iter().rev().find_map(|scope| scope.variables.get(only));
            if let Some(variable) = variable {
                return variable.clone();
            }
        }
        match self.meaning(&name) {
            Meaning::Local(owner, name, rest) if rest.is_empty() => match self.index.value(owner, &name) {
                Some(ty) => self.elsewhere(owner, ty, 0),
                None if self.index.is_type(owner, &name) => Typed::value(Kind::Local(owner, name)),
                None => Typed::default(),
            },
            _ => Typed::default(),
        }
    }

    fn infer_field(&self, field: &syn::ExprField) -> Typed {
        let name = match &field.member {
            syn::Member::Named(name) => name.to_string(),
            syn::Member::Unnamed(index) => index.index.to_string(),
        };
        match self.infer(&field.base).kind {
            Kind::Local(owner, ty) => match self.index.field(owner, &ty, &name) {
                Some(ty) => self.elsewhere(owner, ty, 0),
                None => Typed::default(),
            },
            _ => Typed::default(),
        }
    }

    fn infer_call(&self, call: &syn::ExprCall) -> Typed {
        let Expr::Path(path) = bare(&call.func) else { return Typed::default() };
        let name = written(&path.path);
        let first =
            || call.args.first().map(|arg| self.infer(arg).kind).map(Typed::value).unwrap_or_default();
        if path.qself.is_some() {
            return Typed::default();
        }
        match self.meaning(&name) {
            Meaning::Local(owner, name, rest) => self.local_call(owner, &name, &rest),
            Meaning::External(full) => {
                if full == ["headcount", "task"] || full == ["headcount_core", "task"] {
                    return Typed::value(Kind::Class(Class::Headcount));
                }
                let (last, before) = (full.last().map(String::as_str), &full[..full.len() - 1]);
                if let Some(class) = Class::of(before) {
                    return Typed::value(Kind::Class(class));
                }
                let layer = before.last().is_some_and(|layer| LAYERS.contains(&layer.as_str()));
                match last {
                    Some("Some" | "Ok") => first(),
                    Some("new" | "clone" | "from" | "pin") if layer => first(),
                    _ if 2 < full.len() && !layer => Typed::value(Kind::Foreign),
                    _ => Typed::default(),
                }
            }
            _ => Typed::default(),
        }
    }

    fn local_call(&self, owner: ModuleId, name: &str, rest: &[String]) -> Typed {
        match rest {
            [] => match self.index.value(owner, name) {
                Some(ty) => self.elsewhere(owner, ty, 0),
                // A tuple struct's constructor.
                None if self.index.is_type(owner, name) => Typed::value(Kind::Local(owner, name.to_owned())),
                None => Typed::default(),
            },
            [method] => {
                let named = Kind::Local(owner, name.to_owned());
                if let Some(alias) = self.index.alias(owner, name) {
                    return self.elsewhere(owner, alias, 0);
                }
                match self.index.method(owner, name, method) {
                    Some(output) => self.output(owner, &named, output.as_ref()),
                    None => Typed::default(),
                }
            }
            _ => Typed::default(),
        }
    }

    /// What a method returns, where `Self` is the type it belongs to.
    fn output(&self, module: ModuleId, owner: &Kind, output: Option<&Type>) -> Typed {
        let Some(ty) = output else { return Typed::value(Kind::Foreign) };
        if mentions_self(ty) {
            return Typed::value(owner.clone());
        }
        self.elsewhere(module, ty, 0)
    }

    fn infer_method(&self, call: &syn::ExprMethodCall) -> Typed {
        let method = call.method.to_string();
        let receiver = self.infer(&call.receiver);
        match &receiver.kind {
            Kind::Class(class) => match class.after(&method) {
                Some(next) => Typed { kind: Kind::Class(next), reference: method == "handle" },
                None if class.spawns(&method) => Typed::value(Kind::Foreign),
                None => Typed::value(receiver.kind),
            },
            Kind::Local(owner, name) => match self.index.method(*owner, name, &method) {
                Some(output) => self.output(*owner, &receiver.kind, output.as_ref()),
                None if LOOKED_THROUGH.contains(&method.as_str()) => Typed::value(receiver.kind),
                None => Typed::default(),
            },
            Kind::Foreign | Kind::Unknown => receiver,
        }
    }

    /// Declares the names of a pattern.
    pub(crate) fn bind(&mut self, pat: &Pat, typed: &Typed) {
        match pat {
            Pat::Ident(pat) => {
                let reference = typed.reference || pat.by_ref.is_some();
                self.declare(pat.ident.to_string(), Typed { kind: typed.kind.clone(), reference });
                if let Some((_, inner)) = &pat.subpat {
                    self.bind(inner, typed);
                }
            }
            Pat::Type(pat) => {
                let annotated = self.of_type(&pat.ty);
                let known = annotated.kind != Kind::Unknown;
                self.bind(&pat.pat, if known { &annotated } else { typed });
            }
            Pat::Reference(pat) => self.bind(&pat.pat, &Typed::value(typed.kind.clone())),
            Pat::Paren(pat) => self.bind(&pat.pat, typed),
            Pat::Or(pat) => pat.cases.iter().for_each(|case| self.bind(case, typed)),
            Pat::Slice(pat) => pat.elems.iter().for_each(|elem| self.bind(elem, typed)),
            Pat::TupleStruct(pat) => self.bind_tuple_struct(pat, typed),
            Pat::Struct(pat) => self.bind_struct(pat, typed),
            // Of `(key, value)` the value has the type that was looked for.
            Pat::Tuple(pat) => {
                let last = pat.elems.len().saturating_sub(1);
                for (at, elem) in pat.elems.iter().enumerate() {
                    self.bind(
                        elem,
                        if at == last {
                            typed
                        } else {
                            const { &Typed { kind: Kind::Unknown, reference: false } }
                        },
                    );
                }
            }
            _ => {}
        }
    }

    fn bind_tuple_struct(&mut self, pat: &syn::PatTupleStruct, typed: &Typed) {
        let name = pat.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        for (at, elem) in pat.elems.iter().enumerate() {
            let inner = match &typed.kind {
                Kind::Local(owner, ty) if name != "Some" && name != "Ok" => {
                    let field = self.index.field(*owner, ty, &at.to_string());
                    let inner = field.map(|ty| self.elsewhere(*owner, ty, 0)).unwrap_or_default();
                    Typed { reference: inner.reference || typed.reference, ..inner }
                }
                _ if name == "Some" || name == "Ok" => typed.clone(),
                _ => Typed::default(),
            };
            self.bind(elem, &inner);
        }
    }

    fn bind_struct(&mut self, pat: &syn::PatStruct, typed: &Typed) {
        let kind = match &typed.kind {
            Kind::Unknown => self.path_type(self.module, &pat.path, true, 0).kind,
            known => known.clone(),
        };
        for field in &pat.fields {
            let name = match &field.member {
                syn::Member::Named(name) => name.to_string(),
                syn::Member::Unnamed(index) => index.index.to_string(),
            };
            let inner = match &kind {
                Kind::Local(owner, ty) => {
                    let found = self.index.field(*owner, ty, &name).map(|ty| self.elsewhere(*owner, ty, 0));
                    found.map(|inner| Typed { reference: inner.reference || typed.reference, ..inner })
                }
                _ => None,
            };
            self.bind(&field.pat, &inner.unwrap_or_default());
        }
    }
}

/// Methods of pointers, locks and options that lead to what is inside of them.
const LOOKED_THROUGH: [&str; 24] = [
    "as_mut",
    "as_ref",
    "borrow",
    "borrow_mut",
    "by_ref",
    "clone",
    "cloned",
    "deref",
    "deref_mut",
    "expect",
    "get",
    "get_mut",
    "iter",
    "iter_mut",
    "lock",
    "read",
    "take",
    "to_owned",
    "unwrap",
    "unwrap_or_default",
    "upgrade",
    "values",
    "values_mut",
    "write",
];

/// `Self`, `Arc<Self>`, `Result<Self, E>`.
fn mentions_self(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.iter().any(|segment| {
            segment.ident == "Self"
                || matches!(&segment.arguments, syn::PathArguments::AngleBracketed(arguments)
                    if arguments.args.iter().any(|arg| matches!(arg, syn::GenericArgument::Type(ty) if mentions_self(ty))))
        }),
        Type::Reference(ty) => mentions_self(&ty.elem),
        _ => false,
    }
}
