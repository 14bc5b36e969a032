//! Publishing: what a message is, and what happens to the queues that were full.

use super::Event;
use super::after::After;
use super::bus::Bus;
use super::envelope::{self, Envelope, ToJson};
use super::error::PublishError;
use super::event::AnyEvent;
use super::receipt::Receipt;
use super::retained::Kept;
use super::routes::{Route, TopicEntry, TypeTag};
use super::state::State;
use super::topic::{Form, Topic, TopicOf};
use super::wait_graph::Waiter;
use super::waiting::{Full, Waiting};
use crate::sync::MutexGuard;
use daemon_grammar::topic::{check_topic, is_pattern};
use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

/// One event on its way: its only allocation, and its envelope once somebody takes envelopes.
pub(crate) struct Message<'a> {
    pub(crate) kind: TypeTag,
    /// Elsewhere once its only taker has it.
    event: Option<AnyEvent>,
    publisher: &'a Arc<str>,
    to_json: ToJson,
    envelope: Option<AnyEvent>,
    /// Who wants to know what becomes of it.
    pub(crate) wait: Option<&'a Wait<'a>>,
    /// Set while it is published as one that is retained.
    pub(crate) retaining: Option<Retaining>,
}

/// What is put off while an event is published under the lock of the shelf.
pub(crate) struct Retaining {
    number: u64,
    later: RefCell<Vec<After>>,
}

impl Retaining {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, later: RefCell::default() }
    }

    /// Does what was put off.
    pub(crate) fn end(self) {
        self.later.into_inner().into_iter().for_each(After::run);
    }
}

/// How a publish waits until its event is handled.
pub(crate) struct Wait<'a> {
    pub(crate) receipt: Arc<Receipt>,
    /// Daemons that cannot run before the publisher does.
    pub(crate) held_up: &'a [String],
}

impl<'a> Message<'a> {
    fn new<E: Event>(event: E, publisher: &'a Arc<str>) -> Self {
        Self {
            kind: TypeTag::of::<E>(),
            event: Some(Arc::new(event)),
            publisher,
            to_json: envelope::to_json::<E>,
            envelope: None,
            wait: None,
            retaining: None,
        }
    }

    /// It was offered to a mailbox, which is to be unlocked.
    #[inline]
    pub(crate) fn offered(&self, mut state: MutexGuard<'_, State>, after: After) {
        if let Some(Retaining { number, later }) = &self.retaining {
            if state.phase.stops() {
                state.missed_from.get_or_insert(*number);
            }
            drop(state);
            later.borrow_mut().push(after);
        } else {
            drop(state);
            after.run();
        }
    }

    /// What stays of it on the shelf; it has an envelope.
    pub(crate) fn kept(&self, number: u64) -> Option<Kept> {
        Some(Kept { event: self.event.clone()?, envelope: self.envelope.clone()?, number })
    }

    /// Makes the envelope, once.
    pub(crate) fn wrap(&mut self, topic: impl FnOnce() -> Topic) {
        if let (None, Some(event)) = (&self.envelope, &self.event) {
            let envelope = Envelope::new(topic(), self.publisher.clone(), event.clone(), self.to_json);
            self.envelope = Some(Arc::new(envelope));
        }
    }

    /// In whose name it is published.
    pub(crate) fn publisher(&self) -> &Arc<str> {
        self.publisher
    }

    /// What a route gets of it.
    #[inline]
    pub(crate) fn as_taken_by(&self, route: &Route) -> Option<&AnyEvent> {
        match route.takes {
            Some(kind) => self.event.as_ref().filter(|_| kind.id == self.kind.id),
            None => self.envelope.as_ref(),
        }
    }

    /// The event itself, for a route that takes it and is the only one.
    #[inline]
    pub(crate) fn take_for(&mut self, route: &Route) -> Option<AnyEvent> {
        let takes = route.takes.is_some_and(|kind| kind.id == self.kind.id);
        if takes && self.wait.is_none() && self.retaining.is_none() { self.event.take() } else { None }
    }
}

/// Publishes events in one name; cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    bus: Arc<Bus>,
    name: Arc<str>,
    known: Arc<Known>,
}

