//! Arguments of macros: tokens that are Rust as often as not.
//!
//! They are read as statements, else as expressions with commas (`println!`, `join!`), else piece by piece:
//! whatever parses as an expression at
//! some token is one, as the branches of `select!` are. What remains is looked at as tokens: a path and a
//! parenthesis.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser, discouraged::Speculative};
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Block, Expr, Token};

use crate::index::Written;
use crate::scan::Scanner;

enum Piece {
    Expr(Box<Expr>),
    Token(TokenTree),
}

impl Scanner<'_> {
    pub(crate) fn tokens(&mut self, tokens: TokenStream) {
        if tokens.is_empty() {
            return;
        }
        if let Ok(statements) = Block::parse_within.parse2(tokens.clone()) {
            self.statements(&statements);
        } else if let Ok(list) = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone()) {
            list.iter().for_each(|expr| self.visit_expr(expr));
        } else {
            self.pieces(tokens);
        }
    }

    fn pieces(&mut self, tokens: TokenStream) {
        let Ok(pieces) = split.parse2(tokens) else { return };
        let mut rest = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Expr(expr) => {
                    self.raw_tokens(&std::mem::take(&mut rest));
                    self.visit_expr(&expr);
                }
                Piece::Token(token) => rest.push(token),
            }
        }
        self.raw_tokens(&rest);
    }

    /// Code that the parser keeps as tokens.
    pub(crate) fn raw(&mut self, tokens: TokenStream) {
        self.raw_tokens(&tokens.into_iter().collect::<Vec<_>>());
    }

    fn raw_tokens(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(name) if is_punct(tokens.get(at.wrapping_sub(2)), '.') => {
                    if let Some(args) = parenthesis(tokens.get(at)) {
                        self.raw_method(name, args);
                    }
                }
                TokenTree::Ident(name) => at = self.raw_path(tokens, at, name),
                _ => {}
            }
        }
    }

    /// A path that begins with `first`; gives where it ends.
    fn raw_path(&mut self, tokens: &[TokenTree], mut at: usize, first: &Ident) -> usize {
        let mut segments = vec![first.to_string()];
        let mut spans = (first.span(), first.span());
        while is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') {
            let Some(TokenTree::Ident(name)) = tokens.get(at + 2) else { break };
            segments.push(name.to_string());
            spans.1 = name.span();
            at += 3;
        }
        if let Some(args) = parenthesis(tokens.get(at)) {
            self.raw_call(&Written { leading: false, segments }, spans, args);
        }
        at
    }
}

/// The longest expression at each token, or the token.
fn split(input: ParseStream<'_>) -> syn::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let ahead = input.fork();
        match ahead.parse::<Expr>() {
            Ok(expr) if !matches!(expr, Expr::Verbatim(_)) => {
                input.advance_to(&ahead);
                pieces.push(Piece::Expr(Box::new(expr)));
            }
            _ => pieces.push(Piece::Token(input.parse()?)),
        }
    }
    Ok(pieces)
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn parenthesis(token: Option<&TokenTree>) -> Option<&proc_macro2::Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => Some(group),
        _ => None,
    }
}
