//! A span of time in an attribute: written as text, or a path to a constant.

use crate::attr::args::Args;
use crate::errors::compact;
use proc_macro2::TokenStream;
use std::time::Duration;
use syn::{Expr, ExprPath, LitStr};

/// `"5s"` or `PERIOD`.
#[derive(Clone)]
pub(crate) enum Time {
    Written(Duration, LitStr),
    Constant(ExprPath),
}

impl Time {
    /// Reads the leading argument of a marker; `example` is shown if it is missing or something else.
    pub(crate) fn leading(args: &mut Args<'_>, tokens: Option<TokenStream>, what: &str, example: &str) -> Option<Self> {
        let tokens = tokens?;
        if let Ok(literal) = syn::parse2::<LitStr>(tokens.clone()) {
            let read = args.read(&literal, daemon_grammar::duration)?;
            return Some(Self::Written(read, literal));
        }
        match syn::parse2::<Expr>(tokens.clone()) {
            Ok(Expr::Path(path)) if path.attrs.is_empty() => Some(Self::Constant(path)),
            Ok(Expr::Lit(_)) => {
                args.faults.at(&tokens, format!("{what} needs its unit; write {example:?}"));
                None
            }
            _ => {
                let found = compact(&tokens);
                args.faults.at(
                    &tokens,
                    format!("`{found}` is not {what}; write a string such as {example:?}, or the path of a `const` `Duration`"),
                );
                None
            }
        }
    }
}

/// `key = "5s"`, above zero.
pub(crate) fn timeout(args: &mut Args<'_>, key: &str, example: &str) -> Option<(Duration, LitStr)> {
    let literal: LitStr = args.value(key, "a string", &format!("{example:?}"))?;
    let read = args.read(&literal, daemon_grammar::duration)?;
    if read.is_zero() {
        args.faults.at(&literal, format!("`{key}` is zero; write a longer time, such as {example:?}"));
        return None;
    }
    Some((read, literal))
}
