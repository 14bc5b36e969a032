//! One handler: the calls of it that may be under way, each in a place of its own, and what waits for a place.
//!
//! Most calls begin, end at once and are counted; whatever is more than that is cold.
//!
//! Invariants:
//! 1. A place is free, or its call is suspended: `free` and `spare` name each free place once.
//! 2. An event is counted as taken before its handler sees it, and gets exactly one outcome: handled, failed, or cut.
//! 3. The bit of a call that was woken is taken before the call is polled, so a wake during the poll makes it ready again.
//! 4. Every piece of user code (calls, destructors of calls, events and panics, the observer) runs under `catch_unwind`; that of
//!    [`Seat::begin`] is its caller's, so that many calls need one.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tracing::Span;

use super::call::{BoxHandler, Call, Chair, Notes, clear, waker};
use super::desk::Desk;
use super::sample::Sample;
use super::{Failure, panicked};
use crate::error::Result;
use crate::event::{AnyEvent, Linked, Progress, Published, Tracked, Waiter, set_current, take_out};

/// No place is free.
const NONE: u32 = u32::MAX;

/// What a poll of a call comes to.
type Ended<E> = Poll<(Arc<E>, Result<()>)>;

/// What most calls need; no more than a cache line, for a lane may have many seats.
#[repr(align(64))]
pub(super) struct Seat<'d, E> {
    /// Of its first place, and most handlers' only one.
    handler: BoxHandler<'d, E>,
    waker: Waker,
    progress: &'d Progress,
    queue: u32,
    /// The place that is used next, or [`NONE`].
    free: u32,
    /// How many calls may begin unseen; see [`Sample`].
    unseen: u32,
    /// How many calls have failed since the last that did not.
    failures: u32,
    rest: Box<Rest<'d, E>>,
}

/// What few calls need.
struct Rest<'d, E> {
    index: u32,
    name: &'static str,
    /// Of the first place.
    notes: Notes,
    /// Further places.
    more: Vec<Call<'d, E>>,
    /// Free places besides.
    spare: Vec<u32>,
    /// Events that wait for a place.
    pending: VecDeque<Arc<E>>,
    /// Those events, not begun, whose publishers wait to know how they end.
    watched: Vec<Arc<Tracked>>,
    /// Where those events, not begun, were published that have spans, by their addresses.
    links: Vec<(usize, Arc<Published>)>,
    sample: Sample,
}

/// Where an event is, which tells it from all others that are there.
fn address<E>(event: &Arc<E>) -> usize {
    Arc::as_ptr(event).addr()
}

impl<'d, E> Seat<'d, E> {
    /// A seat with one place, and one more for each handler beside the first.
    pub(super) fn new(
        chair: &Chair,
        progress: &'d Progress,
        name: &'static str,
        first: BoxHandler<'d, E>,
        more: impl Iterator<Item = BoxHandler<'d, E>>,
    ) -> Self {
        let more: Vec<_> = (1..).zip(more).map(|(place, handler)| Call::new(handler, chair, place)).collect();
        let rest = Rest {
            index: chair.index,
            name,
            notes: Notes::default(),
            spare: (1..=more.len() as u32).rev().collect(),
            more,
            pending: VecDeque::new(),
            watched: Vec::new(),
            links: Vec::new(),
            sample: Sample::new(),
        };
        let (queue, waker) = (chair.queue, waker(chair, 0));
        Self { handler: first, waker, progress, queue, free: 0, unseen: 0, failures: 0, rest: Box::new(rest) }
    }

    pub(super) fn index(&self) -> u32 {
        self.rest.index
    }

    /// Whether one more call may begin.
    #[inline]
    pub(super) fn is_free(&self, desk: &Desk<'_>) -> bool {
        self.free != NONE && !desk.is_over()
    }

    /// An event waits until a call may begin.
    #[cold]
    pub(super) fn put_off(&mut self, event: Arc<E>) {
        self.rest.pending.push_back(event);
    }

    pub(super) fn next_pending(&mut self) -> Option<Arc<E>> {
        self.rest.pending.pop_front()
    }

    /// The handler of a place, what wakes its call, and what is known of that.
    fn place(&mut self, place: u32) -> (&mut BoxHandler<'d, E>, &Waker, &mut Notes) {
        match place.checked_sub(1) {
            None => (&mut self.handler, &self.waker, &mut self.rest.notes),
            Some(further) => {
                let Call { handler, waker, notes } = &mut self.rest.more[further as usize];
                (handler, waker, notes)
            }
        }
    }

    #[inline]
    fn is_current(&self, place: u32, desk: &Desk<'_>) {
        set_current(Some(Waiter { node: desk.mailbox.node(self.queue), place }));
    }

