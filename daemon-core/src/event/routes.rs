//! Which mailboxes get what is published on a topic: immutable tables that publishers read without a lock.

use super::event::AnyEvent;
use super::gate::{Gate, Verdict};
use super::mailbox::Mailbox;
use super::message::Message;
use super::topic::{Topic, hash};
use super::unheard::Silence;
use arc_swap::{ArcSwap, ArcSwapOption, Guard};
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
    /// Whether both lead to the same mailbox.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mailbox, &other.mailbox)
    }

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
    /// The type that all take who get it, each as it is and unasked, if so.
    pub(crate) plain: Option<TypeId>,
    /// Where the routes to the last mailbox begin.
    pub(crate) last: usize,
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
    /// `None`: they have changed, and the next publisher makes them anew. It then pays for all changes at once, about as much as for
    /// its own publish.
    pub(crate) routes: ArcSwapOption<Routes>,
    /// What was published while nobody heard it.
    pub(crate) unheard: Silence,
}

impl TopicEntry {
    pub(crate) fn new(topic: Topic) -> Arc<Self> {
        let hash = hash(topic.as_str());
        Arc::new(Self { hash, topic, routes: ArcSwapOption::empty(), unheard: Silence::default() })
    }
}

/// A part of all topics, by hash. Topics of one hash are told apart by their text: the second has the next free key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shard(FxHashMap<u64, Arc<TopicEntry>>);

impl Shard {
    #[inline]
    pub(crate) fn get(&self, hash: u64, topic: &str) -> Option<&Arc<TopicEntry>> {
        let mut key = hash;
        loop {
            let entry = self.0.get(&key)?;
            let found = entry.topic.as_str();
            if std::ptr::eq(found, topic) || found == topic {
                return Some(entry);
            }
            key = key.wrapping_add(1);
        }
    }

    fn insert(&mut self, entry: Arc<TopicEntry>) {
        let mut key = entry.hash;
        while self.0.contains_key(&key) {
            key = key.wrapping_add(1);
        }
        self.0.insert(key, entry);
    }

    /// Without a topic; keys are given anew, for a gap would hide an entry behind it.
    fn without(&self, topic: &str) -> Self {
        let mut rest = Self(FxHashMap::with_capacity_and_hasher(self.0.len(), rustc_hash::FxBuildHasher));
        for entry in self.0.values().filter(|entry| entry.topic.as_str() != topic) {
            rest.insert(entry.clone());
        }
        rest
    }
}

/// How many parts the table of topics has: as much less is copied where a topic comes or goes.
const SHARDS: usize = 64;

/// All topics that have an entry.
#[derive(Debug)]
pub(crate) struct Topics(Box<[ArcSwap<Shard>]>);

impl Default for Topics {
    fn default() -> Self {
        let empty = Arc::default(); // one for all, until they are not
        Self((0..SHARDS).map(|_| ArcSwap::new(Arc::clone(&empty))).collect())
    }
}

impl Topics {
    #[inline]
    fn shard(&self, hash: u64) -> &ArcSwap<Shard> {
        // the highest bits of a product with the golden ratio: all bits of the hash matter to them
        &self.0[(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SHARDS.trailing_zeros())) as usize]
    }

    /// The part in which a topic of that hash stands, if it does.
    #[inline]
    pub(crate) fn load(&self, hash: u64) -> Guard<Arc<Shard>> {
        self.shard(hash).load()
    }

    pub(crate) fn get(&self, topic: &str) -> Option<Arc<TopicEntry>> {
        let hash = hash(topic);
        self.load(hash).get(hash, topic).cloned()
    }

    /// Adds a topic that has no entry. Only under the registry's lock.
    pub(crate) fn insert(&self, entry: Arc<TopicEntry>) {
        let shard = self.shard(entry.hash);
        let mut next = Shard::clone(&shard.load());
        next.insert(entry);
        shard.store(Arc::new(next));
    }

    /// Removes a topic. Only under the registry's lock.
    pub(crate) fn remove(&self, topic: &str) {
        let shard = self.shard(hash(topic));
        let next = shard.load().without(topic);
        shard.store(Arc::new(next));
    }

    pub(crate) fn all(&self) -> Vec<Arc<TopicEntry>> {
        self.0.iter().flat_map(|shard| shard.load().0.values().cloned().collect::<Vec<_>>()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.load().0.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Shard, TopicEntry, Topics};
    use crate::event::topic::Topic;
    use std::sync::Arc;

    #[test]
    fn topics_of_one_hash_are_told_apart() {
        let entry = |topic| {
            let Some(mut entry) = Arc::into_inner(TopicEntry::new(Topic::Static(topic))) else { unreachable!() };
            entry.hash = u64::MAX;
            Arc::new(entry)
        };
        let mut shard = Shard::default();
        for topic in ["a", "b", "c"] {
            shard.insert(entry(topic));
        }
        let found = |shard: &Shard, topic| shard.get(u64::MAX, topic).map(|entry| entry.topic.as_str().to_owned());
        assert_eq!(
            ["a", "b", "c", "d"].map(|topic| found(&shard, topic)),
            [Some("a".into()), Some("b".into()), Some("c".into()), None]
        );
        let rest = shard.without("a");
        assert_eq!(["a", "b", "c"].map(|topic| found(&rest, topic)), [None, Some("b".into()), Some("c".into())]);
    }

    #[test]
    fn topics_are_spread_over_all_parts() {
        let topics = Topics::default();
        let name = |number: usize| format!("topic:{number}");
        for number in 0..2_000 {
            topics.insert(TopicEntry::new(Topic::Shared(name(number).into())));
        }
        assert!(topics.0.iter().all(|shard| (8..80).contains(&shard.load().0.len())));
        for number in (0..2_000).step_by(2) {
            topics.remove(&name(number));
        }
        assert_eq!((topics.len(), topics.all().len()), (1_000, 1_000));
        assert!((0..2_000).all(|number| topics.get(&name(number)).is_some() == (number % 2 == 1)));
    }
}
