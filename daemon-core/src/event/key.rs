//! What tells events apart for `overflow = latest`: a hash of their topic and of a part of them.
//!
//! Hashing runs user code, so it is done before a mailbox is locked: see `gate`. Two keys are taken for one with a chance of 2^-128,
//! whoever chooses them: the hash is seeded anew for each subscription.

use super::envelope::Envelope;
use super::error::SubscribeError;
use super::event::AnyEvent;
use super::routes::TypeTag;
use daemon_grammar::topic::is_pattern;
use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

/// The part of an event by which [`Overflow::Latest`](super::Overflow::Latest) tells events apart.
///
/// ```
/// use daemon_core::{Event, Key, QueueOptions};
///
/// struct Price {
///     symbol: String,
///     cents: u64,
/// }
///
/// impl Event for Price {
///     const TOPIC: &'static str = "market:price";
/// }
///
/// let options = QueueOptions::default().latest_by(Key::of(|price: &Price| &price.symbol));
/// ```
#[derive(Clone)]
pub struct Key {
    of: TypeTag,
    hash: Arc<Part>,
}

/// What a key is once its event's type is hidden.
type Part = dyn Fn(&(dyn Any + Send + Sync), &mut Digest) + Send + Sync;

impl Key {
    /// The part that `part` gives of an event of type `E`.
    #[must_use]
    pub fn of<E, K>(part: impl Fn(&E) -> &K + Send + Sync + 'static) -> Self
    where
        E: Any + Send + Sync,
        K: Hash + ?Sized,
    {
        let hash = move |event: &(dyn Any + Send + Sync), digest: &mut Digest| {
            if let Some(event) = event.downcast_ref::<E>() {
                part(event).hash(digest);
            }
        };
        Self { of: TypeTag::of::<E>(), hash: Arc::new(hash) }
    }

    /// Checks that it is a part of what its subscription takes; `None`: envelopes.
    pub(crate) fn check(&self, subscription: &str, takes: Option<TypeTag>) -> Result<(), SubscribeError> {
        let expected = takes.unwrap_or_else(TypeTag::of::<Envelope>);
        if expected.id == self.of.id {
            return Ok(());
        }
        let (expected, found) = (expected.name, self.of.name);
        Err(SubscribeError::KeyMismatch { subscription: subscription.to_owned(), expected, found })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key of {}", self.of.name)
    }
}

/// Two hashers of 64 bits each, with seeds of their own.
struct Digest(DefaultHasher, DefaultHasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// What a key comes to. Events of one subscription with the same one are the same thing, newer and older.
pub(crate) type Hashed = u128;

/// How one subscription tells its events apart.
pub(crate) struct Conflation {
    key: Option<Key>,
    /// Whether its topic is a pattern, so that the topics of its events tell them apart, too.
    by_topic: bool,
    seeds: (RandomState, RandomState),
}

impl Conflation {
    pub(crate) fn new(topic: &str, key: Option<Key>) -> Self {
        Self { key, by_topic: is_pattern(topic), seeds: (RandomState::new(), RandomState::new()) }
    }

    /// The key of an event published on `topic`; runs the user's code.
    pub(crate) fn hash(&self, topic: &str, event: &AnyEvent) -> Hashed {
        if self.key.is_none() && !self.by_topic {
            return 0;
        }
        let mut digest = Digest(self.seeds.0.build_hasher(), self.seeds.1.build_hasher());
        if self.by_topic {
            topic.hash(&mut digest);
        }
        if let Some(key) = &self.key {
            (key.hash)(&**event, &mut digest);
        }
        Hashed::from(digest.0.finish()) << 64 | Hashed::from(digest.1.finish())
    }
}

impl fmt::Debug for Conflation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflation").field("key", &self.key).field("by_topic", &self.by_topic).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Conflation, Key};
    use crate::event::AnyEvent;
    use std::sync::Arc;

    struct Price {
        symbol: String,
        cents: u64,
    }

    fn price(symbol: &str, cents: u64) -> AnyEvent {
        Arc::new(Price { symbol: symbol.to_owned(), cents })
    }

    #[test]
    fn topic_and_part_tell_events_apart_and_nothing_else_does() {
        let (a, b) = (price("A", 1), price("B", 1));
        let keyed = Conflation::new("market:price", Some(Key::of(|price: &Price| &price.symbol)));
        assert_eq!(keyed.hash("market:price", &a), keyed.hash("market:price", &price("A", 2)));
        assert_ne!(keyed.hash("market:price", &a), keyed.hash("market:price", &b));
        let plain = Conflation::new("market:price", None);
        assert_eq!(plain.hash("market:price", &a), plain.hash("market:price", &b));
        let pattern = Conflation::new("market:*", None);
        assert_eq!(pattern.hash("market:one", &a), pattern.hash("market:one", &b));
        assert_ne!(pattern.hash("market:one", &a), pattern.hash("market:two", &a));
        let both = Conflation::new("market:*", Some(Key::of(|price: &Price| &price.cents)));
        assert_eq!(both.hash("market:one", &a), both.hash("market:one", &b));
        assert_ne!(both.hash("market:one", &a), both.hash("market:two", &a));
    }

    #[test]
    fn each_half_of_a_hash_tells_them_apart() {
        let keyed = Conflation::new("market:price", Some(Key::of(|price: &Price| &price.symbol)));
        let [a, b] = ["A", "B"].map(|symbol| keyed.hash("market:price", &price(symbol, 1)));
        assert!(a >> 64 != b >> 64 && a as u64 != b as u64);
    }
}
