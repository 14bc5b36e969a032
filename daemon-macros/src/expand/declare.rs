//! `impl Declared`, and the walk that finds dependency cycles while the user's crate is compiled.

use crate::attr::requirement::Requirement;
use crate::expand::{at, bounded, duration, restart};
use crate::model::Declared;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{ext::IdentExt, spanned::Spanned};

/// The whole declaration.
pub(crate) fn expand(model: &Declared) -> TokenStream {
    let (declared, edges, wired) = (declared(model), edges(model), no_handlers(model));
    let check = acyclic(model);
    quote!(#declared #edges #wired #check)
}

/// A declaration of the name alone, for an item with faults.
pub(crate) fn hollow(model: Declared) -> TokenStream {
    let model = Declared {
        requires: Vec::new(),
        wants: Vec::new(),
        publishes: None,
        restart: None,
        start_timeout: None,
        stop_timeout: None,
        operations: false,
        ..model
    };
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
    let publishes = model.publishes.as_ref().map(|events| {
        let events = events.iter().map(|ty| quote_spanned!(at(ty.span())=> #p::Published::of::<#ty>()));
        quote!(.publishes(&[#(#events),*]))
    });
    let timeout =
        |method: TokenStream, time| Option::map(time, |time| duration(&p, time)).map(|time| quote!(.#method(#time)));
    let start = timeout(quote!(start_timeout), model.start_timeout);
    let stop = timeout(quote!(stop_timeout), model.stop_timeout);
    let restart = model.restart.as_ref().map(|policy| restart(&p, policy));
    let plane = model.operations.then(|| quote!(.plane(#p::Plane::Operations)));
    let optional = model.optional.then(|| quote!(.optional()));
    quote! {
        #[automatically_derived]
        impl #impl_generics #p::Declared for #ident #ty_generics #clause {
            const DECLARATION: #p::Declaration =
                #p::Declaration::new(#name) #requires #wants #publishes #restart #start #stop #plane #optional;
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

/// The walk over this daemon's edges, as the method of a type of its own.
///
/// It is an inherent method because a trait's cannot be `const`, and it is reached through an associated constant
/// because that falls back on a trait's: what has no walk, such as a type parameter or a daemon written by hand, is a
/// leaf, and `Host::check` sees further.
fn edges(model: &Declared) -> TokenStream {
    let Declared { krate, vis, ident, generics, name, requires, wants, .. } = model;
    let p = quote!(#krate::__private);
    let (impl_generics, ty_generics, clause) = generics.split_for_impl();
    let walker = format_ident!("__{}Edges", ident.unraw());
    let text = walker.to_string();
    let follow = |list: &[Requirement], verb: TokenStream| {
        let steps = list.iter().map(|Requirement { ty, .. }| {
            quote_spanned! {at(ty.span())=>
                trail.#verb();
                <#ty>::__EDGES.walk(trail);
            }
        });
        steps.collect::<TokenStream>()
    };
    let (follow_requires, follow_wants) = (follow(requires, quote!(requires)), follow(wants, quote!(wants)));
    let leaves = (!requires.is_empty() || !wants.is_empty()).then(|| quote!(use #p::Leaves as _;));
    let is_checked = generics.params.is_empty();
    quote! {
        #[doc(hidden)]
        #vis struct #walker #generics #clause {
            of: #p::PhantomData<fn() -> #ident #ty_generics>,
        }
        #[automatically_derived]
        impl #impl_generics #p::Debug for #walker #ty_generics #clause {
            fn fmt(&self, f: &mut #p::Formatter<'_>) -> #p::fmt::Result {
                f.write_str(#text)
            }
        }
        #[automatically_derived]
        impl #impl_generics #ident #ty_generics #clause {
            #[doc(hidden)]
            #vis const __EDGES: #walker #ty_generics = #walker { of: #p::PhantomData };
        }
        #[automatically_derived]
        impl #impl_generics #walker #ty_generics #clause {
            #vis const fn walk(&self, trail: &mut #p::Trail) {
                #leaves
                if trail.enter(#name, #is_checked) {
                    #follow_requires
                    #follow_wants
                    trail.leave();
                }
            }
        }
    }
}

/// The walk from here, unless it needs type arguments. The fault lands on the first edge.
fn acyclic(model: &Declared) -> Option<TokenStream> {
    let Declared { krate, ident, generics, requires, wants, .. } = model;
    let first = requires.iter().chain(wants).next()?;
    if !generics.params.is_empty() {
        return None;
    }
    let report = quote_spanned!(at(first.ty.span())=> __private::report(trail.cycle()));
    Some(quote! {
        const _: () = {
            use #krate::__private;
            let mut trail = __private::Trail::start();
            <#ident>::__EDGES.walk(&mut trail);
            #report;
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
