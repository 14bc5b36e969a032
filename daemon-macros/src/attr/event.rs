//! `#[event("topic")]`, `#[event("topic", local, retain)]` beside `#[derive(Event)]`.

use crate::attr::args::{Args, Known};
use crate::errors::Faults;
use daemon_grammar::topic;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{LitStr, Path};

pub(super) const KNOWN: Known = Known { attribute: "#[event]", options: &["local", "retain", "crate"], later: &[] };

/// What the attribute says.
#[derive(Default)]
pub(crate) struct EventAttr {
    /// `None` after a fault.
    pub(crate) topic: Option<LitStr>,
    pub(crate) local: bool,
    pub(crate) retain: bool,
    pub(crate) krate: Option<Path>,
}

/// Reads the arguments; `attribute` is what a fault about a missing topic points at.
pub(crate) fn parse(attribute: &dyn ToTokens, tokens: TokenStream, faults: &mut Faults) -> EventAttr {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let leading = args.leading();
    if leading.is_none() {
        args.faults
            .at(attribute.to_token_stream(), "no topic; write one first, such as `#[event(\"data:users:created\")]`");
    }
    let topic = leading.and_then(|tokens| match syn::parse2::<LitStr>(tokens.clone()) {
        Ok(literal) => args.read(&literal, topic::check_pattern).map(|()| literal),
        Err(_) => {
            args.faults.at(tokens, "a topic is a string, such as \"data:users:created\"; quote it");
            None
        }
    });
    let attr = EventAttr { topic, local: args.flag("local"), retain: args.flag("retain"), krate: args.krate() };
    args.finish();
    attr
}
