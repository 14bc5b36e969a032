//! Publishing: in whose name, on which topic, and how long it waits.

use super::Event;
use super::bus::Bus;
use super::error::PublishError;
use super::message::{Draft, Until, Wait};
use super::receipt::Receipt;
use super::routes::{TopicEntry, TypeTag};
use super::topic::{Form, Topic, TopicOf};
use super::waiting::{Crowd, Full, park, refuse};
use daemon_grammar::topic::{check_topic, is_pattern};
use std::any::TypeId;
use std::sync::{Arc, OnceLock};

/// Publishes events in one name; cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    bus: Arc<Bus>,
    name: Arc<str>,
    known: Arc<Known>,
}

/// What publishers of one name, in one life of its daemon, share.
#[derive(Debug, Default)]
struct Known {
    /// The entries of the types it published first, which stay for good: see [`Bus::entry_of_type`]. They save a look-up.
    entries: [OnceLock<(&'static str, Arc<TopicEntry>)>; 8],
    /// What it says it publishes, if it says so.
    declared: Option<Box<[TypeId]>>,
}

impl Publisher {
    pub(crate) fn new(bus: Arc<Bus>, name: Arc<str>, declared: Option<Box<[TypeId]>>) -> Self {
        Self { bus, name, known: Arc::new(Known { declared, ..Known::default() }) }
    }

    /// The entry of a type's own topic; `None` if another topic has its place.
    #[inline]
    fn known(&self, hash: u64, topic: &'static str, kind: TypeTag) -> Option<&TopicEntry> {
        let place = &self.known.entries[hash as usize % self.known.entries.len()];
        let (known, entry) = match place.get() {
            Some(known) => known,
            None => place.get_or_init(|| {
                self.compare(topic, kind);
                (topic, self.bus.entry_of_type(topic))
            }),
        };
        (std::ptr::eq(*known, topic) || *known == topic).then_some(&**entry)
    }

    /// Compares a type with what it says it publishes: when it publishes the type first, or on a way that is not the shortest.
    fn compare(&self, topic: &'static str, kind: TypeTag) {
        if let Some(declared) = &self.known.declared
            && !declared.contains(&kind.id)
        {
            self.bus.undeclared.note(&self.name, topic, kind);
        }
    }

    /// In whose name it publishes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Publishes an event on its type's topic; waits for running subscribers that are full and block.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; with `WouldDeadlock` every other subscription got the event, with any other nobody did.
    ///
    /// # Cancel safety
    ///
    /// Before the first poll nothing happens. Dropped while it waits, the event reaches every subscription but those it waits
    /// for, which count it as dropped.
    pub async fn publish<E: Event>(&self, event: E) -> Result<(), PublishError> {
        let full = self.offer(event, Until::Queued)?;
        if full.is_empty() { Ok(()) } else { self.wait(full).await }
    }

    /// Publishes an event on a topic given at run time; otherwise as [`Publisher::publish`].
    ///
    /// # Errors
    ///
    /// As [`Publisher::publish`].
    ///
    /// # Cancel safety
    ///
    /// As [`Publisher::publish`].
    pub async fn publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        let full = self.offer_to(topic, event, Until::Queued)?;
        if full.is_empty() { Ok(()) } else { self.wait(full).await }
    }

    /// Publishes an event on its type's topic, and waits until every subscription that was offered it has handled it.
    ///
    /// `held_up` names daemons that cannot run before the publisher does; while they start they are not waited for.
    ///
    /// # Errors
    ///
    /// [`PublishError::Unhandled`] says where it was not handled; with any other error nobody got it.
    ///
    /// # Cancel safety
    ///
    /// As [`Publisher::publish`]; what is queued is handled all the same.
    pub async fn publish_and_wait<E: Event>(&self, event: E, held_up: &[String]) -> Result<usize, PublishError> {
        let wait = self.waiting(held_up);
        let full = self.offer(event, Until::Handled(&wait))?;
        self.wait_for(&wait.receipt, full).await
    }

    /// As [`Publisher::publish_and_wait`], on a topic given at run time.
    ///
    /// # Errors
    ///
    /// As [`Publisher::publish_and_wait`].
    ///
    /// # Cancel safety
    ///
    /// As [`Publisher::publish_and_wait`].
    pub async fn publish_to_and_wait<E: Event>(
        &self,
        topic: &str,
        event: E,
        held_up: &[String],
    ) -> Result<usize, PublishError> {
        let wait = self.waiting(held_up);
        let full = self.offer_to(topic, event, Until::Handled(&wait))?;
        self.wait_for(&wait.receipt, full).await
    }

    fn waiting<'a>(&self, held_up: &'a [String]) -> Wait<'a> {
        let from = Full::publisher(self.bus.graph());
        Wait { receipt: Receipt::new(self.bus.graph().clone(), from), held_up }
    }

    async fn wait_for(&self, receipt: &Arc<Receipt>, full: Crowd) -> Result<usize, PublishError> {
        let (_in_line, _) = park(full, self.bus.graph()); // what is refused tells so itself
        match receipt.settled(&self.name).await {
            (handled, unhandled) if unhandled.is_empty() => Ok(handled),
            (handled, unhandled) => Err(PublishError::Unhandled { handled, unhandled }),
        }
    }

    /// Publishes an event on its type's topic without waiting.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; with `Full` every other subscription got the event, with any other nobody did.
    pub fn try_publish<E: Event>(&self, event: E) -> Result<(), PublishError> {
        full(self.offer(event, Until::Offered)?)
    }

    /// Publishes an event on a topic given at run time without waiting.
    ///
    /// # Errors
    ///
    /// As [`Publisher::try_publish`].
    pub fn try_publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        full(self.offer_to(topic, event, Until::Offered)?)
    }

    fn offer<E: Event>(&self, event: E, until: Until<'_>) -> Result<Crowd, PublishError> {
        match TopicOf::<E>::FORM {
            Form::Topic => {}
            Form::Pattern => return Err(PublishError::PatternTopic { topic: E::TOPIC.to_owned() }),
            Form::Malformed => return Err(invalid(E::TOPIC)),
        }
        let (draft, kind) = (Draft::new(event, &self.name, until), TypeTag::of::<E>());
        let offered = if E::RETAIN {
            self.compare(E::TOPIC, kind);
            self.bus.offer_retained(Topic::Static(E::TOPIC), &mut draft.into_message(E::TOPIC))
        } else if let Some(entry) = self.known(TopicOf::<E>::HASH, E::TOPIC, kind) {
            self.bus.carry(entry, draft)
        } else {
            self.compare(E::TOPIC, kind);
            self.bus.offer(TopicOf::<E>::HASH, E::TOPIC, draft)
        };
        offered.map_err(|expected| mismatch(E::TOPIC, expected, kind))
    }

    fn offer_to<E: Event>(&self, topic: &str, event: E, until: Until<'_>) -> Result<Crowd, PublishError> {
        let (draft, kind) = (Draft::new(event, &self.name, until), TypeTag::of::<E>());
        self.compare(E::TOPIC, kind);
        let offered = if E::RETAIN { Err(draft) } else { self.bus.offer_to(topic, draft) };
        let mut message = match offered {
            Ok(offered) => return offered.map_err(|expected| mismatch(topic, expected, kind)),
            Err(draft) => draft.into_message(topic),
        };
        if check_topic(topic).is_err() {
            return Err(if is_pattern(topic) {
                PublishError::PatternTopic { topic: topic.to_owned() }
            } else {
                invalid(topic)
            });
        }
        if E::RETAIN {
            let offered = self.bus.offer_retained(Topic::Shared(topic.into()), &mut message);
            return offered.map_err(|expected| mismatch(topic, expected, kind));
        }
        Ok(self.bus.offer_to_patterns(topic, &mut message))
    }

    /// Waits for room wherever there was none.
    async fn wait(&self, full: Crowd) -> Result<(), PublishError> {
        let (waiting, refused) = park(full, self.bus.graph());
        waiting.done(&self.name).await;
        match refused {
            None => Ok(()),
            Some(subscription) => Err(PublishError::WouldDeadlock {
                publisher: self.name.to_string(),
                subscription: subscription.to_string(),
            }),
        }
    }
}

/// What it comes to where a publish that does not wait has found no room.
fn full(full: Crowd) -> Result<(), PublishError> {
    refuse(full).map_or(Ok(()), |subscription| Err(PublishError::Full { subscription: subscription.to_string() }))
}

fn mismatch(topic: &str, expected: TypeTag, found: TypeTag) -> PublishError {
    PublishError::TypeMismatch { topic: topic.to_owned(), expected: expected.name, found: found.name }
}

fn invalid(topic: &str) -> PublishError {
    let reason = check_topic(topic).err().map_or_else(|| format!("topic {topic:?} is malformed"), |e| e.to_string());
    PublishError::InvalidTopic { topic: topic.to_owned(), reason }
}
