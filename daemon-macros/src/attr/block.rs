//! `#[daemon]` above the `impl` block.

use crate::attr::args::{Args, Known};
use crate::errors::Faults;
use proc_macro2::TokenStream;
use syn::Path;

const KNOWN: Known = Known { attribute: "#[daemon]", options: &["crate"], later: &[] };

/// Options that belong above the struct; named so that the message can say so.
const DECLARES: &[&str] = &[
    "name",
    "requires",
    "wants",
    "publishes",
    "optional",
    "no_handlers",
    "start_timeout",
    "stop_timeout",
    "restart",
    "plane",
];

/// Reads the arguments; the path of the library, if given.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> Option<Path> {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let krate = args.krate();
    args.misplaced(DECLARES, "belongs above the struct, not above its `impl` block; move it there");
    args.finish();
    krate
}
