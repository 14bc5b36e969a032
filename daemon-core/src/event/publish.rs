//! Publishing: in whose name, on which topic, and how long it waits.

use super::Event;
use super::bus::Bus;
use super::deliver::carry;
use super::error::PublishError;
use super::event::AnyEvent;
use super::message::{Message, Until, Wait};
use super::receipt::Receipt;
use super::routes::{TopicEntry, TypeTag};
use super::topic::{Form, Topic, TopicOf, hash};
use super::waiting::{Crowd, park, refuse};
use daemon_grammar::topic::{check_topic, is_pattern};
use std::any::TypeId;
use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use tokio::task::coop::poll_proceed;

/// Offers the worker to others, at the pace of tokio's cooperative budget: a loop of publishes that wait for nobody would hold it for
/// ever. The same as `consume_budget`, which is not inlined into who uses it.
#[inline]
fn take_turn() -> impl Future<Output = ()> {
    poll_fn(|cx| poll_proceed(cx).map(|turn| turn.made_progress()))
}

/// The end of a publish that was offered: it waits where it found no room, if anywhere.
#[inline]
pub(crate) async fn queued<W>(offered: Offered, wait: impl FnOnce(Crowd) -> W) -> Result<(), PublishError>
where
    W: Future<Output = Result<(), PublishError>>,
{
    match offered.map(Crowd::any) {
        Ok(None) => {
            take_turn().await;
            Ok(())
        }
        Ok(Some(full)) => wait(full).await,
        Err(fault) => refused(fault).await,
    }
}

/// The end of a publish that nobody got. Lets others on too, for loops that go on all the same.
pub(crate) async fn refused<T>(fault: Box<PublishError>) -> Result<T, PublishError> {
    take_turn().await;
    Err(*fault)
}

/// Publishes events in one name; cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    bus: Arc<Bus>,
    name: Arc<str>,
    known: Arc<Known>,
}

/// How many entries publishers of one name know by heart.
const PLACES: usize = 8;

