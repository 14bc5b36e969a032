//! A daemon's handlers and their subscriptions, through all its lives.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::call::Chair;
use super::dispatcher::{Feed, Lanes, SeatAt};
use super::handlers::Attach;
use super::lane::{Lane, LaneOf};
use super::plan::SectionPlan;
use super::seat::Seat;
use crate::event::{Bus, Mailbox, Phase, Progress, Registration, SubscribeError, SubscriptionStatus, Woken};

/// Handlers of one topic and type, the type hidden.
pub(super) trait AttachLane<D, C>: Send + Sync {
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    /// Takes in the handlers of a lane of the same type.
    fn absorb(&mut self, other: Box<dyn Any>);
    fn attach<'d>(&self, daemon: &'d D, cx: &'d C, seats: &[Place<'d>]) -> Box<dyn Lane + 'd>;
}

/// Where a handler is seated, and how many of its calls may be under way.
pub(super) struct Place<'d> {
    chair: Chair,
    progress: &'d Progress,
    width: u32,
}

/// Rows of one topic and type.
pub(super) struct SameType<D, C, E>(pub(super) Vec<(&'static str, Attach<D, C, E>)>);

impl<D: 'static, C: 'static, E: Any + Send + Sync> AttachLane<D, C> for SameType<D, C, E> {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn absorb(&mut self, other: Box<dyn Any>) {
        #[expect(clippy::expect_used, reason = "rows are grouped by type before; anything else is a fault here")]
        let other = other.downcast::<Self>().expect("lanes of one type");
        self.0.extend(other.0);
    }

    fn attach<'d>(&self, daemon: &'d D, cx: &'d C, seats: &[Place<'d>]) -> Box<dyn Lane + 'd> {
        let seat = |((name, attach), place): (&(&'static str, Attach<D, C, E>), &Place<'d>)| {
            let more = (1..place.width).map(|_| attach(daemon, cx));
            Seat::new(&place.chair, place.progress, name, attach(daemon, cx), more)
        };
        Box::new(LaneOf::new(self.0.iter().zip(seats).map(seat)))
    }
}

/// The handlers that one dispatcher calls, and their subscriptions.
pub(super) struct Section<D, C> {
    pub(super) plan: SectionPlan,
    registration: Registration,
    lanes: Vec<Box<dyn AttachLane<D, C>>>,
    /// Told when the dispatcher of a life has ended.
    pub(super) left: Notify,
}

impl<D, C> Section<D, C> {
    /// Subscribes its handlers, in the name of `daemon`; `lanes` are in the order of the plan.
    pub(super) fn register(
        plan: SectionPlan,
        lanes: Vec<Box<dyn AttachLane<D, C>>>,
        bus: &Arc<Bus>,
        daemon: &str,
    ) -> Result<Self, SubscribeError> {
        let registration = bus.register(daemon, Phase::Buffering, &plan.mailbox)?;
        Ok(Self { plan, registration, lanes, left: Notify::new() })
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        self.registration.mailbox()
    }

    /// The lanes of a new life.
    pub(super) fn attach<'d>(&'d self, daemon: &'d D, cx: &'d C, life: u64) -> Lanes<'d> {
        let plan = &self.plan.mailbox;
        let width = |queue: u32| plan.queues[queue as usize].width;
        let calls: u32 = plan.lanes.iter().flat_map(|lane| &lane.seats).map(|seat| width(seat.queue)).sum();
        let woken = Woken::new(self.mailbox().clone(), life, calls as usize);
        let mut attached = Lanes::new(woken.clone(), plan.queues.len());
        for (lane, (of, seats)) in (0..).zip(self.lanes.iter().zip(&plan.lanes)) {
            let mut places = Vec::with_capacity(seats.seats.len());
            for (seat, queue) in (0..).zip(seats.seats.iter().map(|seat| seat.queue)) {
                let (at, index) = (SeatAt { lane, seat, queue }, attached.seats.len() as u32);
                if plan.queues[queue as usize].is_own {
                    attached.own[queue as usize] = Some(Feed { last: at, again: false });
                }
                let (first, width) = (attached.calls.len() as u32, width(queue));
                attached.seats.push(at);
                attached.calls.extend((0..width).map(|place| (at, place)));
                let chair = Chair { index, queue, first, woken: woken.clone() };
                places.push(Place { chair, progress: &self.mailbox().progress[index as usize], width });
            }
            attached.lanes.push(of.attach(daemon, cx, &places));
        }
        attached
    }
}

/// A daemon's handlers and their subscriptions, which outlive the daemon's restarts. Dropping it unsubscribes.
pub struct Wiring<D, C> {
    /// The common one, and those of isolated handlers.
    sections: Vec<Section<D, C>>,
}

impl<D, C> Wiring<D, C> {
    pub(super) fn new(sections: Vec<Section<D, C>>) -> Self {
        Self { sections }
    }

    pub(super) fn section(&self, at: usize) -> Option<&Section<D, C>> {
        self.sections.get(at)
    }

    /// The names of the isolated handlers, and of the isolated queues that handlers share: each has a dispatcher of its own.
    pub fn isolated(&self) -> impl Iterator<Item = &'static str> {
        self.sections.iter().filter_map(|section| section.plan.name)
    }

    /// Hears, from its being made on, when a dispatcher ends: the common one (0), or of the isolated handlers that one less. Cancel
    /// safe.
    pub(crate) fn left(&self, at: usize) -> Option<Notified<'_>> {
        self.section(at).map(|section| section.left.notified())
    }

    fn each(&self, of: impl Fn(&Mailbox)) {
        self.sections.iter().for_each(|section| of(section.mailbox()));
    }

    /// From now on keeps new events for the next life. A dispatcher still delivers what it has, then ends.
    pub fn buffer(&self) {
        self.each(Mailbox::buffer);
    }

    /// As [`buffer`](Self::buffer), and the next life begins with the retained events that the daemon has missed; `anew`: with all
    /// there are, for it is that of another value.
    pub fn begin(&self, anew: bool) {
        self.sections.iter().for_each(|section| section.registration.begin(anew));
    }

    /// Stops the intake: new events count as abandoned. A dispatcher still delivers what is queued, then ends.
    pub fn drain(&self) {
        self.each(Mailbox::drain);
    }

    /// Stops the intake and abandons what is queued. A dispatcher ends without delivering more.
    pub fn close(&self) {
        self.sections.iter().for_each(|section| section.registration.close());
    }

    /// The exact counts of every handler.
    #[must_use]
    pub fn status(&self) -> Vec<SubscriptionStatus> {
        self.sections.iter().flat_map(|section| section.mailbox().status()).collect()
    }
}

impl<D, C> fmt::Debug for Wiring<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sections.iter().map(Section::mailbox)).finish()
    }
}
