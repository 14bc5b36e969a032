//! `#[every("5s", ..)]`, `#[every(PERIOD, ..)]`, `#[every(from = Self::period, ..)]`, `#[every("off", ..)]`.

use crate::attr::args::{Args, Known};
use crate::attr::schedule::{self, Options};
use crate::attr::time::Time;
use crate::errors::Faults;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{ExprPath, LitStr};

pub(super) const KNOWN: Known = Known {
    attribute: "#[every]",
    options: &["from", "name", "overlap", "missed", "jitter", "timeout", "immediately", "skip_if", "on_error"],
    later: &[],
};

/// Where a period comes from.
#[derive(Clone)]
pub(crate) enum Period {
    Time(Time),
    Off,
    /// A function that the daemon is handed to at each start.
    From(ExprPath),
}

/// What the marker says.
pub(crate) struct Every {
    /// `None` after a fault.
    pub(crate) period: Option<Period>,
    pub(crate) options: Options,
}

/// Reads the arguments; `marker` is what a fault about a missing period points at.
pub(crate) fn parse(marker: &dyn ToTokens, tokens: TokenStream, faults: &mut Faults) -> Every {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let had_faults = args.faults.count();
    args.misplaced(&["cron"], "is a marker of its own; write `#[cron(\"0 3 * * *\")]`");
    let leading = args.leading();
    let from = args.path("from", "Self::period");
    let period = match (leading, from) {
        (Some(_), Some(from)) => {
            args.faults.at(from, "`from` says the period, and so does what stands first; keep one");
            None
        }
        (None, Some(from)) => Some(Period::From(from)),
        (Some(leading), None) => period(leading, &mut args),
        (None, None) => {
            if args.faults.count() == had_faults {
                args.faults.at(marker.to_token_stream(), "no period; write one first, such as `#[every(\"5s\")]`");
            }
            None
        }
    };
    let options = schedule::parse(&mut args);
    args.finish();
    if let (Some(Period::Time(Time::Written(period, text))), Some((timeout, literal))) = (&period, &options.timeout)
        && timeout >= period
        && !options.may_overlap()
    {
        let period = text.value();
        faults.at(
            literal,
            format!("the timeout is not below the period of {period:?}, so ticks could overlap; write a shorter one"),
        );
    }
    Every { period, options }
}

fn period(leading: TokenStream, args: &mut Args<'_>) -> Option<Period> {
    if let Ok(literal) = syn::parse2::<LitStr>(leading.clone()) {
        let period = args.read(&literal, daemon_grammar::period)?;
        return Some(period.map_or(Period::Off, |period| Period::Time(Time::Written(period, literal))));
    }
    Time::leading(args, Some(leading), "a period", "5s").map(Period::Time)
}
