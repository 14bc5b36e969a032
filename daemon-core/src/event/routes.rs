//! Which mailboxes get what is published on a topic: immutable tables that publishers read without a lock.

use super::event::AnyEvent;
use super::gate::{Gate, Verdict};
use super::mailbox::Mailbox;
use super::publish::Message;
use super::topic::Topic;
use super::unheard::Silence;
use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use std::any::TypeId;
use std::sync::Arc;

/// A type and its name, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeTag {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl TypeTag {
    pub(crate) fn of<E: 'static>() -> Self {
        Self { id: TypeId::of::<E>(), name: std::any::type_name::<E>() }
    }
}

/// One lane of one mailbox, and what it takes.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) lane: u32,
    /// The type it takes; `None`: envelopes, whatever is in them.
    pub(crate) takes: Option<TypeTag>,
    /// The user's code that is asked before an event is queued, if there is any.
    pub(crate) gate: Option<Arc<Gate>>,
    /// Whether it merely looks on, so that what nobody else gets is heard by nobody.
    pub(crate) is_tap: bool,
}

impl Route {
    /// What its gate says of a message that it takes; without one it takes all. Call without locks.
    pub(crate) fn judge(&self, topic: &str, event: &AnyEvent, message: &Message<'_>) -> Verdict {
        self.gate.as_ref().map_or(Verdict::Passes, |gate| gate.judge(topic, event, message.publisher()))
    }
}

/// Everybody who gets what is published on one topic; routes to one mailbox are neighbours.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) routes: Vec<Route>,
    pub(crate) has_envelopes: bool,
    pub(crate) has_gates: bool,
    /// Whether somebody gets it who does not merely look on.
    pub(crate) heard: bool,
    /// The type that subscribers to exactly this topic take.
    pub(crate) expects: Option<TypeTag>,
}

/// A topic with subscribers of its own, or that some type publishes on.
#[derive(Debug)]
pub(crate) struct TopicEntry {
    pub(crate) hash: u64,
    pub(crate) topic: Topic,
    pub(crate) routes: ArcSwap<Routes>,
    /// What was published while nobody heard it.
    pub(crate) unheard: Silence,
}

impl TopicEntry {
    pub(crate) fn new(topic: Topic, hash: u64, routes: Routes) -> Self {
        Self { hash, topic, routes: ArcSwap::from_pointee(routes), unheard: Silence::default() }
    }
}

/// All topics by hash. Topics of one hash are told apart by their text: the second has the next free key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topics(FxHashMap<u64, Arc<TopicEntry>>);

impl Topics {
    #[inline]
    pub(crate) fn get(&self, hash: u64, topic: &str) -> Option<&Arc<TopicEntry>> {
        let mut key = hash;
        loop {
            let entry = self.0.get(&key)?;
            if entry.topic.as_str() == topic {
                return Some(entry);
            }
            key = key.wrapping_add(1);
        }
    }

    pub(crate) fn insert(&mut self, entry: Arc<TopicEntry>) {
        let mut key = entry.hash;
        while self.0.contains_key(&key) {
            key = key.wrapping_add(1);
        }
        self.0.insert(key, entry);
    }

    /// Without some topics; keys are given anew, for a gap would hide an entry behind it.
    pub(crate) fn without(&self, topics: &[Arc<TopicEntry>]) -> Self {
        let mut rest = Self(FxHashMap::with_capacity_and_hasher(self.0.len(), rustc_hash::FxBuildHasher));
        for entry in self.0.values().filter(|entry| !topics.iter().any(|gone| Arc::ptr_eq(gone, entry))) {
            rest.insert(entry.clone());
        }
        rest
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<TopicEntry>> {
        self.0.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Routes, TopicEntry, Topics};
    use crate::event::topic::Topic;
    use std::sync::Arc;

    #[test]
    fn topics_of_one_hash_are_told_apart() {
        let entry = |topic| Arc::new(TopicEntry::new(Topic::Static(topic), u64::MAX, Routes::default()));
        let mut topics = Topics::default();
        for topic in ["a", "b", "c"] {
            topics.insert(entry(topic));
        }
        let found = |topics: &Topics, topic| topics.get(u64::MAX, topic).map(|entry| entry.topic.as_str().to_owned());
        assert_eq!(
            ["a", "b", "c", "d"].map(|topic| found(&topics, topic)),
            [Some("a".into()), Some("b".into()), Some("c".into()), None]
        );
        let first = topics.get(u64::MAX, "a").cloned().into_iter().collect::<Vec<_>>();
        let rest = topics.without(&first);
        assert_eq!(["a", "b", "c"].map(|topic| found(&rest, topic)), [None, Some("b".into()), Some("c".into())]);
    }
}
