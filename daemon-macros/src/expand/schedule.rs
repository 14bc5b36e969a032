//! One interval of a definition: its schedule, and what it asks its daemon.

use crate::attr::every::Period;
use crate::attr::schedule::{Missed, Options, Overlap};
use crate::attr::time::Time;
use crate::expand::row::{boxed, on_error};
use crate::expand::{at, duration};
use crate::model::{Call, Wired};
use crate::validate::names;
use crate::validate::shape::mentions;
use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{LitStr, Type};

/// The statement that adds an interval with a period.
pub(crate) fn every(model: &Wired, call: &Call, name: &LitStr, period: &Period, options: &Options) -> TokenStream {
    let (schedule, from) = match period {
        Period::Time(time) => {
            let period = self::period(model, name, time, options);
            (quote!(__private::Schedule::every(#period)), None)
        }
        Period::Off => (quote!(__private::Schedule::every(__private::Period::Off)), None),
        Period::From(path) => {
            // The path stands where its type is asked for, so that a wrong one is shown there.
            let from =
                quote_spanned!(at(path.span())=> .period_from(|daemon| __private::period_of::<Self, _>(#path, daemon)));
            (quote!(__private::Schedule::every(__private::Period::Off)), Some(from))
        }
    };
    row(call, name, &schedule, options, from.as_ref())
}

/// The statement that adds an interval with a cron expression.
pub(crate) fn cron(call: &Call, name: &LitStr, expression: &LitStr, zone: &LitStr, options: &Options) -> TokenStream {
    row(call, name, &quote!(__private::Schedule::cron(#expression, #zone)), options, None)
}

fn row(
    call: &Call,
    name: &LitStr,
    schedule: &TokenStream,
    options: &Options,
    from: Option<&TokenStream>,
) -> TokenStream {
    let Options { overlap, missed, jitter, timeout, immediately, skip_if, on_error: errors, .. } = options;
    let call = boxed(call);
    let overlap = overlap.as_ref().map(self::overlap);
    let missed = missed.map(self::missed);
    let jitter = jitter.map(|percent| {
        let hundredths = percent.hundredths();
        quote!(.jitter(__private::Percent::from_hundredths(#hundredths)))
    });
    let timeout =
        timeout.as_ref().map(|(time, _)| duration(&quote!(__private), *time)).map(|time| quote!(.timeout(#time)));
    let immediately = immediately.then(|| quote!(.immediately()));
    let errors = on_error(*errors);
    let skip_if = skip_if
        .as_ref()
        .map(|path| quote_spanned!(at(path.span())=> .skip_if(|daemon| __private::condition::<Self>(#path, daemon))));
    let schedule = quote!(#schedule #immediately #overlap #missed #jitter #timeout #errors);
    quote!(definition.every(__private::Interval::<Self>::new(#name, #schedule, #call) #from #skip_if))
}

fn overlap(given: &Overlap) -> TokenStream {
    let overlap = match given {
        Overlap::Skip => quote!(Skip),
        Overlap::Queue(None) => quote!(QUEUE),
        Overlap::Queue(Some(bound)) => quote!(Queue(#bound)),
        Overlap::Concurrent(None) => quote!(CONCURRENT),
        Overlap::Concurrent(Some(bound)) => quote!(Concurrent(#bound)),
    };
    quote!(.overlap(__private::Overlap::#overlap))
}

fn missed(given: Missed) -> TokenStream {
    let missed = match given {
        Missed::Skip => quote!(Skip),
        Missed::CatchUpOnce => quote!(CatchUpOnce),
        Missed::Burst => quote!(Burst),
    };
    quote!(.missed(__private::Missed::#missed))
}

/// The period. One that is a constant of the user's is checked while it is compiled.
fn period(model: &Wired, name: &LitStr, period: &Time, options: &Options) -> TokenStream {
    let path = match period {
        Time::Written(time, _) => return duration(&quote!(__private), *time),
        Time::Constant(path) => path,
    };
    let timeout = match &options.timeout {
        Some((time, _)) if !options.may_overlap() => {
            let time = duration(&quote!(__private), *time);
            quote!(__private::Option::Some(#time))
        }
        _ => quote!(__private::Option::None),
    };
    let span = at(path.span());
    let is_generic = !model.generics.params.is_empty();
    if mentions(path, &names::params(&model.generics)).is_some()
        || is_generic && mentions(path, &["Self".to_owned()]).is_some()
    {
        return quote_spanned!(span=> const { __private::period(#name, #path, #timeout) });
    }
    let path = concrete(path.to_token_stream(), &model.self_ty);
    quote_spanned! {span=> {
        const __PERIOD: __private::Duration = __private::period(#name, #path, #timeout);
        __PERIOD
    }}
}

/// The tokens with `Self` spelt out, for an item, which has no `Self`.
fn concrete(tokens: TokenStream, self_ty: &Type) -> TokenStream {
    let spelt = |tree| match tree {
        TokenTree::Ident(word) if word == "Self" => quote_spanned!(word.span()=> <#self_ty>),
        TokenTree::Group(group) => {
            TokenTree::Group(Group::new(group.delimiter(), concrete(group.stream(), self_ty))).into_token_stream()
        }
        other => other.into_token_stream(),
    };
    tokens.into_iter().map(spelt).collect()
}