/// The entries of the types it published first, which stay for good: see [`Bus::entry_of_type`]. They save a look-up.
#[derive(Debug, Default)]
struct Known([OnceLock<(&'static str, Arc<TopicEntry>)>; 8]);

impl Known {
    /// The entry of a type's own topic; `None` if another topic has its place.
    #[inline]
    fn get(&self, bus: &Bus, hash: u64, topic: &'static str) -> Option<&TopicEntry> {
        let place = &self.0[hash as usize % self.0.len()];
        let (known, entry) = match place.get() {
            Some(known) => known,
            None => place.get_or_init(|| (topic, bus.entry_of_type(topic))),
        };
        (std::ptr::eq(*known, topic) || *known == topic).then_some(&**entry)
    }
}

impl Publisher {
    pub(crate) fn new(bus: Arc<Bus>, name: Arc<str>) -> Self {
        Self { bus, name, known: Arc::default() }
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
        let full = self.offer(event, None)?;
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
        let full = self.offer_to(topic, event, None)?;
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
        let full = self.offer(event, Some(&wait))?;
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
        let full = self.offer_to(topic, event, Some(&wait))?;
        self.wait_for(&wait.receipt, full).await
    }

    fn waiting<'a>(&self, held_up: &'a [String]) -> Wait<'a> {
        let from = Full::publisher(self.bus.graph());
        Wait { receipt: Receipt::new(self.bus.graph().clone(), from), held_up }
    }

    async fn wait_for(&self, receipt: &Arc<Receipt>, full: Vec<Full>) -> Result<usize, PublishError> {
        let (_in_line, _) = self.park(full); // what is refused tells so itself
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
        refuse(self.offer(event, None)?)
    }

    /// Publishes an event on a topic given at run time without waiting.
    ///
    /// # Errors
    ///
    /// As [`Publisher::try_publish`].
    pub fn try_publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        refuse(self.offer_to(topic, event, None)?)
    }

    fn offer<E: Event>(&self, event: E, wait: Option<&Wait<'_>>) -> Result<Vec<Full>, PublishError> {
        match TopicOf::<E>::FORM {
            Form::Topic => {}
            Form::Pattern => return Err(PublishError::PatternTopic { topic: E::TOPIC.to_owned() }),
            Form::Malformed => return Err(invalid(E::TOPIC)),
        }
        let mut message = Message { wait, ..Message::new(event, &self.name) };
        let offered = if E::RETAIN {
            self.bus.offer_retained(Topic::Static(E::TOPIC), &mut message)
        } else {
            match self.known.get(&self.bus, TopicOf::<E>::HASH, E::TOPIC) {
                Some(entry) => self.bus.deliver(entry, &mut message),
                None => self.bus.offer(TopicOf::<E>::HASH, E::TOPIC, &mut message),
            }
        };
        offered.map_err(|expected| mismatch(E::TOPIC, expected, message.kind))
    }

    fn offer_to<E: Event>(&self, topic: &str, event: E, wait: Option<&Wait<'_>>) -> Result<Vec<Full>, PublishError> {
        let mut message = Message { wait, ..Message::new(event, &self.name) };
        if !E::RETAIN
            && let Some(offered) = self.bus.offer_to(topic, &mut message)
        {
            return offered.map_err(|expected| mismatch(topic, expected, message.kind));
        }
        if check_topic(topic).is_err() {
            return Err(if is_pattern(topic) {
                PublishError::PatternTopic { topic: topic.to_owned() }
            } else {
                invalid(topic)
            });
        }
        if E::RETAIN {
            let offered = self.bus.offer_retained(Topic::Shared(topic.into()), &mut message);
            return offered.map_err(|expected| mismatch(topic, expected, message.kind));
        }
        Ok(self.bus.offer_to_patterns(topic, &mut message))
    }

    /// Waits for room wherever there was none.
    async fn wait(&self, full: Vec<Full>) -> Result<(), PublishError> {
        let (waiting, refused) = self.park(full);
        waiting.done(&self.name).await;
        match refused {
            None => Ok(()),
            Some(subscription) => Err(PublishError::WouldDeadlock {
                publisher: self.name.to_string(),
                subscription: subscription.to_string(),
            }),
        }
    }

    /// Puts the event in line wherever there is no room, and says where waiting would be hopeless.
    fn park(&self, full: Vec<Full>) -> (Waiting, Option<Arc<str>>) {
        let from: Option<Waiter> = Full::publisher(self.bus.graph());
        let (mut waiting, mut refused) = (Waiting::default(), None);
        for full in full {
            if let Err(subscription) = full.insist(Some((&mut waiting, from))) {
                refused.get_or_insert(subscription);
            }
        }
        (waiting, refused)
    }
}

fn refuse(full: Vec<Full>) -> Result<(), PublishError> {
    let mut refused = None;
    for full in full {
        if let Err(subscription) = full.insist(None) {
            refused.get_or_insert(subscription);
        }
    }
    refused.map_or(Ok(()), |subscription| Err(PublishError::Full { subscription: subscription.to_string() }))
}

fn mismatch(topic: &str, expected: TypeTag, found: TypeTag) -> PublishError {
    PublishError::TypeMismatch { topic: topic.to_owned(), expected: expected.name, found: found.name }
}

fn invalid(topic: &str) -> PublishError {
    let reason = check_topic(topic).err().map_or_else(|| format!("topic {topic:?} is malformed"), |e| e.to_string());
    PublishError::InvalidTopic { topic: topic.to_owned(), reason }
}
