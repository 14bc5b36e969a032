//! `impl Event`.

use crate::attr::event::EventAttr;
use crate::expand::{at, bounded};
use crate::validate::krate;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;

/// The implementation; after a fault a hollow one, which asks nothing of the type.
pub(crate) fn expand(input: &DeriveInput, attr: EventAttr, faulty: bool) -> TokenStream {
    let krate = krate(attr.krate);
    let p = quote!(#krate::__private);
    let ident = &input.ident;
    let (impl_generics, ty_generics, _) = input.generics.split_for_impl();
    let clause = bounded(&krate, &input.generics);
    let topic = attr.topic.map_or_else(|| quote!("faulty"), |topic| quote!(#topic));
    let to_json = (!attr.local && !faulty).then(|| {
        let json = quote_spanned!(at(ident.span())=> #p::to_json(self));
        quote! {
            fn to_json(&self) -> #p::Option<#p::serde_json::Result<#p::serde_json::Value>> {
                #p::Option::Some(#json)
            }
        }
    });
    let retain = attr.retain.then(|| quote!(const RETAIN: #p::bool = true;));
    quote! {
        #[automatically_derived]
        impl #impl_generics #p::Event for #ident #ty_generics #clause {
            const TOPIC: &'static #p::str = #topic;
            #retain
            #to_json
        }
    }
}
