//! `#[task]`, `#[task(finite, name = "..")]`.

use crate::attr::args::{Args, Known};
use crate::errors::Faults;
use proc_macro2::TokenStream;
use syn::LitStr;

const KNOWN: Known = Known {
    attribute: "task",
    options: &["finite", "name"],
    later: &[
        ("restart", "today a task that fails is logged and counted, and not run again"),
        ("on_error", "today an error is logged and counted"),
        ("isolated", "today every task runs on the workers"),
    ],
};

/// What the marker says.
pub(crate) struct Task {
    pub(crate) finite: bool,
    pub(crate) name: Option<LitStr>,
}

/// Reads the arguments.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> Task {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let task = Task { finite: args.flag("finite"), name: args.name("pump") };
    args.finish();
    task
}
