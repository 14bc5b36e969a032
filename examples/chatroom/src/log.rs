//! The log: `tracing` events on standard error, and in the console daemon's ring while it is attached.
//!
//! The way of a log line never leads over the bus: a line about an event must not become an event.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::time::Uptime;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::entity::now_ms;
use crate::terminal::{self, LogWriter};

/// Installs the log for the whole process and gives the place where a ring is attached to it.
pub(crate) fn install(quiet: bool) -> Tap {
    let tap = Tap::default();
    let level = if quiet { LevelFilter::WARN } else { LevelFilter::INFO };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(LogWriter)
        .with_ansi(terminal::is_terminal())
        .with_timer(Uptime::default())
        .with_target(false)
        .with_filter(level);
    // Somebody who embeds this program may have installed a log of their own; then theirs stays.
    tracing_subscriber::registry().with(lines).with(TapLayer(tap.clone())).try_init().ok();
    tap
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at_ms: u64,
    pub(crate) level: String,
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

struct TapLayer(Tap);

thread_local! {
    /// Whether this thread is inside [`TapLayer::on_event`]: formatting a field may log, and that line is left out.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl<S: Subscriber> Layer<S> for TapLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() > Level::INFO || INSIDE.replace(true) {
            return;
        }
        if let Some(ring) = self.0.ring() {
            let mut message = Message(String::new());
            event.record(&mut message);
            ring.push(Entry { at_ms: now_ms(), level: event.metadata().level().to_string(), message: message.0 });
        }
        INSIDE.set(false);
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
    use super::*;

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
        let subscriber = tracing_subscriber::registry().with(TapLayer(tap.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            tap.attach(Some(ring.clone()));
            (0..4).for_each(|n| tracing::info!(room = "general", "line {n}"));
            tracing::debug!("too small to keep");
            tracing::warn!(who = ?Chatty, "last");
            tap.attach(None);
            tracing::info!("after");
        });
        let messages: Vec<_> = ring.tail(10).into_iter().map(|entry| entry.message).collect();
        assert_eq!(messages, ["line 2 room=\"general\"", "line 3 room=\"general\"", "last who=chatty"]);
        assert_eq!(ring.tail(1).len(), 1);
    }
}
