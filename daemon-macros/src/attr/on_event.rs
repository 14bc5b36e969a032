//! `#[on_event("topic or pattern", when = path, capacity = n, overflow = block, startup = n, on_error = log)]`.

use crate::attr::args::{Args, Known};
use crate::attr::on_error::{self, OnError};
use crate::errors::Faults;
use daemon_grammar::topic;
use proc_macro2::TokenStream;
use syn::{LitInt, LitStr, Path};

const KNOWN: Known = Known {
    attribute: "on_event",
    options: &["when", "capacity", "overflow", "startup", "on_error"],
    later: &[
        ("concurrency", "today a handler takes its events in order, one at a time"),
        ("queue", "today each handler has a queue of its own"),
        ("isolated", "today the handlers of a daemon take turns on one task"),
    ],
};

/// What a full queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    Block,
    DropOldest,
    DropNewest,
}

/// What the marker says.
#[derive(Default)]
pub(crate) struct OnEvent {
    pub(crate) topic: Option<LitStr>,
    /// Whether there is a topic that cannot be read, which has been reported.
    pub(crate) faulty: bool,
    /// The function that says which events it wants.
    pub(crate) when: Option<Path>,
    pub(crate) capacity: Option<LitInt>,
    pub(crate) overflow: Option<Overflow>,
    pub(crate) startup: Option<LitInt>,
    pub(crate) on_error: Option<OnError>,
}

/// Reads the arguments.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> OnEvent {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let leading = args.leading();
    let is_given = leading.is_some();
    let topic = leading.and_then(|tokens| match syn::parse2::<LitStr>(tokens.clone()) {
        Ok(literal) => args.read(&literal, topic::check_pattern).map(|()| literal),
        Err(_) => {
            args.faults.at(tokens, "a topic is a string, such as \"data:users:created\"; quote it, or leave it out");
            None
        }
    });
    let when = args.value("when", "the path of a function", "is_new");
    let capacity = args.count("capacity", "64");
    let overflow = overflow(&mut args);
    let startup = args.count("startup", "8192");
    let on_error = on_error::parse(&mut args);
    args.misplaced(&["retain"], "belongs to the event, whoever handles it: `#[event(\"..\", retain)]`");
    args.finish();
    OnEvent { faulty: is_given && topic.is_none(), topic, when, capacity, overflow, startup, on_error }
}

fn overflow(args: &mut Args<'_>) -> Option<Overflow> {
    Some(match args.word("overflow", &["block", "drop_oldest", "drop_newest"], &["latest"])? {
        "drop_oldest" => Overflow::DropOldest,
        "drop_newest" => Overflow::DropNewest,
        _ => Overflow::Block,
    })
}
