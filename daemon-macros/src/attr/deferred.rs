//! `#[deferred("2s")]`.

use crate::attr::args::{Args, Known};
use crate::attr::time::Time;
use crate::errors::Faults;
use proc_macro2::TokenStream;
use quote::ToTokens;

const KNOWN: Known = Known { attribute: "#[deferred]", options: &[], later: &[] };

/// Reads the arguments; `marker` is what a fault about a missing delay points at.
pub(crate) fn parse(marker: &dyn ToTokens, tokens: TokenStream, faults: &mut Faults) -> Option<Time> {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let leading = args.leading();
    if leading.is_none() {
        args.faults.at(marker.to_token_stream(), "no delay; write one, such as `#[deferred(\"2s\")]`");
    }
    let delay = Time::leading(&mut args, leading, "a delay", "2s");
    args.finish();
    delay
}
