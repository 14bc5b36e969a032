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
mod tests {
    use super::*;
    use crate::event::{Fate, Filter, Overflow, PublishError};
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::task::{Wake, Waker};

    struct Plain;

    impl Event for Plain {
        const TOPIC: &'static str = "test:plain";
    }

    #[test]
    fn what_was_received_leaves_nothing_in_the_mailbox() {
        let bus = Bus::new();
        let mut subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, QueueOptions::default()).unwrap();
        let publisher = bus.publisher("tester");
        for _ in 0..100 {
            publisher.try_publish(Plain).unwrap();
            assert!(subscription.try_recv().is_some() && subscription.try_recv().is_none());
        }
        let state = subscription.registration.mailbox().lock();
        assert_eq!((state.line.len(), state.ready.len(), state.queues[0].own.len()), (0, 0, 0));
    }

    /// Polls a future once.
    fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn publishers_that_give_up_leave_nothing_in_line() {
        let bus = Bus::new();
        let subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, QueueOptions::default().capacity(1)).unwrap();
        let publisher = bus.publisher("tester");
        publisher.try_publish(Plain).unwrap();
        for _ in 0..100 {
            assert!(poll(&mut Box::pin(publisher.publish(Plain))).is_pending());
        }
        let state = subscription.registration.mailbox().lock();
        assert_eq!((state.lined.len(), state.queues[0].waiting.len()), (0, 0));
    }

    /// Panics when it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a destructor");
        }
    }

    /// Drops a subscription when it is woken.
    struct Drops(Mutex<Option<Subscription<Plain>>>);

    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }

    #[test]
    fn who_closes_a_subscription_last_is_not_harmed_by_what_its_filter_holds() {
        let (bus, bomb) = (Bus::new(), Bomb);
        let filter = Filter::of(move |_: &Plain| {
            let _held = &bomb;
            true
        });
        let subscription = bus.subscribe("daemon", Plain::TOPIC, QueueOptions::default().when(filter)).unwrap();
        let (handle, drops) = (subscription.handle(), Arc::new(Drops(Mutex::new(Some(subscription)))));
        let waker = drops.clone().into();
        let pulled = drops.0.lock().unwrap().as_mut().unwrap().poll_recv(&mut Context::from_waker(&waker));
        assert!(pulled.is_pending());
        handle.close();
        assert!(!handle.is_open());
    }

    struct Kept;

    impl Event for Kept {
        const TOPIC: &'static str = "test:kept";
        const RETAIN: bool = true;
    }

    #[test]
    fn who_stands_in_line_behind_what_was_retained_gets_its_turn() {
        let bus = Bus::new();
        let publisher = bus.publisher("tester");
        publisher.try_publish(Kept).unwrap();
        let options = QueueOptions::default().capacity(1);
        let mut subscription = bus.subscribe::<Kept>("daemon", Kept::TOPIC, options).unwrap();
        let mut waits = Box::pin(publisher.publish(Kept));
        assert!(poll(&mut waits).is_pending());
        assert!(subscription.try_recv().is_some());
        assert!(poll(&mut waits).is_ready());
        assert!(subscription.try_recv().is_some() && subscription.try_recv().is_none());
    }

    #[test]
    fn a_life_that_took_nothing_lists_nothing_twice() {
        let (bus, options) = (Bus::new(), QueueOptions::default());
        let mut lane = LanePlan::new(Plain::TOPIC, Some(TypeTag::of::<Plain>()), &options, true);
        lane.seats.push(SeatPlan { name: "handler".to_owned(), queue: 0 });
        let queue = QueuePlan { name: None, options, width: 1, is_own: true, is_quiet: false };
        let plan = MailboxPlan { lanes: vec![lane], queues: vec![queue], isolated: false };
        let registration = bus.register("daemon", Phase::Buffering, &plan).unwrap();
        let mailbox = registration.mailbox();
        for _ in 0..10 {
            assert!(mailbox.attach().is_some());
            bus.publisher("tester").try_publish(Plain).unwrap();
            assert_eq!(mailbox.lock().ready.len(), 1);
            assert!(mailbox.detach(Vec::new(), <_>::default(), &[]).is_empty());
        }
        assert_eq!(mailbox.status()[0].queued, 10);
    }

    /// As a dispatcher does whose life is cut in that moment.
    #[test]
    fn what_is_given_back_to_a_mailbox_that_has_closed_is_abandoned() {
        let bus = Bus::new();
        let mut subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, QueueOptions::default()).unwrap();
        let publisher = bus.publisher("tester");
        let mut waits = Box::pin(publisher.publish_and_wait(Plain, &[]));
        assert!(poll(&mut waits).is_pending());
        let mailbox = subscription.registration.mailbox();
        let (entry, key) = mailbox.pop_own(0).unwrap();
        mailbox.close();
        mailbox.put_back(0, entry, key);
        let Poll::Ready(Err(PublishError::Unhandled { unhandled, .. })) = poll(&mut waits) else { panic!("it ended") };
        assert_eq!(unhandled[0].fate, Fate::Abandoned);
        let status = subscription.status();
        assert_eq!((status.offered, status.abandoned, status.queued), (1, 1, 0));
        assert!(subscription.try_recv().is_none());
    }

    #[test]
    fn what_is_given_back_makes_way_for_a_newer_one_of_its_key() {
        let bus = Bus::new();
        let latest = QueueOptions::default().overflow(Overflow::Latest);
        let subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, latest).unwrap();
        let publisher = bus.publisher("tester");
        publisher.try_publish(Plain).unwrap();
        let mailbox = subscription.registration.mailbox();
        let (entry, key) = mailbox.pop_own(0).unwrap();
        publisher.try_publish(Plain).unwrap();
        mailbox.put_back(0, entry, key);
        let status = subscription.status();
        assert_eq!((status.offered, status.dropped, status.queued), (2, 1, 1));
    }
}
