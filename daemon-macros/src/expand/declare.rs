//! `impl Declared`, and the walk that finds dependency cycles while the user's crate is compiled.

use crate::attr::requirement::Requirement;
use crate::expand::{at, bounded, duration};
use crate::model::Declared;
use crate::validate::shape::mentions;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

/// The whole declaration.
pub(crate) fn expand(model: &Declared) -> TokenStream {
    let (declared, edges, wired) = (declared(model), edges(model), no_handlers(model));
    let check = acyclic(model);
    quote!(#declared #edges #wired #check)
}

/// A declaration of the name alone, for an item with faults.
pub(crate) fn hollow(model: Declared) -> TokenStream {
    let model = Declared { requires: Vec::new(), wants: Vec::new(), start_timeout: None, stop_timeout: None, ..model };
    let (declared, edges, wired) = (declared(&model), edges(&model), no_handlers(&model));
    quote!(#declared #edges #wired)
}

fn declared(model: &Declared) -> TokenStream {
    let Declared { krate, ident, generics, name, .. } = model;
    let p = quote!(#krate::__private);
    let (impl_generics, ty_generics, _) = generics.split_for_impl();
    let clause = bounded(krate, generics);
    let list = |method: TokenStream, list: &[Requirement]| {
        let edges = list.iter().map(|requirement| dependency(&p, requirement));
        (!list.is_empty()).then(|| quote!(.#method(&[#(#edges),*])))
    };
    let requires = list(quote!(requires), &model.requires);
    let wants = list(quote!(wants), &model.wants);
    let timeout =
        |method: TokenStream, time| Option::map(time, |time| duration(&p, time)).map(|time| quote!(.#method(#time)));
    let start = timeout(quote!(start_timeout), model.start_timeout);
    let stop = timeout(quote!(stop_timeout), model.stop_timeout);
    let optional = model.optional.then(|| quote!(.optional()));
    quote! {
        #[automatically_derived]
        impl #impl_generics #p::Declared for #ident #ty_generics #clause {
            const DECLARATION: #p::Declaration = #p::Declaration::new(#name) #requires #wants #start #stop #optional;
            // Written out, so that naming a daemon never evaluates what that daemon depends on.
            const NAME: &'static #p::str = #name;
        }
    }
}

/// `Dependency::on::<T>()`, or `Dependency::named::<T>("..")`.
pub(crate) fn dependency(p: &TokenStream, requirement: &Requirement) -> TokenStream {
    let Requirement { ty, instance } = requirement;
    match instance {
        None => quote_spanned!(at(ty.span())=> #p::Dependency::on::<#ty>()),
        Some(name) => quote_spanned!(at(ty.span())=> #p::Dependency::named::<#ty>(#name)),
    }
}

/// The walk over this daemon's edges. It is an inherent function because a trait's cannot be `const`.
fn edges(model: &Declared) -> TokenStream {
    let Declared { krate, vis, ident, generics, name, .. } = model;
    let p = quote!(#krate::__private);
    let (impl_generics, ty_generics, clause) = generics.split_for_impl();
    let params: Vec<_> = generics.type_params().map(|param| param.ident.to_string()).collect();
    let follow = |list: &[Requirement], verb: TokenStream| {
        let known = list.iter().filter(|requirement| !is_parameter(&requirement.ty, &params));
        let steps = known.map(|Requirement { ty, .. }| {
            quote_spanned! {at(ty.span())=>
                trail.#verb();
                <#ty>::__edges(trail);
            }
        });
        steps.collect::<TokenStream>()
    };
    let (requires, wants) = (follow(&model.requires, quote!(requires)), follow(&model.wants, quote!(wants)));
    let is_checked = generics.params.is_empty();
    quote! {
        #[automatically_derived]
        impl #impl_generics #ident #ty_generics #clause {
            #[doc(hidden)]
            #vis const fn __edges(trail: &mut #p::Trail) {
                if trail.enter(#name, #is_checked) {
                    #requires
                    #wants
                    trail.leave();
                }
            }
        }
    }
}

/// What is one of the type's own parameters cannot be followed here; `Host::check` sees it.
fn is_parameter(ty: &Type, params: &[String]) -> bool {
    matches!(ty, Type::Path(path) if path.qself.is_none() && path.path.segments.first().is_some_and(|first| mentions(&first.ident, params).is_some()))
}

/// The walk from here, unless it needs type arguments. The fault lands on the first edge.
fn acyclic(model: &Declared) -> Option<TokenStream> {
    let Declared { krate, ident, generics, requires, wants, .. } = model;
    let first = requires.iter().chain(wants).next()?;
    if !generics.params.is_empty() {
        return None;
    }
    Some(quote_spanned! {at(first.ty.span())=>
        const _: () = {
            let mut trail = #krate::__private::Trail::start();
            <#ident>::__edges(&mut trail);
            #krate::__private::report(trail.cycle());
        };
    })
}

/// `impl Wired` of a daemon that opts out of handlers.
fn no_handlers(model: &Declared) -> Option<TokenStream> {
    let Declared { krate, ident, generics, .. } = model;
    let (impl_generics, ty_generics, _) = generics.split_for_impl();
    let clause = bounded(krate, generics);
    model.no_handlers.then(|| {
        quote! {
            #[automatically_derived]
            impl #impl_generics #krate::__private::Wired for #ident #ty_generics #clause {
                fn wire(_: &mut #krate::__private::Definition<Self>) {}
            }
        }
    })
}
