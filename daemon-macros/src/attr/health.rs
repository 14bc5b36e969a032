//! `#[health(readiness, timeout = "3s", every = "10s", cache = "5s", fails = 3, passes = 1, group = "..", soft, on_error = log, name =
//! "..")]`.

use crate::attr::args::{Args, Known};
use crate::attr::on_error::{self, OnError};
use crate::attr::time;
use crate::errors::Faults;
use proc_macro2::TokenStream;
use std::time::Duration;
use syn::{LitInt, LitStr};

pub(super) const KNOWN: Known = Known {
    attribute: "#[health]",
    options: &[
        "readiness",
        "liveness",
        "startup",
        "timeout",
        "every",
        "cache",
        "fails",
        "passes",
        "group",
        "soft",
        "on_error",
        "name",
    ],
    later: &[],
};

/// What a check speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Readiness,
    Liveness,
    Startup,
}

/// What the marker says, but for the name.
pub(crate) struct Options {
    pub(crate) kind: Kind,
    pub(crate) timeout: Option<Duration>,
    /// `Some(None)`: `off`.
    pub(crate) every: Option<Option<Duration>>,
    pub(crate) cache: Option<Duration>,
    pub(crate) fails: Option<LitInt>,
    pub(crate) passes: Option<LitInt>,
    pub(crate) group: Option<LitStr>,
    pub(crate) soft: bool,
    pub(crate) on_error: Option<OnError>,
}

/// What the marker says.
pub(crate) struct Health {
    pub(crate) options: Options,
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
    let consequence = args.tokens("on_error");
    let options = Options {
        kind: named.first().copied().unwrap_or(Kind::Readiness),
        timeout: time::timeout(&mut args, "timeout", "1s").map(|(time, _)| time),
        every: args.text("every", "30s", daemon_grammar::period),
        cache: args.text("cache", "5s", daemon_grammar::duration),
        fails: args.count("fails", "3"),
        passes: args.count("passes", "1"),
        group: args.named("group", "stores"),
        soft: args.flag("soft"),
        on_error: on_error::parse(&mut args),
    };
    if options.soft && !matches!(options.on_error, None | Some(OnError::Log)) {
        args.faults.at(consequence, "a `soft` check only degrades when it fails; remove `soft` or this");
    }
    let name = args.name("store");
    args.finish();
    Health { options, name }
}
