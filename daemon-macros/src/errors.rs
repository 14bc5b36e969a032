//! Faults, collected so that one compile shows them all, and how messages show what was written.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use std::fmt::Display;

/// Every fault found so far, in the order found. Each becomes one `compile_error!` at its own tokens.
#[derive(Default)]
pub(crate) struct Faults {
    found: Vec<syn::Error>,
}

impl Faults {
    /// Adds a fault at `tokens`: what is wrong, then the fix.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, text: impl Display) {
        self.found.push(syn::Error::new_spanned(tokens, text));
    }

    /// Adds a fault that a parser found.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.found.extend(error);
    }

    /// The value, or nothing and a fault.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many faults there are; a later, larger count means that something between went wrong.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn to_compile_errors(&self) -> TokenStream {
        self.found.iter().map(syn::Error::to_compile_error).collect()
    }

    #[cfg(test)]
    pub(crate) fn texts(&self) -> Vec<String> {
        self.found.iter().map(ToString::to_string).collect()
    }
}

/// The list as people write it: `` `a`, `b` or `c` ``.
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Tokens as a person would write them, for messages: without the spaces that printing puts around every token.
pub(crate) fn compact(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    let (mut word_before, mut path_before) = (false, false);
    for tree in tokens.to_token_stream() {
        let is_word = !matches!(tree, TokenTree::Punct(_) | TokenTree::Group(_));
        if word_before && is_word {
            text.push(' ');
        }
        match &tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                text.push_str(&compact(&group.stream()));
                text.push_str(close);
            }
            TokenTree::Punct(punct) => {
                let alone = punct.spacing() == Spacing::Alone && !path_before;
                match punct.as_char() {
                    ',' => text.push_str(", "),
                    ';' => text.push_str("; "),
                    ':' if alone => text.push_str(": "),
                    mark @ ('+' | '=') if alone => text.extend([' ', mark, ' ']),
                    mark => text.push(mark),
                }
            }
            _ => text.push_str(&tree.to_string()),
        }
        word_before = is_word;
        path_before = matches!(&tree, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
    }
    text
}
