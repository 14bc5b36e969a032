//! What is written when there are faults: the faults, the user's item without markers, and a hollow implementation, so
//! that one mistake is one diagnostic and editors keep working.

use crate::errors::Faults;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// The faults, the item, and what stands in for the code.
pub(crate) fn faulty(faults: &Faults, item: &TokenStream, hollow: impl ToTokens) -> TokenStream {
    let errors = faults.to_compile_errors();
    quote!(#errors #item #hollow)
}
