//! One handler: the calls of it that may be under way, each in a place of its own, and what waits for a place.
//!
//! Most calls begin, end at once and are counted; whatever is more than that is cold.
//!
//! Invariants:
//! 1. A place is free, or its call is suspended: `free` and `spare` name each free place once.
//! 2. An event is counted as taken before its handler sees it, and gets exactly one outcome: handled, failed, or cut.
//! 3. `woken` is cleared before a call is polled, so a wake during the poll makes it ready again.
//! 4. Every piece of user code (calls, destructors of calls, events and panics, the observer) runs under `catch_unwind`; that of
//!    [`Seat::begin`] is its caller's, so that many calls need one.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::call::{BoxHandler, Call, Chair};
use super::desk::Desk;
use super::sample::Sample;
use super::{Failure, drop_quietly};
use crate::error::Result;
use crate::event::{AnyEvent, Node, Tracked, Waiter, set_current, take_out};

/// No place is free.
const NONE: u32 = u32::MAX;

pub(super) struct Seat<'d, E> {
    pub(super) index: u32,
    /// The place that is used next, or [`NONE`].
    free: u32,
    /// Its first place, and most handlers' only one.
    first: Call<'d, E>,
    sample: Sample,
    failures: u32,
    node: Node,
    name: &'static str,
    more: Vec<Call<'d, E>>,
    /// Free places besides.
    spare: Vec<u32>,
    /// Events that wait for a place.
    pub(super) pending: VecDeque<Arc<E>>,
    /// Those events, not begun, whose publishers wait to know how they end.
    watched: Vec<Arc<Tracked>>,
}

impl<'d, E> Seat<'d, E> {
    /// A seat with one place, and one more for each handler beside the first.
    pub(super) fn new(
        chair: &Chair,
        name: &'static str,
        first: BoxHandler<'d, E>,
        more: impl Iterator<Item = BoxHandler<'d, E>>,
    ) -> Self {
        let more: Vec<_> = (1..).zip(more).map(|(place, handler)| Call::new(handler, chair, place)).collect();
        Self {
            index: chair.index,
            free: 0,
            first: Call::new(first, chair, 0),
            sample: Sample::new(),
            failures: 0,
            node: chair.mailbox.node(chair.queue),
            name,
            spare: (1..=more.len() as u32).rev().collect(),
            more,
            pending: VecDeque::new(),
            watched: Vec::new(),
        }
    }

    /// Whether one more call may begin.
    #[inline]
    pub(super) fn is_free(&self, desk: &Desk<'_>) -> bool {
        self.free != NONE && !desk.is_over()
    }

