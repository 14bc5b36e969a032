//! An event together with where it came from, for subscribers that take events of any type.

use super::Event;
use super::event::AnyEvent;
use super::topic::Topic;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// How an event of a type that is no longer known becomes JSON.
pub(crate) type ToJson = fn(&(dyn Any + Send + Sync)) -> Option<serde_json::Result<serde_json::Value>>;

pub(crate) fn to_json<E: Event>(event: &(dyn Any + Send + Sync)) -> Option<serde_json::Result<serde_json::Value>> {
    event.downcast_ref::<E>()?.to_json()
}

/// An event of any type with its topic, its publisher and the time it was published.
///
/// One is made per publish, and only if somebody subscribed to envelopes; its JSON is made when asked for.
pub struct Envelope {
    topic: Topic,
    publisher: Arc<str>,
    published_at: SystemTime,
    event: AnyEvent,
    to_json: ToJson,
}

impl Envelope {
    pub(crate) fn new(topic: Topic, publisher: Arc<str>, event: AnyEvent, to_json: ToJson) -> Self {
        Self { topic, publisher, published_at: SystemTime::now(), event, to_json }
    }

    /// The topic it was published under, never a pattern.
    pub fn topic(&self) -> &str {
        self.topic.as_str()
    }

    /// The name of the daemon that published it.
    pub fn publisher(&self) -> &str {
        &self.publisher
    }

    /// The event itself, shared.
    #[cfg(feature = "testing")]
    pub(crate) fn shared<E: Event>(&self) -> Option<Arc<E>> {
        self.event.clone().downcast().ok()
    }

    /// When it was published.
    pub fn published_at(&self) -> SystemTime {
        self.published_at
    }

    /// The event as JSON; `None` for an event that never leaves the process.
    pub fn to_json(&self) -> Option<serde_json::Result<serde_json::Value>> {
        (self.to_json)(&*self.event)
    }

    /// The event itself, if it is an `E`.
    pub fn downcast<E: Event>(&self) -> Option<&E> {
        self.event.downcast_ref()
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("topic", &self.topic())
            .field("publisher", &self.publisher)
            .field("published_at", &self.published_at)
            .finish_non_exhaustive()
    }
}
