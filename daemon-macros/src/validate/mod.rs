//! From what was written to what is to be written: every rule that needs more than one attribute to judge.

pub(crate) mod command;
pub(crate) mod declaration;
pub(crate) mod names;
pub(crate) mod queues;
pub(crate) mod shape;
pub(crate) mod wiring;

use syn::Path;

/// The library's path: as given, or its usual one.
pub(crate) fn krate(given: Option<Path>) -> Path {
    given.unwrap_or_else(|| syn::parse_quote!(::daemon_core))
}
