//! `#[command]`, `#[command(name = "..")]`.

use crate::attr::args::{Args, Known};
use crate::errors::Faults;
use proc_macro2::TokenStream;
use syn::LitStr;

const KNOWN: Known = Known {
    attribute: "command",
    options: &["name"],
    later: &[
        ("timeout", "today the caller sets how long it waits: `UserDaemon::client(cx).timeout(limit)`"),
        ("concurrency", "today calls run side by side"),
        ("isolated", "today every command runs on the workers"),
    ],
};

/// Reads the arguments: the command's name, if given.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> Option<LitStr> {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let name = args.name("stats");
    args.finish();
    name
}
