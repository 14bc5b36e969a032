//! Keeps every event of a host, and gives out those a test expects.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::event::{Bus, Envelope, Event, Tap};

/// How long, by the paused clock, an event is waited for, or room for one.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// How much of an event's JSON a list shows.
const SHOWN: usize = 120;

#[derive(Debug)]
pub(super) struct Recorder {
    tap: Tap,
    seen: Vec<Arc<Envelope>>,
    /// For each type, where in `seen` the search for the next event begins.
    next: HashMap<TypeId, usize>,
}

impl Recorder {
    /// Records everything published on `bus` from now on.
    pub(super) fn of(bus: &Arc<Bus>) -> Self {
        let tap = match bus.tap_of("test", "**", usize::MAX) {
            Ok(tap) => tap,
            Err(error) => panic!("events cannot be recorded: {error}"),
        };
        Self { tap, seen: Vec::new(), next: HashMap::new() }
    }

    fn drain(&mut self) {
        while let Some(tapped) = self.tap.try_recv() {
            self.seen.push(tapped.event);
        }
    }

    /// Every event of type `E` so far.
    pub(super) fn all<E: Event>(&mut self) -> Vec<Arc<E>> {
        self.drain();
        self.seen.iter().filter_map(|envelope| envelope.shared()).collect()
    }

    /// The first event of type `E` that was not given out before.
    fn take<E: Event>(&mut self) -> Option<Arc<E>> {
        self.drain();
        let next = self.next.entry(TypeId::of::<E>()).or_default();
        let found = self.seen[*next..].iter().enumerate().find_map(|(at, seen)| Some((at, seen.shared()?)));
        *next = found.as_ref().map_or(self.seen.len(), |(at, _)| *next + at + 1);
        found.map(|(_, event)| event)
    }

    /// As [`take`](Self::take), and waits for one.
    pub(super) async fn expect<E: Event>(&mut self) -> Arc<E> {
        let limit = Instant::now() + LIMIT;
        loop {
            if let Some(event) = self.take() {
                return event;
            }
            match timeout_at(limit, self.tap.recv()).await {
                Ok(Some(tapped)) => self.seen.push(tapped.event),
                Ok(None) | Err(_) => panic!(
                    "no further `{}` on {:?} within {LIMIT:?} of the paused clock; {}",
                    std::any::type_name::<E>(),
                    E::TOPIC,
                    self.list()
                ),
            }
        }
    }

    /// What was published, a line each.
    fn list(&self) -> String {
        if self.seen.is_empty() {
            return "nothing was published".to_owned();
        }
        let mut list = "published, in order:".to_owned();
        for (number, envelope) in (1..).zip(&self.seen) {
            // writing to a string cannot fail
            let _ = write!(list, "\n  {number}. {} by `{}`", envelope.topic(), envelope.publisher());
            if let Some(Ok(json)) = envelope.to_json() {
                let json = json.to_string();
                let shown: String = json.chars().take(SHOWN).collect();
                let rest = if shown.len() < json.len() { "…" } else { "" };
                let _ = write!(list, ": {shown}{rest}");
            }
        }
        list
    }
}
