//! Subscriptions made at run time, from which events are pulled.

use super::bus::{Bus, Registration};
use super::counters::SubscriptionStatus;
use super::envelope::Envelope;
use super::error::SubscribeError;
use super::event::AnyEvent;
use super::ledger::Ledger;
use super::plan::{LanePlan, MailboxPlan, QueuePlan, SeatPlan};
use super::receipt::take_out;
use super::routes::TypeTag;
use super::span::Linked;
use super::state::Phase;
use super::{Event, QueueOptions};
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use tracing::Span;

/// Events of one type (or [`Envelope`]s), pulled one by one.
///
/// Dropping it unsubscribes; events not received are counted as abandoned.
pub struct Subscription<E> {
    registration: Arc<Registration>,
    /// Of the event that was received last, until the next one is asked for.
    span: Option<Span>,
    events: PhantomData<fn() -> E>,
}

impl<E> Subscription<E> {
    /// The next event; `None` once it is closed and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// An event is taken only when it is returned.
    pub async fn recv(&mut self) -> Option<Arc<E>>
    where
        E: Send + Sync + 'static,
    {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`Subscription::recv`], for futures written by hand.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<E>>>
    where
        E: Send + Sync + 'static,
    {
        self.poll_in_turn(cx).map(|next| next.map(|(event, _)| event))
    }

    /// An event that is there already.
    pub fn try_recv(&mut self) -> Option<Arc<E>>
    where
        E: Send + Sync + 'static,
    {
        match self.poll_next(None) {
            Poll::Ready(Some((event, _))) => Some(event),
            _ => None,
        }
    }

    /// As [`Self::poll_next`]. Offers the worker to others, at the pace of tokio's cooperative budget: where there is always a next
    /// event, receiving them would hold it for ever.
    #[inline]
    pub(super) fn poll_in_turn(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Arc<E>, u64)>>
    where
        E: Send + Sync + 'static,
    {
        let turn = ready!(tokio::task::coop::poll_proceed(cx));
        let next = self.poll_next(Some(cx));
        if next.is_ready() {
            turn.made_progress();
        }
        next
    }

    /// The next event, and how many were dropped before it was taken. Without `cx` nobody is woken.
    pub(super) fn poll_next(&mut self, cx: Option<&Context<'_>>) -> Poll<Option<(Arc<E>, u64)>>
    where
        E: Send + Sync + 'static,
    {
        self.span = None;
        let next = self.registration.mailbox().poll_own(cx);
        next.map(|next| {
            let (event, dropped) = next?;
            Some((event.downcast().or_else(|event| self.received(event)).ok()?, dropped))
        })
    }

    /// Takes an event out that has a span or is tracked; a tracked one is handled with that.
    #[cold]
    fn received(&mut self, event: AnyEvent) -> Result<Arc<E>, ()>
    where
        E: Send + Sync + 'static,
    {
        let (event, published) = Linked::take_out(event);
        if let Some(published) = published {
            let mailbox = self.registration.mailbox();
            let label = mailbox.label(0);
            let pattern = label.get(mailbox.owner.len() + 1..).unwrap_or_default();
            self.span = Some(published.pulled_by(&mailbox.owner, pattern));
        }
        let event = match event.downcast() {
            Ok(event) => return Ok(event),
            Err(event) => event,
        };
        let (event, tracked) = take_out(event).ok_or(())?;
        tracked.end(None);
        Ok(event)
    }

    /// The span of the event that was received last, for what is done with it: `work.instrument(subscription.span())`. It follows
    /// from where the event was published, and ends once the next event is asked for and nothing else holds it. One that is
    /// disabled where nobody looks at `daemon_core::events` at the level of debug.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone().unwrap_or_else(Span::none)
    }

    /// Unsubscribes: no new events; those already there can still be received.
    pub fn close(&mut self) {
        self.handle().close();
    }