    /// Begins a call in the free place; gives the event back if the call has ended. The handler of the caller's thread is this one
    /// from here on.
    ///
    /// It may unwind, out of the user's code only; then [`Seat::panicked`] is due.
    #[inline(always)]
    pub(super) fn begin(&mut self, event: Arc<E>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        #[cfg(feature = "testing")]
        if let Some(fault) = desk.observer.fault(self.rest.name) {
            return self.begin_carefully(event, desk, |_, event, _| Poll::Ready((event, fault())));
        }
        if self.unseen == 0 || self.free != 0 {
            let start =
                |handler: &mut BoxHandler<'d, E>, event, cx: &mut Context<'_>| handler.as_mut().start(event, cx);
            return self.begin_carefully(event, desk, start);
        }
        self.unseen -= 1;
        self.progress.take();
        self.is_current(0, desk);
        match self.handler.as_mut().start(event, &mut Context::from_waker(&self.waker)) {
            Poll::Ready((event, Ok(()))) if self.failures == 0 => {
                self.progress.handled();
                Some(event)
            }
            polled => self.settle(0, polled, desk),
        }
    }

    /// Begins a call that is looked at, or not in the first place, or that a test wants something else for.
    #[cold]
    fn begin_carefully(
        &mut self,
        event: Arc<E>,
        desk: &mut Desk<'_>,
        start: impl FnOnce(&mut BoxHandler<'d, E>, Arc<E>, &mut Context<'_>) -> Ended<E>,
    ) -> Option<Arc<E>> {
        let place = self.free;
        self.progress.take();
        match self.unseen.checked_sub(1) {
            Some(unseen) => self.unseen = unseen,
            None => self.look(&event, place, desk),
        }
        self.is_current(place, desk);
        desk.clock.polled();
        let (handler, waker, notes) = self.place(place);
        let span = notes.span.clone();
        let _span = span.as_ref().map(Span::enter);
        let polled = start(handler, event, &mut Context::from_waker(waker));
        self.settle(place, polled, desk)
    }

    /// As [`Seat::begin`], for one call by itself.
    pub(super) fn begin_one(&mut self, event: Arc<E>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        self.guarded(desk, |seat, desk| seat.begin(event, desk), Self::panicked)
    }

