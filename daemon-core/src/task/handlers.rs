//! The event handlers of a daemon as data: one row each, grouped into lanes when they are registered.
//!
//! A row hides its event type behind [`AttachLane`]. Rows of one topic and type find each other again through `Any`, once, when
//! they are registered; a delivery costs one downcast per lane.

use std::any::{Any, TypeId};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::Handler;
use super::lane::{Lane, LaneOf};
use crate::event::{
    Bus, Envelope, Event, Filter, LanePlan, Listener, Mailbox, Overflow, Phase, QueueOptions, Registration,
    SubscribeError, SubscriptionStatus, TypeTag, TypedTopic,
};
use crate::policy::OnError;

/// How a row makes its handler: a function, so that a definition stays data. The handler borrows its daemon, and what it is
/// given, for one life.
///
/// A closure that captures nothing will do; see [`EventRow::typed`].
pub type Attach<D, C, E> = for<'d> fn(&'d D, &'d C) -> Pin<Box<dyn Handler<E> + Send + 'd>>;

/// One event handler of a daemon `D`, which is given a `C` beside the event.
pub struct EventRow<D, C> {
    name: &'static str,
    topic: &'static str,
    takes: Option<TypeTag>,
    options: QueueOptions,
    on_error: OnError,
    lane: Box<dyn AttachLane<D, C>>,
}

impl<D: Sync + 'static, C: Sync + 'static> EventRow<D, C> {
    /// A handler of one type of event, on that type's topic or pattern.
    ///
    /// ```
    /// # use daemon_core::{Event, EventRow, place};
    /// # use std::sync::Arc;
    /// # struct Tick(u64);
    /// # impl Event for Tick { const TOPIC: &'static str = "clock:tick"; }
    /// struct Clock;
    /// impl Clock {
    ///     async fn tick(&self, tick: &Tick) {}
    /// }
    ///
    /// let row = EventRow::<Clock, ()>::typed::<Tick>("tick", |clock, _| {
    ///     place(move |event: Arc<Tick>| async move {
    ///         clock.tick(&event).await;
    ///         (event, Ok(()))
    ///     })
    /// });
    /// ```
    #[must_use]
    pub fn typed<E: Event>(name: &'static str, attach: Attach<D, C, E>) -> Self {
        Self::erased(name, E::TOPIC, Some(TypeTag::of::<E>()), attach)
    }

    /// A handler of events of any type on a topic or pattern.
    #[must_use]
    pub fn envelope(name: &'static str, pattern: &'static str, attach: Attach<D, C, Envelope>) -> Self {
        Self::erased(name, pattern, None, attach)
    }

    fn erased<E: Any + Send + Sync>(
        name: &'static str,
        topic: &'static str,
        takes: Option<TypeTag>,
        attach: Attach<D, C, E>,
    ) -> Self {
        Self {
            name,
            topic,
            takes,
            options: QueueOptions::default(),
            on_error: OnError::Log,
            lane: Box::new(SameType { attach: vec![(name, attach)] }),
        }
    }
}

impl<D, C> EventRow<D, C> {
    /// Sets how many events wait at most \[1024\]; 0 counts as 1.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.options = self.options.capacity(events);
        self
    }

    /// Sets what happens to an event that finds the queue full \[block\].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options = self.options.overflow(overflow);
        self
    }

    /// Sets how many events are kept at most while the daemon starts or backs off \[8192\].
    #[must_use]
    pub fn startup(mut self, events: usize) -> Self {
        self.options = self.options.startup(events);
        self
    }

    /// Calls it only for the events that pass a filter, which takes what the handler takes; the others are not offered to it.
    #[must_use]
    pub fn when(mut self, filter: Filter) -> Self {
        self.options = self.options.when(filter);
        self
    }

    /// Sets what a failed call leads to, besides being logged and counted \[nothing\].
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// What a failed call leads to.
    #[must_use]
    pub fn failure_policy(&self) -> OnError {
        self.on_error
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The topic or pattern it handles.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        self.topic
    }

    /// The type it handles, and that type's name; `None` for envelopes.
    #[must_use]
    pub fn event_type(&self) -> Option<(TypeId, &'static str)> {
        self.takes.map(|kind| (kind.id, kind.name))
    }

    /// What is wrong with it, in the name of `daemon`.
    fn fault(&self, daemon: &str) -> Option<String> {
        let filter = self.options.filter.as_ref()?;
        filter.check(&format!("{daemon}.{}", self.name), self.takes).err().map(|error| error.to_string())
    }

    /// Which events it wants, and the bounds of its queue.
    #[must_use]
    pub fn options(&self) -> &QueueOptions {
        &self.options
    }
}

impl<D, C> fmt::Debug for EventRow<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("EventRow");
        f.field("name", &self.name).field("topic", &self.topic);
        f.field("event", &self.takes.map_or("any", |kind| kind.name)).field("options", &self.options).finish()
    }
}

/// Handlers of one topic and type, the type hidden.
trait AttachLane<D, C>: Send + Sync {
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    /// Takes in the handlers of a lane of the same type.
    fn absorb(&mut self, other: Box<dyn Any>);
    fn attach<'d>(&self, daemon: &'d D, cx: &'d C, at: Place<'_>) -> Box<dyn Lane + 'd>;
}

/// Where a lane stands in its mailbox.
struct Place<'a> {
    first: u32,
    is_own: bool,
    mailbox: &'a Arc<Mailbox>,
    life: u64,
}

struct SameType<D, C, E> {
    attach: Vec<(&'static str, Attach<D, C, E>)>,
}

impl<D: 'static, C: 'static, E: Any + Send + Sync> AttachLane<D, C> for SameType<D, C, E> {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn absorb(&mut self, other: Box<dyn Any>) {
        #[expect(clippy::expect_used, reason = "rows are grouped by type before; anything else is a fault here")]
        let other = other.downcast::<Self>().expect("lanes of one type");
        self.attach.extend(other.attach);
    }

