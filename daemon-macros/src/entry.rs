//! The three ways in: `#[daemon]`, a marker that stands alone, `#[derive(Event)]`. Each is parse, validate, expand.

use crate::attr::{block, daemon as daemon_attr, event as event_attr};
use crate::errors::Faults;
use crate::parse::{self, Item, markers};
use crate::validate::{declaration, wiring};
use crate::{expand, fallback};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Meta};

/// `#[daemon(..)]` above a struct or its `impl` block.
pub(crate) fn daemon(args: TokenStream, item: TokenStream) -> TokenStream {
    let faults = &mut Faults::default();
    match parse::item(item.clone(), faults) {
        Some(Item::Struct(parsed)) => {
            let attr = daemon_attr::parse(args, faults);
            let model = declaration::declared(attr, parsed, faults);
            if faults.is_empty() {
                let code = expand::declare::expand(&model);
                return quote!(#item #code);
            }
            fallback::faulty(faults, &item, expand::declare::hollow(model))
        }
        Some(Item::Impl(parsed)) => {
            let krate = block::parse(args, faults);
            let model = wiring::wired(krate, *parsed, faults);
            let item = markers::stripped(item);
            match model {
                Some(model) if faults.is_empty() => {
                    let code = expand::wire::expand(&model);
                    quote!(#item #code)
                }
                model => fallback::faulty(faults, &item, model.as_ref().map(expand::wire::hollow)),
            }
        }
        None => fallback::faulty(faults, &markers::stripped(item), None::<TokenStream>),
    }
}

/// A marker that `#[daemon]` did not take off: there is none around it.
pub(crate) fn alone(marker: &str, item: TokenStream) -> TokenStream {
    let text = format!(
        "`#[{marker}]` works only on a method of an `impl` block marked `#[daemon]`; write `#[daemon]` above the block"
    );
    let error = syn::Error::new(Span::call_site(), text).to_compile_error();
    // The method stays first, so that a block shows only this fault; `compile_error!` may stand among its items.
    quote!(#error #item)
}

/// `#[derive(Event)]`.
pub(crate) fn event(item: TokenStream) -> TokenStream {
    let faults = &mut Faults::default();
    let Some(input) = faults.keep(syn::parse2::<DeriveInput>(item)) else { return faults.to_compile_errors() };
    if let Data::Union(data) = &input.data {
        faults.at(data.union_token, "an event is a struct or an enum; a union cannot be one");
    }
    let mut attrs = input.attrs.iter().filter(|attr| attr.path().is_ident("event"));
    let attr = match attrs.next() {
        Some(attr) => {
            let tokens = match &attr.meta {
                Meta::List(list) => list.tokens.clone(),
                _ => TokenStream::new(),
            };
            event_attr::parse(&attr.meta, tokens, faults)
        }
        None => {
            faults.at(&input.ident, "no topic; write `#[event(\"data:users:created\")]` below the derive");
            event_attr::EventAttr::default()
        }
    };
    for second in attrs {
        faults.at(second, "`#[event]` stands twice; keep one");
    }
    let code = expand::event::expand(&input, attr, !faults.is_empty());
    let errors = faults.to_compile_errors();
    quote!(#errors #code)
}