    /// Its exact counts.
    #[must_use]
    pub fn status(&self) -> SubscriptionStatus {
        self.registration.mailbox().status().remove(0)
    }

    /// Lets its account outlive it. It has not been handed out yet.
    pub(crate) fn booked_in(mut self, ledger: &Arc<Ledger>) -> Self {
        if let Some(registration) = Arc::get_mut(&mut self.registration) {
            registration.ledger = Some(ledger.clone());
        }
        ledger.open(self.registration.mailbox());
        self
    }

    /// A handle that can close it from elsewhere.
    #[must_use]
    pub fn handle(&self) -> SubscriptionHandle {
        SubscriptionHandle(Arc::downgrade(&self.registration))
    }
}

impl<E> fmt::Debug for Subscription<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.status()).finish()
    }
}

/// Looks at a [`Subscription`], or ends it, without keeping it alive.
#[derive(Clone, Debug)]
pub struct SubscriptionHandle(Weak<Registration>);

impl SubscriptionHandle {
    /// Unsubscribes: no new events; those already there can still be received.
    pub fn close(&self) {
        if let Some(registration) = self.0.upgrade() {
            registration.unregister();
            registration.mailbox().drain();
        }
    }

    /// Whether the subscription still exists.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Its exact counts; `None` once the subscription is gone.
    #[must_use]
    pub fn status(&self) -> Option<SubscriptionStatus> {
        Some(self.0.upgrade()?.mailbox().status().remove(0))
    }
}

/// Handles on subscriptions that are open. Those that are not are forgotten now and then, so that adding one takes constant time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handles {
    all: Vec<SubscriptionHandle>,
    /// At how many it is looked which are open.
    sweep_at: usize,
}

impl Handles {
    pub(crate) fn add(&mut self, handle: SubscriptionHandle) {
        if self.all.len() >= self.sweep_at {
            self.all.retain(SubscriptionHandle::is_open);
            self.sweep_at = 2 * self.all.len() + 16;
        }
        self.all.push(handle);
    }

    /// All that are open, and perhaps some that were.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SubscriptionHandle> {
        self.all.iter()
    }
}

impl Bus {
    /// Subscribes `owner` to events of type `E` on a topic or pattern, from now on.
    ///
    /// # Errors
    ///
    /// The topic is malformed, subscribers to exactly that topic expect another type, or the key is a part of another type.
    pub fn subscribe<E: Event>(
        self: &Arc<Self>,
        owner: &str,
        topic: &str,
        options: QueueOptions,
    ) -> Result<Subscription<E>, SubscribeError> {
        self.pull(owner, topic, options, Some(TypeTag::of::<E>()), false)
    }

    /// Subscribes `owner` to events of any type on a topic or pattern, from now on.
    ///
    /// # Errors
    ///
    /// The topic is malformed, or the key is a part of another type than [`Envelope`].
    pub fn subscribe_all(
        self: &Arc<Self>,
        owner: &str,
        pattern: &str,
        options: QueueOptions,
    ) -> Result<Subscription<Envelope>, SubscribeError> {
        self.pull(owner, pattern, options, None, false)
    }

    pub(super) fn pull<E>(
        self: &Arc<Self>,
        owner: &str,
        topic: &str,
        options: QueueOptions,
        takes: Option<TypeTag>,
        is_tap: bool,
    ) -> Result<Subscription<E>, SubscribeError> {
        let mut lane = LanePlan { is_tap, ..LanePlan::new(topic, takes, &options, true) };
        lane.seats.push(SeatPlan { name: topic.to_owned(), queue: 0 });
        let plan = MailboxPlan {
            lanes: vec![lane],
            queues: vec![QueuePlan { name: None, options, width: 1, is_own: true, is_quiet: is_tap }],
            isolated: false,
        };
        let registration = self.register(owner, Phase::Running, &plan)?;
        Ok(Subscription { registration: Arc::new(registration), span: None, events: PhantomData })
    }
}

#[cfg(test)]
mod tests;
