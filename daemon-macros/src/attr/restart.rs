//! `restart(on_failure, backoff = "100ms..30s", limit = "5/1m")`, of daemons and of tasks.

use crate::attr::args::{Args, Known};
use daemon_grammar::{DurationRange, Rate};
use proc_macro2::{TokenStream, TokenTree};
use syn::{Ident, LitStr};

pub(super) const KNOWN: Known =
    Known { attribute: "restart(..)", options: &["never", "on_failure", "always", "backoff", "limit"], later: &[] };

/// Which ends lead to a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Never,
    OnFailure,
    Always,
}

/// What the list says.
#[derive(Clone)]
pub(crate) struct Restart {
    pub(crate) ends: Ends,
    /// The word that says so.
    pub(crate) word: Ident,
    pub(crate) backoff: Option<DurationRange>,
    pub(crate) limit: Option<Rate>,
}

const WORDS: [(&str, Ends); 3] = [("never", Ends::Never), ("on_failure", Ends::OnFailure), ("always", Ends::Always)];

/// Reads `restart(..)`; nothing if it is not there, or after a fault.
pub(crate) fn parse(args: &mut Args<'_>) -> Option<Restart> {
    let group = args.listed("restart", "on_failure")?;
    let before = args.faults.count();
    let mut words = words(group.stream());
    let mut inner = Args::split(group.stream(), &KNOWN, args.faults);
    for (word, _) in WORDS {
        inner.flag(word);
    }
    if let [(_, Ends::Never)] = words[..] {
        inner.misplaced(&["backoff", "limit"], "is of no use with `never`; remove it, or write `on_failure`");
    }
    let backoff = backoff(&mut inner);
    let limit = inner.text("limit", "5/1m", str::parse::<Rate>);
    inner.finish();
    if args.faults.count() > before {
        return None;
    }
    if let [(first, _), (second, _), ..] = &words[..] {
        args.faults.at(second, format!("`restart` names both `{first}` and `{second}`; keep one"));
        return None;
    }
    let Some((word, ends)) = words.pop() else {
        args.faults.at(&group, "`restart` does not say when; begin with `never`, `on_failure` or `always`");
        return None;
    };
    Some(Restart { ends, word, backoff, limit })
}

/// Which ends the list names, in the order in which it does.
fn words(list: TokenStream) -> Vec<(Ident, Ends)> {
    let word = |tree| {
        let TokenTree::Ident(word) = tree else { return None };
        let (_, ends) = WORDS.into_iter().find(|(text, _)| word == text)?;
        Some((word, ends))
    };
    list.into_iter().filter_map(word).collect()
}

/// `backoff = "100ms..30s"`, from above zero.
fn backoff(args: &mut Args<'_>) -> Option<DurationRange> {
    let literal: LitStr = args.value("backoff", "a string", "\"100ms..30s\"")?;
    let range = args.read(&literal, daemon_grammar::duration_range)?;
    if range.min.is_zero() {
        args.faults.at(&literal, "the first delay is zero, and doubling it changes nothing; write a longer one");
        return None;
    }
    Some(range)
}
