//! The way through a file: scopes are entered and left, and each call is looked at.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, Pat, Stmt};

use super::found::ResultUse;
use super::functions::visible;
use super::scanner::{Scanner, Scope};
use super::tokens::bare;
use crate::index::{Written, leaves};
use crate::types::{Kind, Typed};

impl Scanner<'_> {
    pub(crate) fn statements(&mut self, statements: &[Stmt]) {
        self.scoped(|this| {
            this.declare_items(statements);
            for statement in statements {
                this.visit_stmt(statement);
            }
        });
    }

    /// Items of a block are known in all of it.
    pub(super) fn declare_items(&mut self, statements: &[Stmt]) {
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
                            Some(name) => scope.uses.entry(name).or_default().push(path),
                            None => scope.globs.push(path),
                        }
                    }
                }
                _ => {}
            }
        }
    }
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
