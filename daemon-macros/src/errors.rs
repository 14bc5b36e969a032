//! Faults, collected so that one compile shows them all.

use proc_macro2::TokenStream;
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