    #[inline]
    fn call(&mut self, place: u32) -> &mut Call<'d, E> {
        if place == 0 { &mut self.first } else { &mut self.more[place as usize - 1] }
    }

    /// Begins a call in the free place; gives the event back if the call has ended. The handler of the caller's thread is this one
    /// from here on.
    ///
    /// It may unwind, out of the user's code only; then [`Seat::panicked`] is due.
    #[inline]
    pub(super) fn begin(&mut self, event: Arc<E>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        let (place, index) = (self.free, self.index as usize);
        desk.progress[index].take();
        if !self.sample.passes() {
            self.look(&event);
        }
        set_current(Some(Waiter { node: self.node, place }));
        #[cfg(feature = "testing")]
        if let Some(fault) = desk.observer.fault(self.name) {
            return self.settle(place, Poll::Ready((event, fault())), desk);
        }
        let call = self.call(place);
        match call.handler.as_mut().start(event, &mut Context::from_waker(&call.waker)) {
            Poll::Ready((event, Ok(()))) if !call.noted && self.failures == 0 => {
                desk.progress[index].handled();
                Some(event)
            }
            polled => self.settle(place, polled, desk),
        }
    }

    /// As [`Seat::begin`], for one call by itself.
    pub(super) fn begin_one(&mut self, event: Arc<E>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        self.guarded(desk, |seat, desk| seat.begin(event, desk), Self::panicked)
    }

    /// Goes on with a call that was woken; gives the event back if that ended it.
    pub(super) fn resume(&mut self, place: u32, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        let call = self.call(place);
        if !(call.flag.was_woken() && call.busy) {
            return None;
        }
        let poll = |seat: &mut Self, desk: &mut Desk<'_>| {
            set_current(Some(Waiter { node: seat.node, place }));
            let call = seat.call(place);
            let polled = call.handler.as_mut().resume(&mut Context::from_waker(&call.waker));
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
        let name = self.name;
        self.call(place).clear(name);
        self.end(place, Some(Failure::panic(&*payload)), desk);
        drop_quietly(payload);
    }

    /// A call begins that is timed, and may be that of an event whose publisher waits to know how it ends.
    #[cold]
    fn look(&mut self, event: &Arc<E>) {
        self.sample.looks();
        let at = self.watched.iter().position(|tracked| tracked.is(event));
        let tracked = at.map(|at| self.watched.swap_remove(at));
        let call = self.call(self.free);
        call.noted = true;
        call.since = Some(Instant::now());
        call.tracked = tracked;
    }

    /// What a poll came to, where it is more than one more event handled.
    #[cold]
    fn settle(&mut self, place: u32, polled: Poll<(Arc<E>, Result<()>)>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
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
        let call = self.call(place);
        if !std::mem::replace(&mut call.busy, true) {
            let seen = call.since.is_some();
            call.since.get_or_insert_with(Instant::now);
            call.noted = true;
            desk.busy += 1;
            self.sample.suspended(seen);
            self.free = self.spare.pop().unwrap_or(NONE);
        }
    }

    /// A call has ended, its event's outcome is counted, and its place is free.
    fn end(&mut self, place: u32, failure: Option<Failure>, desk: &mut Desk<'_>) {
        let call = self.call(place);
        call.noted = false;
        let (since, suspended) = (call.since.take(), std::mem::take(&mut call.busy));
        let (tracked, mut told) = (call.tracked.take(), None);
        if suspended {
            desk.busy -= 1;
            if self.free == NONE { self.free = place } else { self.spare.push(place) }
        }
        let progress = &desk.progress[self.index as usize];
        if let Some(since) = since {
            let stands_for = if suspended { 1 } else { self.sample.timed(!self.watched.is_empty()) };
            progress.took(since.elapsed(), stands_for);
        }
        match failure {
            None => {
                progress.handled();
                if self.failures > 0 {
                    self.failures = 0;
                    desk.recovered(self.name);
                }
            }
            Some(failure) => {
                progress.failed();
                self.failures = self.failures.saturating_add(1);
                told = tracked.is_some().then(|| failure.to_string());
                desk.failed(self.name, failure, self.failures);
            }
        }
        if let Some(tracked) = tracked {
            tracked.end(told);
        }
    }

    /// Takes an event out that its publisher tracks.
    #[cold]
    pub(super) fn watch(&mut self, event: AnyEvent) -> Arc<E>
    where
        E: Send + Sync + 'static,
    {
        #[expect(
            clippy::expect_used,
            reason = "the routes of a lane carry its type only; anything else is a fault here"
        )]
        let (event, tracked) = take_out(event).expect("a lane gets events of its own type");
        self.watched.push(tracked);
        self.sample.interrupt();
        event
    }

    /// Gives back what was not begun, in order.
    pub(super) fn give_back(&mut self, held: &mut Vec<(u32, AnyEvent)>)
    where
        E: Send + Sync + 'static,
    {
        for event in self.pending.drain(..) {
            let at = self.watched.iter().position(|tracked| tracked.is(&event));
            let event: AnyEvent = match at {
                Some(at) => self.watched.swap_remove(at),
                None => event,
            };
            held.push((self.index, event));
        }
    }

    /// Drops every call; gives out how many were under way.
    pub(super) fn surrender(&mut self) -> usize {
        let name = self.name;
        let calls = std::iter::once(&mut self.first).chain(&mut self.more);
        let mut under_way = 0;
        for call in calls {
            call.clear(name);
            under_way += usize::from(std::mem::take(&mut call.busy));
            if let Some(tracked) = call.tracked.take() {
                tracked.abandon();
            }
        }
        under_way
    }
}
