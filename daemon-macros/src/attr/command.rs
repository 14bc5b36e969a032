//! `#[command]`, `#[command(name = "..", timeout = "5s")]`.

use crate::attr::args::{Args, Known};
use crate::attr::time;
use crate::errors::Faults;
use proc_macro2::TokenStream;
use std::time::Duration;
use syn::LitStr;

pub(super) const KNOWN: Known = Known {
    attribute: "#[command]",
    options: &["name", "timeout"],
    later: &[("concurrency", "today calls run side by side"), ("isolated", "today every command runs on the workers")],
};

/// What the marker says.
pub(crate) struct Command {
    pub(crate) name: Option<LitStr>,
    pub(crate) timeout: Option<Duration>,
}

/// Reads the arguments.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> Command {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let name = args.name("stats");
    let timeout = time::timeout(&mut args, "timeout", "5s").map(|(time, _)| time);
    args.finish();
    Command { name, timeout }
}
