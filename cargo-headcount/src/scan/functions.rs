//! Functions: which spawn what their callers gave them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Attribute, Block, FnArg, Pat, ReceiverKind, Signature, Type, Visibility};

use super::found::{Arg, Key, Shape, Wrapper};
use super::scanner::{Scanner, Scope};
use super::tokens::{idents, tokens_of};
use crate::index::Written;
use crate::types::{Kind, Typed};

impl Scanner<'_> {
    pub(super) fn tested(&mut self, attributes: &[Attribute], work: impl FnOnce(&mut Self)) {
        let test = attributes.iter().any(is_test);
        self.tests += usize::from(test);
        work(self);
        self.tests -= usize::from(test);
    }

    /// A function: what is outside of it is not seen but for imports.
    pub(super) fn function(
        &mut self,
        attributes: &[Attribute],
        start: Option<Span>,
        signature: &Signature,
        body: &Block,
    ) {
        let uses: HashMap<String, Vec<Written>> =
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
                FnArg::Receiver(receiver) => {
                    let kind = self.owner.clone().unwrap_or(Kind::Unknown);
                    let reference = match &receiver.kind {
                        ReceiverKind::Reference(..) => true,
                        ReceiverKind::Typed(_, ty) => matches!(**ty, Type::Reference(_)),
                        _ => false,
                    };
                    self.declare("self".to_owned(), Typed { kind, reference });
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
    pub(super) fn wrapper(&mut self, attributes: &[Attribute], start: Option<Span>, signature: &Signature) {
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

    pub(super) fn called(&mut self, key: Key, args: Vec<Arg>) {
        if self.nested == 0 && !args.is_empty() {
            self.handed.push((key.clone(), args));
        }
        *self.found.calls.entry(key).or_default() += 1;
    }
}

pub(super) fn visible(visibility: &Visibility) -> Option<Span> {
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
