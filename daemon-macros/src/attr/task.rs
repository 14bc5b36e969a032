//! `#[task]`, `#[task(finite, name = "..", restart(..))]`.

use crate::attr::args::{Args, Known};
use crate::attr::restart::{self, Ends, Restart};
use crate::errors::Faults;
use proc_macro2::TokenStream;
use syn::LitStr;

pub(super) const KNOWN: Known = Known {
    attribute: "#[task]",
    options: &["finite", "name", "restart"],
    later: &[("isolated", "today every task runs on the workers")],
};

/// What the marker says.
pub(crate) struct Task {
    pub(crate) finite: bool,
    pub(crate) name: Option<LitStr>,
    pub(crate) restart: Option<Restart>,
}

/// Reads the arguments.
pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> Task {
    let mut args = Args::split(tokens, &KNOWN, faults);
    let task = Task { finite: args.flag("finite"), name: args.name("pump"), restart: restart::parse(&mut args) };
    args.misplaced(&["on_error"], "is for events and ticks; a task has a policy, such as `restart(never)`");
    args.finish();
    if let Some(Restart { ends: Ends::Always, word, .. }) = &task.restart
        && task.finite
    {
        faults.at(word, "with `always` a `finite` task would never end; remove one of them");
    }
    task
}
