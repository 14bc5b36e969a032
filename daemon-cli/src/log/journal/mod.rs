//! Logs for the journal of systemd, with fields, where standard error leads there.
//!
//! Its native protocol is datagrams of `NAME=value` lines. [`entry`] is what they say, [`socket`] the way to it; here is what is said of
//! an event of `tracing`.

mod entry;
mod socket;

use std::fmt::{self, Write};
use std::io;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use entry::Entry;
use socket::{Sender, leads_to_the_journal};

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// Sends events to the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    sender: Sender,
    identifier: String,
}

impl Journal {
    /// The journal, in the name of a program; `None` where standard error does not lead there.
    pub(crate) fn of_stderr(identifier: &str) -> Option<Self> {
        let told = std::env::var("JOURNAL_STREAM").ok()?;
        if !leads_to_the_journal(&told, io::stderr()) {
            return None;
        }
        Self::at(Path::new(SOCKET), identifier).ok()
    }

    fn at(socket: &Path, identifier: &str) -> io::Result<Self> {
        Ok(Self { sender: Sender::to(socket)?, identifier: identifier.to_owned() })
    }
}

/// The number that syslog(3) has for a level.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// What a span says, as fields: its name for the journal, and the value.
#[derive(Debug, Default)]
struct Said(Vec<(String, String)>);

/// What a field of a span is called in the journal. The host's own have names that tell what they are.
fn renamed(span: &str, field: &str) -> Option<String> {
    let name = match (span, field) {
        ("daemon", "name") => "DAEMON",
        ("publish" | "event" | "retain", "messaging.destination.name") => "EVENT",
        _ if field.starts_with("otel.") || field.starts_with("messaging.") || field == "error.type" => return None,
        _ => return Some(entry::name(field)),
    };
    Some(name.to_owned())
}

/// Notes the fields of a span.
struct Noting<'a> {
    span: &'static str,
    said: &'a mut Said,
}

impl Visit for Noting<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(name) = renamed(self.span, field.name()) {
            self.said.0.push((name, value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Splits an event in its message and its fields, for people and for those who search.
#[derive(Default)]
struct Split {
    message: String,
    rest: String,
    fields: Said,
}

impl Visit for Split {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            name => {
                if name != "daemon" {
                    let _ = write!(self.rest, " {name}={value}"); // a string takes all
                }
                self.fields.0.push((entry::name(name), value.to_owned()));
            }
        }
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &daemon_core::with_sources(error));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Journal {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id) {
            let mut said = Said::default();
            attributes.record(&mut Noting { span: span.name(), said: &mut said });
            span.extensions_mut().insert(said);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id)
            && let Some(said) = span.extensions_mut().get_mut::<Said>()
        {
            values.record(&mut Noting { span: span.name(), said });
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut split = Split::default();
        event.record(&mut split);
        let mut fields = split.fields.0;
        // What is said nearest counts.
        for span in cx.event_scope(event).into_iter().flatten() {
            if let Some(said) = span.extensions().get::<Said>() {
                let new: Vec<_> = said.0.iter().filter(|(name, _)| fields.iter().all(|(of, _)| of != name)).collect();
                fields.extend(new.into_iter().cloned());
            }
        }
        let daemon = fields.iter().find(|(name, _)| name == "DAEMON");
        let daemon = daemon.map_or_else(String::new, |(_, daemon)| format!("{daemon}: "));
        let metadata = event.metadata();
        let mut entry = Entry::default();
        entry.add("MESSAGE", &format!("{daemon}{}{}", split.message, split.rest));
        entry.add("PRIORITY", priority(*metadata.level()));
        entry.add("SYSLOG_IDENTIFIER", &self.identifier);
        entry.add("TARGET", metadata.target());
        if let Some(file) = metadata.file() {
            entry.add("CODE_FILE", file);
        }
        if let Some(line) = metadata.line() {
            entry.add("CODE_LINE", &line.to_string());
        }
        fields.iter().for_each(|(name, value)| entry.add(name, value));
        self.sender.send(&entry.into_bytes());
    }
}

#[cfg(test)]
mod tests;
