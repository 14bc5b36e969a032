//! `#[daemon(..)]` above the struct.

use crate::attr::args::{Args, Known};
use crate::attr::publishes;
use crate::attr::requirement::{self, Requirement};
use crate::attr::restart::{self, Restart};
use crate::attr::time;
use crate::errors::Faults;
use proc_macro2::TokenStream;
use std::time::Duration;
use syn::{LitStr, Path, Type};

pub(super) const KNOWN: Known = Known {
    attribute: "#[daemon]",
    options: &[
        "name",
        "requires",
        "wants",
        "publishes",
        "restart",
        "start_timeout",
        "stop_timeout",
        "plane",
        "optional",
        "no_handlers",
        "crate",
    ],
    later: &[],
};

/// What the attribute says.
#[derive(Default)]
pub(crate) struct DaemonAttr {
    pub(crate) krate: Option<Path>,
    pub(crate) name: Option<LitStr>,
    pub(crate) requires: Vec<Requirement>,
    pub(crate) wants: Vec<Requirement>,
    pub(crate) publishes: Option<Vec<Type>>,
    pub(crate) restart: Option<Restart>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) stop_timeout: Option<Duration>,
    /// Whether it runs on the operations plane.
    pub(crate) operations: bool,
    pub(crate) optional: bool,
    pub(crate) no_handlers: bool,
}

/// Reads the arguments.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> DaemonAttr {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let attr = DaemonAttr {
        krate: args.krate(),
        name: args.name("user"),
        requires: requirement::list(&mut args, "requires"),
        wants: requirement::list(&mut args, "wants"),
        publishes: publishes::list(&mut args),
        restart: restart::parse(&mut args),
        start_timeout: time::timeout(&mut args, "start_timeout", "10s").map(|(time, _)| time),
        stop_timeout: time::timeout(&mut args, "stop_timeout", "5s").map(|(time, _)| time),
        operations: args.word("plane", &["operations", "workers"], &[]) == Some("operations"),
        optional: args.flag("optional"),
        no_handlers: args.flag("no_handlers"),
    };
    args.finish();
    attr
}
