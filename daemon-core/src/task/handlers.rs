//! The event handlers of a daemon as data: one row each, grouped into lanes when they are registered.
//!
//! A row hides its event type behind [`AttachLane`]. Rows of one topic and type find each other again through `Any`, once, when
//! they are registered; a delivery costs one downcast per lane.

use std::any::{Any, TypeId};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::Handler;
use super::plan::{Outline, SectionPlan, Wish, sections};
use super::wiring::{AttachLane, SameType, Section, Wiring};
use crate::event::{
    Bus, Envelope, Event, Filter, Key, Listener, Overflow, QueueOptions, SubscribeError, TypeTag, TypedTopic,
};
use crate::policy::OnError;

/// How a row makes its handler: a function, so that a definition stays data. The handler borrows its daemon, and what it is
/// given, for one life.
///
/// A closure that captures nothing will do; see [`EventRow::typed`].
pub type Attach<D, C, E> = for<'d> fn(&'d D, &'d C) -> Pin<Box<dyn Handler<E> + Send + 'd>>;

/// One event handler of a daemon `D`, which is given a `C` beside the event.
pub struct EventRow<D, C> {
    row: Outline,
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
            row: Outline { name, topic, takes, wish: Wish::default() },
            on_error: OnError::Log,
            lane: Box::new(SameType(vec![(name, attach)])),
        }
    }
}

impl<D, C> EventRow<D, C> {
    /// Sets how many events wait at most \[1024\]; 0 counts as 1.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.row.wish.capacity = Some(events.max(1));
        self
    }

    /// Sets what happens to an event that finds the queue full \[block\].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.row.wish.overflow = Some(overflow);
        self
    }

    /// Keeps only the latest event of each topic and key: [`Overflow::Latest`] with a key, a part of the type it handles.
    #[must_use]
    pub fn latest_by(mut self, key: Key) -> Self {
        self.row.wish.key = Some(key);
        self.overflow(Overflow::Latest)
    }

    /// Sets how many events are kept at most while the daemon starts or backs off \[8192\].
    #[must_use]
    pub fn startup(mut self, events: usize) -> Self {
        self.row.wish.startup = Some(events);
        self
    }

    /// Puts its events into the queue of that name, with those of all handlers of the daemon that name it: they are handled one at
    /// a time, in the order they were published, whatever their topics and types \[a queue of its own\].
    ///
    /// The bounds of the queue are given by one of these handlers, or by several alike.
    #[must_use]
    pub fn queue(mut self, name: &'static str) -> Self {
        self.row.wish.queue = Some(name);
        self
    }

    /// Sets how many of its calls may be under way at once \[1\]; 0 counts as 1. They begin in order.
    ///
    /// Room for each is made when the daemon starts.
    #[must_use]
    pub fn concurrency(mut self, calls: u32) -> Self {
        self.row.wish.concurrency = Some(calls.max(1));
        self
    }

    /// Runs its calls on a task of their own \[on one with the daemon's other handlers\]: for what computes for long.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.row.wish.isolated = true;
        self
    }

    /// Calls it only for the events that pass a filter, which takes what the handler takes; the others are not offered to it.
    #[must_use]
    pub fn when(mut self, filter: Filter) -> Self {
        self.row.wish.filter = Some(filter);
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
        self.row.name
    }

    /// The topic or pattern it handles.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        self.row.topic
    }

    /// The type it handles, and that type's name; `None` for envelopes.
    #[must_use]
    pub fn event_type(&self) -> Option<(TypeId, &'static str)> {
        self.row.takes.map(|kind| (kind.id, kind.name))
    }

    /// Which events it wants, and the bounds of its queue, as far as this row gives them.
    #[must_use]
    pub fn options(&self) -> QueueOptions {
        self.row.wish.options()
    }
}

impl<D, C> fmt::Debug for EventRow<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("EventRow");
        let Outline { name, topic, takes, wish } = &self.row;
        f.field("name", name).field("topic", topic);
        f.field("event", &takes.map_or("any", |kind| kind.name)).field("wish", wish).finish()
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
        self.0.iter().filter_map(move |EventRow { row, .. }| {
            let TypeTag { id, name } = row.takes?;
            let subscription = format!("{daemon}.{}", row.name);
            Some(TypedTopic { subscription, topic: row.topic, type_id: id, type_name: name })
        })
    }

    /// What they listen to, in the name of `daemon`.
    pub(crate) fn listeners(&self, daemon: &str) -> impl Iterator<Item = Listener> {
        self.0.iter().map(move |row| Listener {
            subscription: format!("{daemon}.{}", row.name()),
            topic: row.topic(),
            takes: row.event_type().map(|(id, _)| id),
        })
    }

    /// What is wrong with them by themselves, in the name of `daemon`.
    pub(crate) fn faults(&self, daemon: &str) -> Vec<SubscribeError> {
        self.sections(daemon).1
    }

    fn sections(&self, daemon: &str) -> (Vec<SectionPlan>, Vec<SubscribeError>) {
        sections(daemon, &self.0.iter().map(|row| row.row.clone()).collect::<Vec<_>>())
    }

    /// Subscribes them in the name of `daemon`. Events are kept from here on, and delivered once [`Wiring::run`] runs.
    ///
    /// # Errors
    ///
    /// A topic is malformed, somebody expects another type on it, or handlers that share a queue disagree. Nothing is subscribed
    /// then.
    pub fn register(self, bus: &Arc<Bus>, daemon: &str) -> Result<Wiring<D, C>, SubscribeError> {
        let (plans, faults) = self.sections(daemon);
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault);
        }
        let mut rows: Vec<_> = self.0.into_iter().map(|row| Some(row.lane)).collect();
        let mut sections = Vec::with_capacity(plans.len());
        for plan in plans {
            let together = |numbers: &Vec<usize>| {
                let of_lane: Vec<_> = numbers.iter().filter_map(|number| rows[*number].take()).collect();
                of_lane.into_iter().reduce(|mut lane, other| {
                    lane.absorb(other.into_any());
                    lane
                })
            };
            let lanes = plan.rows.iter().filter_map(together).collect();
            sections.push(Section::register(plan, lanes, bus, daemon)?);
        }
        Ok(Wiring::new(sections))
    }
}

impl<D, C> fmt::Debug for Handlers<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