/// A type's own topic, and its entry.
type Acquaintance = (&'static str, Arc<TopicEntry>);

/// What publishers of one name, in one life of its daemon, share.
#[derive(Debug, Default)]
struct Known {
    /// The entries of the types it published first, which stay for good: see [`Bus::entry_of_type`]. They save a look-up.
    entries: [OnceLock<Acquaintance>; PLACES],
    /// What it says it publishes, if it says so.
    declared: Option<Box<[TypeId]>>,
}

impl Publisher {
    pub(crate) fn new(bus: Arc<Bus>, name: Arc<str>, declared: Option<Box<[TypeId]>>) -> Self {
        Self { bus, name, known: Arc::new(Known { declared, ..Known::default() }) }
    }

    /// The entry of a type's own topic; `None` if another topic has its place.
    #[inline]
    fn known(&self, hash: u64, topic: &'static str, kind: fn() -> TypeTag) -> Option<&TopicEntry> {
        let place = &self.known.entries[hash as usize % PLACES];
        let (known, entry) = match place.get() {
            Some(known) => known,
            None => self.get_to_know(place, topic, kind()),
        };
        (std::ptr::eq(*known, topic) || *known == topic).then_some(&**entry)
    }

    #[cold]
    fn get_to_know<'p>(
        &self,
        place: &'p OnceLock<Acquaintance>,
        topic: &'static str,
        kind: TypeTag,
    ) -> &'p Acquaintance {
        place.get_or_init(|| {
            self.compare(topic, kind);
            (topic, self.bus.entry_of_type(topic))
        })
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
        queued(self.offer(event, Until::Queued), |full| self.wait(full)).await
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
        queued(self.offer_to(topic, event, Until::Queued), |full| self.wait(full)).await
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
        match self.offer(event, Until::Handled(&wait)) {
            Ok(full) => self.wait_for(&wait.receipt, full).await,
            Err(fault) => refused(fault).await,
        }
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
        match self.offer_to(topic, event, Until::Handled(&wait)) {
            Ok(full) => self.wait_for(&wait.receipt, full).await,
            Err(fault) => refused(fault).await,
        }
    }

    fn waiting<'a>(&self, held_up: &'a [String]) -> Wait<'a> {
        let from = self.bus.graph().caller();
        Wait { receipt: Receipt::new(self.bus.graph().clone(), from), held_up }
    }

    async fn wait_for(&self, receipt: &Arc<Receipt>, full: Crowd) -> Result<usize, PublishError> {
        let (_in_line, _) = park(full, self.bus.graph()); // what is refused tells so itself
        let settled = receipt.settled(&self.name).await;
        take_turn().await;
        match settled {
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
        unless_full(self.offer(event, Until::Offered).map_err(|fault| *fault)?)
    }

    /// Publishes an event on a topic given at run time without waiting.
    ///
    /// # Errors
    ///
    /// As [`Publisher::try_publish`].
    pub fn try_publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        unless_full(self.offer_to(topic, event, Until::Offered).map_err(|fault| *fault)?)
    }

    /// Offers an event on its type's topic; says where it has to wait for room.
    #[inline]
    pub(crate) fn offer<E: Event>(&self, event: E, until: Until<'_>) -> Offered {
        if TopicOf::<E>::FORM != Form::Topic {
            return Err(not_a_topic(E::TOPIC));
        }
        let event: AnyEvent = Arc::new(event);
        if E::RETAIN {
            self.compare(E::TOPIC, TypeTag::of::<E>());
            return self.retain::<E>(Topic::Static(E::TOPIC), event, until);
        }
        let hash = TopicOf::<E>::HASH;
        if let Some(entry) = self.known(hash, E::TOPIC, TypeTag::of::<E>) {
            return self.carry::<E>(entry, event, until);
        }
        self.compare(E::TOPIC, TypeTag::of::<E>());
        match self.bus.topics.load(hash).get(hash, E::TOPIC) {
            Some(entry) => self.carry::<E>(entry, event, until),
            None => self.carry::<E>(&self.bus.entry_of_type(E::TOPIC), event, until),
        }
    }

    /// As [`offer`](Self::offer), on a topic given at run time.
    #[inline]
    pub(crate) fn offer_to<E: Event>(&self, topic: &str, event: E, until: Until<'_>) -> Offered {
        let event: AnyEvent = Arc::new(event);
        self.compare(E::TOPIC, TypeTag::of::<E>());
        let hash = hash(topic);
        if !E::RETAIN
            && let Some(entry) = self.bus.topics.load(hash).get(hash, topic)
        {
            return self.carry::<E>(entry, event, until);
        }
        if check_topic(topic).is_err() {
            return Err(not_a_topic(topic));
        }
        if E::RETAIN {
            return self.retain::<E>(Topic::Shared(topic.into()), event, until);
        }
        Ok(self.bus.offer_to_patterns(topic, &mut Message::new::<E>(topic, event, &self.name, until)))
    }

    /// Offers an event to everybody on a topic.
    #[inline]
    fn carry<E: Event>(&self, entry: &TopicEntry, event: AnyEvent, until: Until<'_>) -> Offered {
        if until.is_followed() {
            return self.carry_slowly::<E>(entry, event, until);
        }
        let mut full = Crowd::default();
        match carry(entry, TypeId::of::<E>(), event, &self.name, &mut full) {
            None => Ok(full),
            Some(event) => self.carry_slowly::<E>(entry, event, until),
        }
    }

    /// As [`carry`](Self::carry), where somebody may want more of the event than itself.
    #[cold]
    fn carry_slowly<E: Event>(&self, entry: &TopicEntry, event: AnyEvent, until: Until<'_>) -> Offered {
        let topic = entry.topic.as_str();
        let mut message = Message::new::<E>(topic, event, &self.name, until);
        self.bus.deliver(entry, &mut message).map_err(|expected| mismatch(topic, expected, message.kind))
    }

    fn retain<E: Event>(&self, topic: Topic, event: AnyEvent, until: Until<'_>) -> Offered {
        let mut message = Message::new::<E>(topic.as_str(), event, &self.name, until);
        let offered = self.bus.offer_retained(topic.clone(), &mut message);
        offered.map_err(|expected| mismatch(topic.as_str(), expected, message.kind))
    }

    /// Waits for room wherever an event found none.
    pub(crate) async fn wait(&self, full: Crowd) -> Result<(), PublishError> {
        let (waiting, refused) = park(full, self.bus.graph());
        waiting.done(&self.name).await;
        take_turn().await; // it may have been refused everywhere
        match refused {
            None => Ok(()),
            Some(subscription) => Err(PublishError::WouldDeadlock {
                publisher: self.name.to_string(),
                subscription: subscription.to_string(),
            }),
        }
    }
}

/// Where an offered event has to wait, or why nobody got it. Faults are boxed: what is handed on is two words.
pub(crate) type Offered = Result<Crowd, Box<PublishError>>;

/// What it comes to where a publish that does not wait has found no room.
#[inline]
fn unless_full(full: Crowd) -> Result<(), PublishError> {
    if full.is_empty() {
        return Ok(());
    }
    refuse(full).map_or(Ok(()), |subscription| Err(PublishError::Full { subscription: subscription.to_string() }))
}

#[cold]
fn mismatch(topic: &str, expected: TypeTag, found: TypeTag) -> Box<PublishError> {
    Box::new(PublishError::TypeMismatch { topic: topic.to_owned(), expected: expected.name, found: found.name })
}

#[cold]
fn not_a_topic(topic: &str) -> Box<PublishError> {
    let topic = topic.to_owned();
    Box::new(match check_topic(&topic) {
        Err(error) if !is_pattern(&topic) => PublishError::InvalidTopic { topic, reason: error.to_string() },
        _ => PublishError::PatternTopic { topic },
    })
}
