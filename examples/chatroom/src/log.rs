//! The log: `tracing` events on standard error, and in the console daemon's ring while it is attached.
//!
//! The way of a log line never leads over the bus: a line about an event must not become an event.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use daemon_health::http::{LogLine, LogTail};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::entity::now_ms;
use crate::terminal;

/// Installs the log for the whole process, lets the status page have its lines, and gives the place where a ring is attached to it.
pub(crate) fn install(quiet: bool, page: Option<LogTail>) -> Tap {
    let tap = Tap::default();
    let shown = if quiet { Level::WARN } else { Level::INFO };
    let log = Log { began: Instant::now(), shown: Some(shown), tap: tap.clone(), page };
    // Somebody who embeds this program may have installed a log of their own; then theirs stays.
    tracing_subscriber::registry().with(log).try_init().ok();
    tap
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at_ms: u64,
    pub(crate) level: String,
    /// The daemon that speaks; empty if none does.
    pub(crate) daemon: String,
    pub(crate) message: String,
}

/// The newest lines, up to a number of them.
#[derive(Debug)]
pub(crate) struct Ring {
    capacity: usize,
    entries: Mutex<VecDeque<Entry>>,
}

impl Ring {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::new(VecDeque::with_capacity(capacity)) }
    }

    /// The newest `count` lines, oldest first.
    pub(crate) fn tail(&self, count: usize) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().skip(entries.len().saturating_sub(count)).cloned().collect()
    }

    fn push(&self, entry: Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == self.capacity {
            entries.pop_front();
        }
        entries.push_back(entry);
    }
}

/// The place in the log where a ring can be attached. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tap(Arc<RwLock<Option<Arc<Ring>>>>);

impl Tap {
    /// Attaches `ring` in place of what was there, or restores the log as it was before with `None`.
    pub(crate) fn attach(&self, ring: Option<Arc<Ring>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }

    fn ring(&self) -> Option<Arc<Ring>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The one layer of the log.
struct Log {
    began: Instant,
    /// The least important level that is shown; nothing is shown without one.
    shown: Option<Level>,
    tap: Tap,
    /// The lines that the status page shows, if there is one.
    page: Option<LogTail>,
}

thread_local! {
    /// Whether this thread is inside [`Log::on_event`]: formatting a field may log, and that line is left out.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// A daemon's name, kept with the span that the host runs it in.
struct DaemonName(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() == "daemon"
            && let Some(span) = context.span(id)
        {
            let mut name = DaemonName(String::new());
            attributes.record(&mut name);
            span.extensions_mut().insert(name);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::INFO || INSIDE.replace(true) {
            return;
        }
        let mut spans = context.event_scope(event).into_iter().flatten();
        let daemon = spans.find_map(|span| span.extensions().get::<DaemonName>().map(|name| name.0.clone()));
        let daemon = daemon.unwrap_or_default();
        let mut message = Message(String::new());
        event.record(&mut message);
        // The host tells of its daemons' lives in its receipt and its report.
        let told_elsewhere = level == Level::INFO && event.metadata().target().starts_with("daemon_core");
        if self.shown.is_some_and(|shown| level <= shown) && !told_elsewhere {
            terminal::write_line(&line(self.began.elapsed().as_secs_f64(), level, &daemon, &message.0));
        }
        if let Some(page) = &self.page {
            page.push(LogLine::now(level.as_str(), &*daemon, &*message.0));
        }
        if let Some(ring) = self.tap.ring() {
            ring.push(Entry { at_ms: now_ms(), level: level.to_string(), daemon, message: message.0 });
        }
        INSIDE.set(false);
    }
}

/// A line as a person reads it.
fn line(seconds: f64, level: Level, daemon: &str, message: &str) -> String {
    let level = if level == Level::INFO { "" } else { level.as_str() };
    let gap = if level.is_empty() { "" } else { " " };
    let colon = if daemon.is_empty() { "" } else { ": " };
    format!("{seconds:>8.3} s  {level}{gap}{daemon}{colon}{message}\n")
}

impl Visit for DaemonName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "name" {
            self.0 = format!("{value:?}");
        }
    }
}

/// The message of an event, then its other fields.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            write!(self.0, " {}={value:?}", field.name()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use daemon_core::testing::TestHost;

    use super::*;
    use crate::daemons::ConsoleDaemon;

    struct Chatty;

    impl fmt::Debug for Chatty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            tracing::warn!("a line from inside a line");
            f.write_str("chatty")
        }
    }

    #[test]
    fn the_ring_keeps_the_newest_lines_while_it_is_attached() {
        let tap = Tap::default();
        let ring = Arc::new(Ring::new(3));
        let log = Log { began: Instant::now(), shown: None, tap: tap.clone(), page: None };
        let subscriber = tracing_subscriber::registry().with(log);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            tap.attach(Some(ring.clone()));
            (0..4).for_each(|n| tracing::info!(room = "general", "line {n}"));
            tracing::debug!("too small to keep");
            let daemon = tracing::info_span!("daemon", name = "user");
            daemon.in_scope(|| tracing::warn!(who = ?Chatty, "last"));
            tap.attach(None);
            tracing::info!("after");
        });
        assert_eq!(ring.tail(1)[0].daemon, "user");
        let messages: Vec<_> = ring.tail(10).into_iter().map(|entry| entry.message).collect();
        assert_eq!(messages, ["line 2 room=\"general\"", "line 3 room=\"general\"", "last who=chatty"]);
        assert_eq!(ring.tail(1).len(), 1);
    }

    #[tokio::test]
    async fn the_console_daemon_restores_the_log_when_it_ends() {
        let tap = Tap::default();
        let log = Log { began: Instant::now(), shown: None, tap: tap.clone(), page: None };
        let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(log));
        tracing::info!("before");
        let host = TestHost::start(ConsoleDaemon::new(tap.clone())).await;
        let ring = tap.ring().unwrap();
        tracing::info!("meanwhile");
        host.shutdown().await.assert_clean();
        assert!(tap.ring().is_none());
        tracing::info!("after");
        let said = |wanted: &str| ring.tail(usize::MAX).iter().any(|entry| entry.message == wanted);
        assert_eq!(["before", "meanwhile", "after"].map(said), [false, true, false]);
    }

    #[test]
    fn a_line_says_when_who_and_what() {
        assert_eq!(line(1.5, Level::INFO, "user", "14 personas listen"), "   1.500 s  user: 14 personas listen\n");
        assert_eq!(line(0.0, Level::WARN, "", "careful"), "   0.000 s  WARN careful\n");
    }
}
