//! Publishing and subscribing in a daemon's name.

use super::Context;
use super::life::{Phase, Registrations};
use crate::event::{
    Envelope, Event, PublishError, QueueOptions, SubscribeError, Subscription, SubscriptionHandle, Tap,
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
        self.may_publish()?;
        waits(Wait::Publish, self.life.publisher.publish(event)).await
    }

    /// Publishes `event` on a topic known only at run time.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        self.may_publish()?;
        waits(Wait::PublishTo, self.life.publisher.publish_to(topic, event)).await
    }

    /// Publishes `event` without ever waiting: where a queue that blocks is full, the event is dropped and counted.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), and [`PublishError::Full`].
    pub fn try_publish<E: Event>(&self, event: E) -> Result<(), PublishError> {
        self.may_publish()?;
        self.life.publisher.try_publish(event)
    }

    /// As [`try_publish`](Self::try_publish), on a topic known only at run time.
    ///
    /// # Errors
    /// As [`try_publish`](Self::try_publish).
    pub fn try_publish_to<E: Event>(&self, topic: &str, event: E) -> Result<(), PublishError> {
        self.may_publish()?;
        self.life.publisher.try_publish_to(topic, event)
    }

    fn may_publish(&self) -> Result<(), PublishError> {
        if self.life.over() {
            return Err(PublishError::Stopping { daemon: self.life.daemon.to_string() });
        }
        Ok(())
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
        among: impl FnOnce(&mut Registrations) -> &mut Vec<SubscriptionHandle>,
        subscribe: impl FnOnce() -> Result<S, SubscribeError>,
    ) -> Result<S, SubscribeError> {
        let stopping = || SubscribeError::Stopping { daemon: self.life.daemon.to_string() };
        if self.life.phase() != Phase::Open {
            return Err(stopping());
        }
        let subscription = subscribe()?;
        let (refused, late) = {
            let mut registrations = self.life.registrations();
            let booked = among(&mut registrations);
            booked.retain(SubscriptionHandle::is_open);
            booked.push(handle(&subscription));
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
