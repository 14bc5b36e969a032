//! `#[health(readiness, timeout = "1s", name = "..")]`.

use crate::attr::args::{Args, Known};
use crate::attr::time;
use crate::errors::Faults;
use proc_macro2::TokenStream;
use std::time::Duration;
use syn::LitStr;

const KNOWN: Known =
    Known { attribute: "health", options: &["readiness", "liveness", "startup", "timeout", "name"], later: &[] };

/// What a check speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Readiness,
    Liveness,
    Startup,
}

/// What the marker says.
pub(crate) struct Health {
    pub(crate) kind: Kind,
    pub(crate) timeout: Option<Duration>,
    pub(crate) name: Option<LitStr>,
}

/// Reads the arguments. A check that names no kind speaks of readiness: a failed one takes the daemon out of service
/// and kills nothing.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> Health {
    let all = tokens.clone();
    let mut args = Args::split(tokens, &KNOWN, faults);
    let kinds = [("readiness", Kind::Readiness), ("liveness", Kind::Liveness), ("startup", Kind::Startup)];
    let named: Vec<_> = kinds.into_iter().filter(|(word, _)| args.flag(word)).map(|(_, kind)| kind).collect();
    if named.len() > 1 {
        args.faults.at(all, "a check has one kind; keep one of `readiness`, `liveness` and `startup`");
    }
    let timeout = time::timeout(&mut args, "timeout", "1s").map(|(time, _)| time);
    let name = args.name("store");
    args.finish();
    Health { kind: named.first().copied().unwrap_or(Kind::Readiness), timeout, name }
}
