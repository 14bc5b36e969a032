//! Which logs are written, by directives in the form of `RUST_LOG`.

use std::sync::{Mutex, PoisonError};

use daemon_core::BoxError;
use daemon_ipc::control::LogFilter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Registry, reload};

/// The filter of the subscriber that this crate installs.
#[derive(Debug)]
pub(super) struct Steered {
    handle: reload::Handle<Targets, Registry>,
    text: Mutex<String>,
}

impl Steered {
    pub(super) fn new(handle: reload::Handle<Targets, Registry>, text: String) -> Self {
        Self { handle, text: Mutex::new(text) }
    }
}

impl LogFilter for Steered {
    fn current(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, filter: &str) -> Result<(), BoxError> {
        let targets = directives(filter)?;
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        self.handle.reload(targets)?;
        *text = filter.to_owned();
        Ok(())
    }
}

/// Reads directives. A word alone is a level: what `RUST_LOG` would take for a module, and so turn all other logs off, is more likely to be
/// a slip.
fn directives(text: &str) -> Result<Targets, String> {
    let levels = "one of off, error, warn, info, debug, trace";
    for part in text.split(',').map(str::trim) {
        let (target, level) = part.split_once('=').map_or((None, part), |(target, level)| (Some(target), level));
        if level.is_empty() || level.parse::<LevelFilter>().is_err() {
            let hint = if target.is_none() { "; for a part of the program write part=level" } else { "" };
            return Err(format!("unknown level `{level}`; {levels}{hint}"));
        }
    }
    text.parse().map_err(|error| format!("`{text}` is no filter: {error}"))
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn levels_and_parts_of_the_program_are_told_apart() {
        for text in ["info", "DEBUG", "warn,app::store=trace", "off", "app=debug"] {
            assert!(directives(text).is_ok(), "{text}");
        }
        for (text, told) in
            [("verbos", "write part=level"), ("", "unknown level ``"), ("app=loud", "`loud`"), ("info,", "``")]
        {
            assert!(directives(text).unwrap_err().contains(told), "{text}");
        }
    }
}
