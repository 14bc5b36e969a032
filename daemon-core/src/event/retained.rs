//! The last event of each topic, of the types that ask for it: read, never taken, by whoever subscribes later.
//!
//! Invariants:
//! 1. A retained event is published, and a subscription made, under the lock of the shelf. So a subscription either gets an event
//!    from its publisher, or finds it (or a later one of its topic) on the shelf, and never both.
//! 2. Of two events published on one topic at the same moment, the one that stays on the shelf comes last to every subscriber: who
//!    finds no room takes a place in line under that lock, too.
//! 3. Under the lock no user code runs: gates are asked before, wakers called and events dropped after.
//! 4. Lock order: the registry, the shelf, a mailbox.

use super::Event;
use super::envelope::Envelope;
use super::event::{AnyEvent, discard};
use super::routes::TypeTag;
use super::span::{Linked, Published};
use crate::sync::{Mutex, MutexGuard};
use daemon_grammar::topic::{is_pattern, matches};
use rustc_hash::FxHashMap;
use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// Of how many topics one type's last events are kept; beyond it the one published longest ago is forgotten.
pub(crate) const TOPICS: usize = 1024;

/// A retained event.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) event: AnyEvent,
    /// The same for those who take envelopes.
    pub(crate) envelope: AnyEvent,
    /// Its place among all retained events that were ever published.
    pub(crate) number: u64,
    /// The span in which it is kept, if somebody looks.
    pub(crate) span: Option<Arc<Published>>,
}

impl Kept {
    /// What a subscription that takes this gets; `None`: envelopes.
    pub(crate) fn as_taken(&self, takes: Option<TypeTag>) -> &AnyEvent {
        if takes.is_some() { &self.event } else { &self.envelope }
    }

    /// The same as it is queued: with its span, if it has one.
    pub(crate) fn as_queued(&self, takes: Option<TypeTag>) -> AnyEvent {
        let event = self.as_taken(takes).clone();
        match &self.span {
            Some(span) => Linked::wrap(event, span),
            None => event,
        }
    }

    /// Where it came from.
    pub(crate) fn source(&self) -> Option<&Envelope> {
        self.envelope.downcast_ref()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Retained(Mutex<Shelf>);

/// What is kept, while it is locked.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    number: u64,
    types: FxHashMap<TypeId, OfType>,
}

#[derive(Debug, Default)]
struct OfType {
    by_topic: FxHashMap<Arc<str>, Kept>,
    by_age: BTreeMap<u64, Arc<str>>,
    has_forgotten: bool,
}

/// What had to go for a newer one. To be dropped without the lock.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    events: [Option<Kept>; 2],
    /// The type whose topics are too many, the first time.
    overflows: Option<&'static str>,
}

impl Forgotten {
    pub(crate) fn let_go(self) {
        for Kept { event, envelope, .. } in self.events.into_iter().flatten() {
            discard(event);
            discard(envelope);
        }
        if let Some(event) = self.overflows {
            tracing::warn!(event, "published on more than {TOPICS} topics, of which only the latest are retained");
        }
    }
}

impl Retained {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last event of a type on a topic.
    pub(crate) fn last<E: Event>(&self, topic: &str) -> Option<Arc<E>> {
        let event = self.lock().types.get(&TypeId::of::<E>())?.by_topic.get(topic)?.event.clone();
        event.downcast().ok()
    }

    /// Ends the spans of what `publisher`, which has stopped, published and is still kept.
    pub(crate) fn end_spans(&self, publisher: &str) {
        let mut ended = Vec::new(); // which is user code, so without the lock
        for kept in self.lock().types.values_mut().flat_map(|of| of.by_topic.values_mut()) {
            if kept.span.is_some() && kept.source().is_some_and(|source| source.publisher() == publisher) {
                ended.extend(kept.span.take());
            }
        }
        drop(ended);
    }
}

impl Shelf {
    /// The number of the next event.
    pub(crate) fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Keeps an event that was just published.
    pub(crate) fn keep(&mut self, kind: TypeTag, topic: &str, kept: Kept) -> Forgotten {
        let of_type = self.types.entry(kind.id).or_default();
        let mut forgotten = Forgotten::default();
        let number = kept.number;
        if let Some(last) = of_type.by_topic.get_mut(topic) {
            let last = std::mem::replace(last, kept);
            if let Some(topic) = of_type.by_age.remove(&last.number) {
                of_type.by_age.insert(number, topic);
            }
            forgotten.events[0] = Some(last);
            return forgotten;
        }
        if of_type.by_topic.len() == TOPICS
            && let Some((_, oldest)) = of_type.by_age.pop_first()
        {
            forgotten.events[1] = of_type.by_topic.remove(&oldest);
            forgotten.overflows = (!std::mem::replace(&mut of_type.has_forgotten, true)).then_some(kind.name);
        }
        let topic: Arc<str> = topic.into();
        of_type.by_age.insert(number, topic.clone());
        of_type.by_topic.insert(topic, kept);
        forgotten
    }

    /// What a subscription to a topic or pattern finds; `takes` is the type, `None` any.
    pub(crate) fn find(&self, topic: &str, takes: Option<TypeTag>) -> Vec<Kept> {
        let (mut found, is_pattern) = (Vec::new(), is_pattern(topic));
        let wanted = |id: TypeId| takes.is_none_or(|kind| kind.id == id);
        for (_, OfType { by_topic, .. }) in self.types.iter().filter(|(id, _)| wanted(**id)) {
            if is_pattern {
                let selected = by_topic.iter().filter(|(of, _)| matches(topic, of));
                found.extend(selected.map(|(_, kept)| kept.clone()));
            } else {
                found.extend(by_topic.get(topic).cloned());
            }
        }
        found
    }
}