    /// Goes on with a call that was woken; gives the event back if that ended it.
    pub(super) fn resume(&mut self, place: u32, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        let (_, _, notes) = self.place(place);
        if !notes.busy || desk.is_over() {
            return None;
        }
        let poll = |seat: &mut Self, desk: &mut Desk<'_>| {
            seat.is_current(place, desk);
            desk.clock.polled();
            let (handler, waker, notes) = seat.place(place);
            let span = notes.span.clone();
            let _span = span.as_ref().map(Span::enter);
            let polled = handler.as_mut().resume(&mut Context::from_waker(waker));
            seat.settle(place, polled, desk)
        };
        self.guarded(desk, poll, |seat, payload, desk| seat.panicked_in(place, payload, desk))
    }

    /// Does something that may unwind; the handler of the thread is then again what it was.
    fn guarded(
        &mut self,
        desk: &mut Desk<'_>,
        work: impl FnOnce(&mut Self, &mut Desk<'_>) -> Option<Arc<E>>,
        panicked: impl FnOnce(&mut Self, Box<dyn Any + Send>, &mut Desk<'_>),
    ) -> Option<Arc<E>> {
        let outer = set_current(None);
        let ended = catch_unwind(AssertUnwindSafe(|| work(self, desk)));
        set_current(outer);
        ended.unwrap_or_else(|payload| {
            panicked(self, payload, desk);
            None
        })
    }

    /// The call that [`Seat::begin`] began has panicked.
    pub(super) fn panicked(&mut self, payload: Box<dyn Any + Send>, desk: &mut Desk<'_>) {
        self.panicked_in(self.free, payload, desk);
    }

    fn panicked_in(&mut self, place: u32, payload: Box<dyn Any + Send>, desk: &mut Desk<'_>) {
        let name = self.rest.name;
        clear(self.place(place).0, name);
        self.end(place, Some(panicked(payload)), desk);
    }

    /// A call begins that is timed, and may be that of an event whose publisher waits to know how it ends.
    fn look(&mut self, event: &Arc<E>, place: u32, desk: &mut Desk<'_>) {
        let Rest { sample, watched, links, name, .. } = &mut *self.rest;
        let exact = sample.looks(&mut self.unseen);
        let at = watched.iter().position(|tracked| tracked.is(event));
        let tracked = at.map(|at| watched.swap_remove(at));
        let at = links.iter().position(|(at, _)| *at == address(event));
        let span = at.map(|at| links.swap_remove(at).1.handled_by(&desk.mailbox.owner, name));
        let (_, _, notes) = self.place(place);
        notes.span = span;
        notes.since = Some(if exact { desk.clock.now() } else { desk.clock.roughly() });
        notes.exact = exact;
        notes.tracked = tracked;
    }

    /// What a poll came to, where it is more than one more event handled.
    #[cold]
    fn settle(&mut self, place: u32, polled: Ended<E>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        match polled {
            Poll::Pending => {
                self.suspend(place, desk);
                None
            }
            Poll::Ready((event, outcome)) => {
                self.end(place, outcome.err().map(Failure::Error), desk);
                Some(event)
            }
        }
    }

    fn suspend(&mut self, place: u32, desk: &mut Desk<'_>) {
        let (_, _, notes) = self.place(place);
        if !std::mem::replace(&mut notes.busy, true) {
            let seen = notes.since.is_some();
            notes.since.get_or_insert_with(|| desk.clock.roughly());
            desk.busy += 1;
            let Rest { sample, watched, links, .. } = &mut *self.rest;
            sample.suspended(seen, &mut self.unseen);
            if !(watched.is_empty() && links.is_empty()) {
                sample.interrupt(&mut self.unseen);
            }
            self.free = self.rest.spare.pop().unwrap_or(NONE);
        }
    }

    /// A call has ended, its event's outcome is counted, and its place is free.
    fn end(&mut self, place: u32, failure: Option<Failure>, desk: &mut Desk<'_>) {
        let (_, _, notes) = self.place(place);
        let (since, exact, suspended) = (notes.since.take(), notes.exact, std::mem::take(&mut notes.busy));
        let (tracked, span, mut told) = (notes.tracked.take(), notes.span.take(), None);
        let Rest { name, spare, watched, links, sample, .. } = &mut *self.rest;
        if suspended {
            desk.busy -= 1;
            if self.free == NONE { self.free = place } else { spare.push(place) }
        }
        let times = self.progress.times();
        match since {
            Some(since) if suspended => times.record(desk.clock.roughly().saturating_duration_since(since), 1),
            Some(since) if exact => {
                let stands_for = sample.timed(!(watched.is_empty() && links.is_empty()), &mut self.unseen);
                times.record(desk.clock.now().saturating_duration_since(since), stands_for);
            }
            Some(_) => sample.missed(),
            None => {}
        }
        match failure {
            None => {
                self.progress.handled();
                if std::mem::take(&mut self.failures) > 0 {
                    desk.recovered(name);
                }
            }
            Some(failure) => {
                self.progress.failed();
                self.failures = self.failures.saturating_add(1);
                if let Some(span) = &span {
                    span.record("otel.status_code", "ERROR");
                    span.record("error.type", if failure.is_panic() { "panic" } else { "error" });
                }
                told = tracked.is_some().then(|| failure.to_string());
                desk.failed(name, failure, self.failures);
            }
        }
        if let Some(tracked) = tracked {
            tracked.end(told);
        }
    }

    /// Hears where an event was published that it gets, so that its call has a span.
    #[cold]
    pub(super) fn link(&mut self, event: &Arc<E>, published: Arc<Published>) {
        self.rest.links.push((address(event), published));
        self.rest.sample.interrupt(&mut self.unseen);
    }

    /// Takes an event out that has a span or that its publisher tracks.
    #[cold]
    pub(super) fn watch(&mut self, event: AnyEvent) -> Arc<E>
    where
        E: Send + Sync + 'static,
    {
        let (event, published) = Linked::take_out(event);
        let event = event.downcast().unwrap_or_else(|event| {
            #[expect(
                clippy::expect_used,
                reason = "the routes of a lane carry its type only; anything else is a fault here"
            )]
            let (event, tracked) = take_out(event).expect("a lane gets events of its own type");
            self.rest.watched.push(tracked);
            self.rest.sample.interrupt(&mut self.unseen);
            event
        });
        if let Some(published) = published {
            self.link(&event, published);
        }
        event
    }

    /// Gives back what was not begun, in order.
    pub(super) fn give_back(&mut self, held: &mut Vec<(u32, AnyEvent)>)
    where
        E: Send + Sync + 'static,
    {
        let Rest { pending, watched, links, index, .. } = &mut *self.rest;
        for event in pending.drain(..) {
            let at = watched.iter().position(|tracked| tracked.is(&event));
            let link = links.iter().position(|(at, _)| *at == address(&event));
            let event: AnyEvent = match at {
                Some(at) => watched.swap_remove(at),
                None => event,
            };
            let event = match link {
                Some(at) => Linked::wrap(event, &links.swap_remove(at).1),
                None => event,
            };
            held.push((*index, event));
        }
    }

    /// Drops every call; gives out how many were under way.
    pub(super) fn surrender(&mut self) -> usize {
        let name = self.rest.name;
        let mut under_way = 0;
        for place in 0..=self.rest.more.len() as u32 {
            let (handler, _, notes) = self.place(place);
            clear(handler, name);
            under_way += usize::from(std::mem::take(&mut notes.busy));
            if let Some(tracked) = notes.tracked.take() {
                tracked.abandon();
            }
        }
        under_way
    }
}
