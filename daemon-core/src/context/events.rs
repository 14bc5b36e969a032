//! Publishing and subscribing in a daemon's name.

use std::sync::Arc;

use super::Context;
use super::life::{Phase, Registrations};
use crate::event::{
    Envelope, Event, Handles, PublishError, QueueOptions, SubscribeError, Subscription, SubscriptionHandle, Tap, Until,
    queued, refused,
};
use crate::task::{Wait, waits};

impl Context {
    /// Publishes `event` on its type's topic, to every subscription that matches.
    ///
    /// Waits only for a running subscriber whose queue is full and that asked to block.
    ///
    /// # Errors
    /// [`PublishError`]; with `WouldDeadlock` every other subscription got the event, with any other nobody did.
    ///
    /// # Cancel safety
    /// If the future is dropped while it waits, the event is dropped for those it waits for, and counted.
    pub async fn publish<E: Event>(&self, event: E) -> Result<(), PublishError> {
        let publisher = &self.life.publisher;
        let offered = self.may_publish().and_then(|()| publisher.offer(event, Until::Queued));
        queued(offered, |full| waits(Wait::Publish, publisher.wait(full))).await
    }

    /// Publishes `event` on a topic known only at run time.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        let publisher = &self.life.publisher;
        let offered = self.may_publish().and_then(|()| publisher.offer_to(topic, event, Until::Queued));
        queued(offered, |full| waits(Wait::PublishTo, publisher.wait(full))).await
    }

    /// Publishes `event` on its type's topic, and waits until every subscription that was offered it has handled it. Returns how
    /// many these were.
    ///
    /// What starts or backs off handles it once it runs, and is waited for; so is a run-time subscription, until it receives it. Put
    /// a `tokio::time::timeout` around it if that may take too long. A subscription whose handler waits itself for this publish, or
    /// that belongs to a daemon that cannot start before this one has, gets the event and is not waited for.
    ///
    /// # Errors
    /// [`PublishError::Unhandled`] if somewhere it failed, was dropped or abandoned, or was not waited for: it names each of
    /// these. With any other error nobody got the event.
    ///
    /// # Cancel safety
    /// If the future is dropped, what is queued is handled all the same; where there was no room yet the event is dropped, and
    /// counted.
    pub async fn publish_and_wait<E: Event>(&self, event: E) -> Result<usize, PublishError> {
        if let Err(fault) = self.may_publish() {
            return refused(fault).await;
        }
        let held_up = self.held_up();
        waits(Wait::PublishHandled, self.life.publisher.publish_and_wait(event, &held_up)).await
    }

    /// As [`publish_and_wait`](Self::publish_and_wait), on a topic known only at run time.
    ///
    /// # Errors
    /// As [`publish_and_wait`](Self::publish_and_wait).
    ///
    /// # Cancel safety
    /// As [`publish_and_wait`](Self::publish_and_wait).
    pub async fn publish_to_and_wait<E: Event>(&self, topic: &str, event: E) -> Result<usize, PublishError> {
        if let Err(fault) = self.may_publish() {
            return refused(fault).await;
        }
        let held_up = self.held_up();
        waits(Wait::PublishToHandled, self.life.publisher.publish_to_and_wait(topic, event, &held_up)).await
    }

    /// The daemons that cannot run before this one does, while it does not.
    fn held_up(&self) -> Vec<String> {
        if self.life.ready.is_cancelled() { Vec::new() } else { self.life.link.held_up_by(&self.life.daemon) }
    }

    /// Publishes `event` without ever waiting: where a queue that blocks is full, the event is dropped and counted.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), and [`PublishError::Full`].
    pub fn try_publish<E: Event>(&self, event: E) -> Result<(), PublishError> {
        self.may_publish().map_err(|fault| *fault)?;
        self.life.publisher.try_publish(event)
    }

    /// As [`try_publish`](Self::try_publish), on a topic known only at run time.
    ///
    /// # Errors
    /// As [`try_publish`](Self::try_publish).
    pub fn try_publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        self.may_publish().map_err(|fault| *fault)?;
        self.life.publisher.try_publish_to(topic, event)
    }

    #[inline]
    fn may_publish(&self) -> Result<(), Box<PublishError>> {
        if self.life.over() { Err(self.stopping()) } else { Ok(()) }
    }

    #[cold]
    fn stopping(&self) -> Box<PublishError> {
        Box::new(PublishError::Stopping { daemon: self.life.daemon.to_string() })
    }

    /// Subscribes to the events of type `E` on its own topic, to be received one by one. Dropping the subscription ends
    /// it; so does the end of this life.
    ///
    /// # Errors
    /// [`SubscribeError::Stopping`] from the start of `cleanup` on; otherwise the topic is malformed or carries
    /// another type.
    pub fn subscribe<E: Event>(&self) -> Result<Subscription<E>, SubscribeError> {
        self.subscribe_to(E::TOPIC, QueueOptions::default())
    }

    /// Subscribes to the events of type `E` on a topic or pattern given at run time, with bounds of its own.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_to<E: Event>(
        &self,
        topic: &str,
        options: QueueOptions,
    ) -> Result<Subscription<E>, SubscribeError> {
        self.pulled(|| self.life.bus.subscribe(&self.life.daemon, topic, options))
    }

    /// Subscribes to events of any type on a topic or pattern.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_all(
        &self,
        pattern: &str,
        options: QueueOptions,
    ) -> Result<Subscription<Envelope>, SubscribeError> {
        self.pulled(|| self.life.bus.subscribe_all(&self.life.daemon, pattern, options))
    }

    /// The last event of type `E`, if the type [is retained](Event::RETAIN) and its topic no pattern. It is read, not taken.
    #[must_use]
    pub fn retained<E: Event>(&self) -> Option<Arc<E>> {
        self.retained_on(E::TOPIC)
    }

    /// The last event of type `E` on a topic known only at run time, if the type [is retained](Event::RETAIN).
    #[must_use]
    pub fn retained_on<E: Event>(&self, topic: &str) -> Option<Arc<E>> {
        self.life.bus.retained(topic)
    }

    /// Looks on at everything published from now on on the topics that `pattern` selects, until the tap is dropped or this life
    /// ends; otherwise as [`HostHandle::tap`](crate::HostHandle::tap).
    ///
    /// # Errors
    /// [`SubscribeError::Stopping`] from the start of `cleanup` on; [`SubscribeError::InvalidPattern`].
    pub fn tap(&self, pattern: &str) -> Result<Tap, SubscribeError> {
        self.booked(Tap::handle, |open| &mut open.taps, || self.life.bus.tap(&self.life.daemon, pattern))
    }

    fn pulled<E>(
        &self,
        subscribe: impl FnOnce() -> Result<Subscription<E>, SubscribeError>,
    ) -> Result<Subscription<E>, SubscribeError> {
        let subscribe = || Ok(subscribe()?.booked_in(&self.life.tally.ledger));
        self.booked(Subscription::handle, |open| &mut open.pulled, subscribe)
    }

    /// Books a subscription or tap, so that it ends with this life wherever it is kept.
    fn booked<S>(
        &self,
        handle: impl Fn(&S) -> SubscriptionHandle,
        among: impl FnOnce(&mut Registrations) -> &mut Handles,
        subscribe: impl FnOnce() -> Result<S, SubscribeError>,
    ) -> Result<S, SubscribeError> {
        let stopping = || SubscribeError::Stopping { daemon: self.life.daemon.to_string() };
        if self.life.phase() != Phase::Open {
            return Err(stopping());
        }
        let subscription = subscribe()?;
        let (refused, late) = {
            let mut registrations = self.life.registrations();
            among(&mut registrations).add(handle(&subscription));
            (registrations.phase != Phase::Open, registrations.drained)
        };
        if refused {
            return Err(stopping());
        }
        if late {
            handle(&subscription).close(); // the others were closed before: whoever receives from it is to end, too
        }
        Ok(subscription)
    }
}