    fn attach<'d>(&self, daemon: &'d D, cx: &'d C, at: Place<'_>) -> Box<dyn Lane + 'd> {
        let handlers = self.attach.iter().map(|(name, attach)| (*name, attach(daemon, cx)));
        Box::new(LaneOf::new(handlers, at.first, at.is_own, at.mailbox, at.life))
    }
}

/// All event handlers of a daemon.
pub struct Handlers<D, C>(Vec<EventRow<D, C>>);

impl<D, C> Default for Handlers<D, C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D, C> Handlers<D, C> {
    /// No handlers.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one.
    pub fn push(&mut self, row: EventRow<D, C>) -> &mut Self {
        self.0.push(row);
        self
    }

    /// The rows, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &EventRow<D, C>> {
        self.0.iter()
    }

    /// Which types they expect on which topics, in the name of `daemon`.
    pub(crate) fn typed_topics(&self, daemon: &str) -> impl Iterator<Item = TypedTopic> {
        self.0.iter().filter_map(move |row| {
            let (type_id, type_name) = row.event_type()?;
            let subscription = format!("{daemon}.{}", row.name);
            Some(TypedTopic { subscription, topic: row.topic, type_id, type_name })
        })
    }

    /// What they listen to, in the name of `daemon`.
    pub(crate) fn listeners(&self, daemon: &str) -> impl Iterator<Item = Listener> {
        self.0.iter().map(move |row| Listener {
            subscription: format!("{daemon}.{}", row.name),
            topic: row.topic,
            takes: row.takes.map(|takes| takes.id),
        })
    }

    /// What is wrong with them by themselves, in the name of `daemon`.
    pub(crate) fn faults(&self, daemon: &str) -> Vec<String> {
        self.0.iter().filter_map(|row| row.fault(daemon)).collect()
    }

    /// Subscribes them in the name of `daemon`. Events are kept from here on, and delivered once [`Wiring::run`] runs.
    ///
    /// # Errors
    ///
    /// A topic is malformed, or somebody expects another type on it. Nothing is subscribed then.
    pub fn register(self, bus: &Arc<Bus>, daemon: &str) -> Result<Wiring<D, C>, SubscribeError> {
        let mut lanes: Vec<Box<dyn AttachLane<D, C>>> = Vec::new();
        let mut plan: Vec<(LanePlan, Option<TypeTag>)> = Vec::new();
        for EventRow { name, topic, takes, options, lane, .. } in self.0 {
            let is_own = options.overflow == Overflow::DropOldest;
            let filter = options.filter.clone();
            let is_alone = is_own || filter.is_some();
            let queue = (name.to_owned(), options);
            let known = plan.iter().position(|(plan, took)| {
                !is_alone && !plan.is_own && plan.filter.is_none() && plan.topic == topic && *took == takes
            });
            if let Some(known) = known {
                plan[known].0.queues.push(queue);
                lanes[known].absorb(lane.into_any());
            } else {
                let topic = topic.to_owned();
                plan.push((LanePlan { topic, is_own, filter, is_tap: false, queues: vec![queue] }, takes));
                lanes.push(lane);
            }
        }
        let registration = bus.register(daemon, Phase::Buffering, &plan)?;
        let shapes = plan.into_iter().map(|(plan, _)| (plan.queues.len(), plan.is_own));
        Ok(Wiring { registration, lanes: lanes.into_iter().zip(shapes).collect() })
    }
}

impl<D, C> fmt::Debug for Handlers<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// The lanes of one life, and of each queue its lane and its place therein.
#[derive(Default)]
pub(super) struct Lanes<'d> {
    pub(super) lanes: Vec<Box<dyn Lane + 'd>>,
    pub(super) places: Vec<(u32, u32)>,
}

/// A daemon's handlers and their subscriptions, which outlive the daemon's restarts. Dropping it unsubscribes.
pub struct Wiring<D, C> {
    registration: Registration,
    /// Each lane with how many handlers it has, and whether its queue keeps its own events.
    #[expect(clippy::type_complexity, reason = "one private field")]
    lanes: Vec<(Box<dyn AttachLane<D, C>>, (usize, bool))>,
}

impl<D, C> Wiring<D, C> {
    /// From now on keeps new events for the next life. A dispatcher still delivers what it has, then ends.
    pub fn buffer(&self) {
        self.mailbox().buffer();
    }

    /// Stops the intake: new events count as abandoned. A dispatcher still delivers what is queued, then ends.
    pub fn drain(&self) {
        self.mailbox().drain();
    }

    /// Stops the intake and abandons what is queued. A dispatcher ends without delivering more.
    pub fn close(&self) {
        self.mailbox().close();
    }

    /// The exact counts of every handler.
    #[must_use]
    pub fn status(&self) -> Vec<SubscriptionStatus> {
        self.mailbox().status()
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        self.registration.mailbox()
    }

    /// The lanes of a new life.
    pub(super) fn attach<'d>(&self, daemon: &'d D, cx: &'d C, life: u64) -> Lanes<'d> {
        let mut attached = Lanes::default();
        for (index, (lane, (seats, is_own))) in (0..).zip(&self.lanes) {
            let at = Place { first: attached.places.len() as u32, is_own: *is_own, mailbox: self.mailbox(), life };
            attached.lanes.push(lane.attach(daemon, cx, at));
            attached.places.extend((0..*seats as u32).map(|seat| (index, seat)));
        }
        attached
    }
}

impl<D, C> fmt::Debug for Wiring<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiring").field("mailbox", self.mailbox()).finish_non_exhaustive()
    }
}
