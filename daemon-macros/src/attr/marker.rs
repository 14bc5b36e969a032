//! The markers on methods: which there are, and reading one.

use crate::attr::requirement::Requirement;
use crate::attr::time::Time;
use crate::attr::{command, cron, deferred, every, health, on_event, on_ready, task};
use crate::errors::Faults;
use proc_macro2::TokenStream;
use syn::{Meta, Path};

/// Every marker, as users write it.
pub(crate) const MARKERS: &[&str] = &["on_event", "every", "cron", "on_ready", "deferred", "task", "health", "command"];

/// What a marker says. The `Option`s are `None` after a fault.
pub(crate) enum Marker {
    OnEvent(on_event::OnEvent),
    Every(every::Every),
    Cron(cron::Cron),
    OnReady(Option<Requirement>),
    Deferred(Option<Time>),
    Task(task::Task),
    Health(health::Health),
    Command(command::Command),
}

/// The marker that a path names, by its last segment: `every`, `daemon_core::every`.
pub(crate) fn named(path: &Path) -> Option<&'static str> {
    let last = path.segments.last()?;
    MARKERS.iter().find(|marker| last.ident == *marker).copied()
}

/// Reads a marker; `None` if the attribute is something else.
pub(crate) fn parse(meta: &Meta, faults: &mut Faults) -> Option<Marker> {
    let word = named(meta.path())?;
    let tokens = match meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            faults.at(meta, format!("`#[{word}]` takes its options in parentheses; write `#[{word}(..)]`"));
            return None;
        }
    };
    Some(match word {
        "on_event" => Marker::OnEvent(on_event::parse(tokens, faults)),
        "every" => Marker::Every(every::parse(meta, tokens, faults)),
        "cron" => Marker::Cron(cron::parse(meta, tokens, faults)),
        "on_ready" => Marker::OnReady(on_ready::parse(meta, tokens, faults)),
        "deferred" => Marker::Deferred(deferred::parse(meta, tokens, faults)),
        "task" => Marker::Task(task::parse(tokens, faults)),
        "health" => Marker::Health(health::parse(tokens, faults)),
        _ => Marker::Command(command::parse(tokens, faults)),
    })
}
