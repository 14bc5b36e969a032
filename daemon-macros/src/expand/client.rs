//! The typed client: one method per command, over whatever carries the call.

use crate::expand::{at, duration, row};
use crate::model::{Client, Command, Request, Wired};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

/// The client's type, its methods, and the daemon's function that makes one.
///
/// The traits are written out because `derive` is itself a name that a crate without a prelude lacks. The client is as
/// public as can be: the block does not say how public its struct is, and an `allow` keeps that from being complained
/// about.
pub(crate) fn expand(model: &Wired, client: &Client) -> TokenStream {
    let Client { ident, daemon, commands } = client;
    let (krate, self_ty) = (&model.krate, &model.self_ty);
    let p = quote!(#krate::__private);
    let (impl_generics, _, clause) = model.generics.split_for_impl();
    let text = ident.to_string();
    let of_type = format!(" Calls the commands of [`{daemon}`] from anywhere; [`{daemon}::client`] makes one.");
    let of_make = " The daemon's commands, called through `call`: a context, a host's handle, or a test double.";
    let of_instance = " Calls the instance of this name instead of the type's own.";
    let of_timeout = [
        " Waits this long for each reply; after it a call is given up with `CallError::Timeout`. Otherwise as long as the command",
        " may take, or 30 s if that is not limited.",
        "",
        " A command that was called goes on all the same.",
    ];
    let bound = (!model.generics.params.is_empty()).then(|| quote!(where Self: #p::Declared));
    let methods = commands.iter().map(|command| method(&p, command));
    let signatures = signatures(&p, commands);
    quote! {
        #[doc = #of_type]
        #[allow(dead_code, unreachable_pub, private_interfaces)]
        pub struct #ident<C> {
            call: C,
            daemon: &'static #p::str,
            timeout: #p::Option<#p::Duration>,
        }
        #[automatically_derived]
        impl<C: #p::Clone> #p::Clone for #ident<C> {
            fn clone(&self) -> Self {
                Self { call: #p::Clone::clone(&self.call), daemon: self.daemon, timeout: self.timeout }
            }
        }
        #[automatically_derived]
        impl<C: #p::Copy> #p::Copy for #ident<C> {}
        #[automatically_derived]
        impl<C> #p::Debug for #ident<C> {
            fn fmt(&self, f: &mut #p::Formatter<'_>) -> #p::fmt::Result {
                f.debug_struct(#text).field("daemon", &self.daemon).finish_non_exhaustive()
            }
        }
        #[allow(dead_code, unreachable_pub, private_interfaces)]
        impl<C: #p::Call> #ident<C> {
            #[doc = #of_instance]
            #[must_use]
            pub fn instance(mut self, name: &'static #p::str) -> Self {
                self.daemon = name;
                self
            }
            #(#[doc = #of_timeout])*
            #[must_use]
            pub fn timeout(mut self, limit: #p::Duration) -> Self {
                self.timeout = #p::Option::Some(limit);
                self
            }
            #(#methods)*
            #signatures
        }
        #[allow(dead_code, unreachable_pub, private_interfaces)]
        impl #impl_generics #self_ty #clause {
            #[doc = #of_make]
            #[must_use]
            pub fn client<C: #p::Call>(call: C) -> #ident<C> #bound {
                #ident { call, daemon: <Self as #p::Declared>::NAME, timeout: #p::Option::None }
            }
        }
    }
}

fn method(p: &TokenStream, command: &Command) -> TokenStream {
    let Command { name, cfgs, docs, method, request, reply, timeout, .. } = command;
    let limit = timeout.map_or_else(|| quote!(__private::DEFAULT_TIMEOUT), |time| duration(&quote!(__private), time));
    let own = format!(" Calls the command `{}`.", name.value());
    let own = docs.is_empty().then(|| quote!(#[doc = #own]));
    let errors =
        ["", " # Errors", "", " What the command failed with, or why it could not be called or brought no reply."];
    let (parameter, ty, sent) = match request {
        Some(Request { ty, .. }) => (quote!(, request: &#ty), ty.to_token_stream(), quote!(request)),
        None => (TokenStream::new(), quote!(()), quote!(&())),
    };
    // The types are written out, and the whole call stands at them, so that what they lack is shown once and there.
    let span = at(request.as_ref().map_or(method.span(), |request| request.ty.span()));
    let asked = quote_spanned! {span=>
        __private::ask::<#ty, #reply>(&self.call, (self.daemon, #name), #sent, limit, Self::__commands).await
    };
    quote! {
        #(#[#cfgs])*
        #(#[#docs])*
        #own
        #(#[doc = #errors])*
        pub async fn #method(&self #parameter) -> #p::Result<#reply, #p::CallError> {
            use #p as __private;
            let limit = self.timeout.unwrap_or(#limit);
            #asked
        }
    }
}

/// What this program takes the commands to look like, in case the one that answers them does not.
fn signatures(p: &TokenStream, commands: &[Command]) -> TokenStream {
    let rows = commands.iter().map(|command| {
        let Command { name, cfgs, request, reply, .. } = command;
        let ty = request.as_ref().map_or_else(|| quote!(()), |request| request.ty.to_token_stream());
        let (request, reply) = (row::schema(&ty), row::schema(reply));
        quote!(#(#[#cfgs])* commands.push(__private::Signature::new(#name, #request, #reply));)
    });
    quote! {
        #[allow(unused_mut)]
        fn __commands() -> #p::Vec<#p::Signature> {
            use #p as __private;
            let mut commands = __private::Vec::new();
            #(#rows)*
            commands
        }
    }
}
