//! `impl Wired`: one row per handler.

use crate::expand::{bounded, client, row};
use crate::model::Wired;
use proc_macro2::TokenStream;
use quote::quote;

/// The whole wiring.
pub(crate) fn expand(model: &Wired) -> TokenStream {
    write(model, &model.rows.iter().map(|row| row::expand(model, row)).collect())
}

/// A wiring without rows, for a block with faults. The client stays, so that its callers still compile.
pub(crate) fn hollow(model: &Wired) -> TokenStream {
    write(model, &TokenStream::new())
}

fn write(model: &Wired, rows: &TokenStream) -> TokenStream {
    let Wired { krate, generics, self_ty, client, .. } = model;
    let (impl_generics, _, _) = generics.split_for_impl();
    let clause = bounded(krate, generics);
    let client = client.as_ref().map(|client| client::expand(model, client));
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Wired for #self_ty #clause {
            fn wire(definition: &mut #krate::__private::Definition<Self>) {
                // A fault in a call is shown at its first token; this keeps the first token of each row's at the user's
                // method.
                use #krate::__private;
                // Keeps both names in use when every row is configured away.
                let _: &__private::Definition<Self> = definition;
                #rows
            }
        }
        #client
    }
}
