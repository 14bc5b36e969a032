//! From the model to code: one file per thing written. Nothing here decides or fails.
//!
//! Every path goes through `__private`, so that the user's own names and preludes cannot get in the way. Tokens that
//! rustc may find fault with carry the span of what the user wrote, but resolve where the macro was called.

pub(crate) mod client;
pub(crate) mod declare;
pub(crate) mod event;
pub(crate) mod row;
pub(crate) mod schedule;
pub(crate) mod wire;

use crate::attr::restart::{Ends, Restart};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::time::Duration;
use syn::{Generics, Path, WhereClause, parse_quote};

/// Where the user wrote something, with names resolved as the macro's own.
fn at(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// A duration as a constant expression; `p` is the path of `__private`.
fn duration(p: &TokenStream, time: Duration) -> TokenStream {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    quote!(#p::Duration::new(#seconds, #nanos))
}

/// `.restart(..)`; `p` is the path of `__private`.
fn restart(p: &TokenStream, restart: &Restart) -> TokenStream {
    let ends = match restart.ends {
        Ends::Never => quote!(Never),
        Ends::OnFailure => quote!(OnFailure),
        Ends::Always => quote!(Always),
    };
    let backoff = restart.backoff.map(|range| {
        let (first, greatest) = (duration(p, range.min), duration(p, range.max));
        quote!(.backoff(#first, #greatest))
    });
    let limit = restart.limit.map(|rate| {
        let (count, per) = (rate.count, duration(p, rate.per));
        quote!(.limit(#count, #per))
    });
    quote!(.restart(#p::RestartPolicy::new(#p::Restart::#ends) #backoff #limit))
}

/// The where clause of an impl that asks what a daemon must be. Without parameters rustc sees it by itself, and says it
/// better.
fn bounded(krate: &Path, generics: &Generics) -> Option<WhereClause> {
    let mut clause = generics.where_clause.clone();
    if !generics.params.is_empty() {
        let predicates = &mut clause.get_or_insert_with(|| parse_quote!(where)).predicates;
        predicates.push(parse_quote!(Self: #krate::__private::Send + #krate::__private::Sync + 'static));
    }
    clause
}
