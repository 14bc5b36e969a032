//! `#[every("5s", name = "..", overlap = skip, missed = skip, jitter = "10%", timeout = "20s", immediately,
//! on_error = log)]`.

use crate::attr::args::{Args, Known};
use crate::attr::on_error::{self, OnError};
use crate::attr::time::{self, Time};
use crate::errors::Faults;
use daemon_grammar::Percent;
use proc_macro2::TokenStream;
use quote::ToTokens;
use std::time::Duration;
use syn::LitStr;

const KNOWN: Known = Known {
    attribute: "every",
    options: &["name", "overlap", "missed", "jitter", "timeout", "immediately", "on_error"],
    later: &[
        ("cron", "today write a period, such as `#[every(\"1h\")]`"),
        ("skip_if", "today test the condition in the method and return early"),
    ],
};

/// What the marker says.
pub(crate) struct Every {
    /// `None` after a fault.
    pub(crate) period: Option<Time>,
    pub(crate) name: Option<LitStr>,
    pub(crate) jitter: Option<Percent>,
    pub(crate) timeout: Option<(Duration, LitStr)>,
    pub(crate) immediately: bool,
    pub(crate) on_error: Option<OnError>,
}

/// Reads the arguments; `marker` is what a fault about a missing period points at.
pub(crate) fn parse(marker: &dyn ToTokens, tokens: TokenStream, faults: &mut Faults) -> Every {
    let cron = tokens.clone().into_iter().next().is_some_and(|tree| tree.to_string() == "cron");
    let mut args = Args::split(tokens, &KNOWN, faults);
    let leading = args.leading();
    if leading.is_none() && !cron {
        args.faults.at(marker.to_token_stream(), "no period; write one first, such as `#[every(\"5s\")]`");
    }
    let period = Time::leading(&mut args, leading, "a period", "5s").filter(|period| positive(period, &mut args));
    let every = Every {
        period,
        name: args.name("state-reconciliation"),
        jitter: args.text("jitter", "10%", str::parse),
        timeout: time::timeout(&mut args, "timeout", "20s"),
        immediately: args.flag("immediately"),
        on_error: on_error::parse(&mut args),
    };
    args.word("overlap", &["skip"], &["queue", "concurrent"]);
    args.word("missed", &["skip"], &["catch_up_once", "burst"]);
    args.finish();
    if let (Some(Time::Written(period, text)), Some((timeout, literal))) = (&every.period, &every.timeout)
        && timeout >= period
    {
        let period = text.value();
        faults.at(
            literal,
            format!("the timeout is not below the period of {period:?}, so ticks could overlap; write a shorter one"),
        );
    }
    every
}

fn positive(period: &Time, args: &mut Args<'_>) -> bool {
    match period {
        Time::Written(time, literal) if time.is_zero() => {
            args.faults.at(literal, "the period is zero; write a longer one, such as \"5s\"");
            false
        }
        _ => true,
    }
}
