//! `#[on_ready(DataDaemon)]`, `#[on_ready(Cache as "cache-eu")]`.

use crate::attr::args::{Args, Known};
use crate::attr::requirement::Requirement;
use crate::errors::Faults;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Token;
use syn::parse::{ParseStream, Parser};

const KNOWN: Known = Known { attribute: "#[on_ready]", options: &[], later: &[] };

/// Reads the arguments; `marker` is what a fault about a missing type points at.
pub(crate) fn parse(marker: &dyn ToTokens, tokens: TokenStream, faults: &mut Faults) -> Option<Requirement> {
    if tokens.is_empty() {
        faults.at(marker.to_token_stream(), "no daemon is named; write its type, such as `#[on_ready(DataDaemon)]`");
        return None;
    }
    // Read by its own grammar first: the commas in `Pair<A, B>` do not part arguments.
    let grammar = |input: ParseStream<'_>| {
        let of = input.parse::<Requirement>()?;
        input.parse::<Option<Token![,]>>()?;
        Ok((of, input.parse::<TokenStream>()?))
    };
    let (of, rest) = faults.keep(grammar.parse2(tokens))?;
    Args::split(rest, &KNOWN, faults).finish();
    Some(of)
}
