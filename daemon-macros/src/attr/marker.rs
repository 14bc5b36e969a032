//! The markers on methods: which there are, and reading one.

use crate::attr::requirement::Requirement;
use crate::attr::time::Time;
use crate::attr::{command, cron, deferred, every, health, on_event, on_ready, task};
use crate::errors::Faults;
use daemon_grammar::did_you_mean;
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

/// The marker that an attribute most likely means which is no marker. One that is written with a path is left alone.
pub(crate) fn misspelt(path: &Path) -> Option<&'static str> {
    let word = path.get_ident()?.to_string();
    did_you_mean(&word, MARKERS.iter().copied())
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

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn what_is_nearly_a_marker_is_meant_as_one() {
        assert_eq!(misspelt(&parse_quote!(on_events)), Some("on_event"));
        assert_eq!(misspelt(&parse_quote!(helth)), Some("health"));
        assert_eq!(misspelt(&parse_quote!(other::on_events)), None);
        for common in [
            "allow",
            "async_trait",
            "automatically_derived",
            "bench",
            "cfg",
            "cfg_attr",
            "cold",
            "deny",
            "deprecated",
            "derive",
            "doc",
            "expect",
            "forbid",
            "hidden",
            "ignore",
            "inline",
            "instrument",
            "instrumented",
            "must_use",
            "rustfmt",
            "should_panic",
            "test",
            "test_case",
            "track_caller",
            "tracing",
            "warn",
        ] {
            assert_eq!(misspelt(&syn::parse_str(common).unwrap()), None, "{common}");
        }
    }
}
