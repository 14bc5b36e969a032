//! `restart(..)`: read in full, so that a mistake is found today; only `restart(never)` works yet.

use crate::attr::args::{Args, Known};
use daemon_grammar::Rate;
use proc_macro2::{TokenStream, TokenTree};

const KNOWN: Known =
    Known { attribute: "restart", options: &["never", "on_failure", "always", "backoff", "limit"], later: &[] };
const POLICIES: &[&str] = &["never", "on_failure", "always"];

/// Reads `restart(..)` and refuses every policy but `never`.
pub(crate) fn parse(args: &mut Args<'_>) {
    let Some(group) = args.listed("restart", "never") else { return };
    let faults = args.faults.count();
    let policy = policy(group.stream());
    let mut inner = Args::split(group.stream(), &KNOWN, args.faults);
    let named: Vec<_> = POLICIES.iter().copied().filter(|policy| inner.flag(policy)).collect();
    let backoff = inner.text("backoff", "100ms..30s", daemon_grammar::duration_range);
    let limit = inner.text("limit", "5/1m", str::parse::<Rate>);
    inner.finish();
    if args.faults.count() > faults {
        return;
    }
    match (&named[..], policy) {
        (["never"], Some(_)) if backoff.is_none() && limit.is_none() => {}
        (["never"], Some(_)) => args.faults.at(&group, "`never` takes no `backoff` and no `limit`; write `restart(never)`"),
        ([policy], Some(word)) => args.faults.at(
            word,
            format!("`restart({policy})` comes in a later release; today a failed daemon stays failed: write `restart(never)`"),
        ),
        ([], _) => args.faults.at(&group, "`restart` names no policy; write `restart(never)`"),
        _ => args.faults.at(&group, "`restart` names two policies; keep one"),
    }
}

/// The token of the policy.
fn policy(tokens: TokenStream) -> Option<TokenTree> {
    tokens
        .into_iter()
        .find(|tree| matches!(tree, TokenTree::Ident(word) if POLICIES.iter().any(|policy| word == policy)))
}
