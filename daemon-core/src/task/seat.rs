//! One handler and the calls of it that may be under way, each in a place of its own.
//!
//! Invariants:
//! 1. A place is free, or its call is suspended: `free` and `spare` name each free place once.
//! 2. An event is counted as taken before its handler sees it, and gets exactly one outcome: handled, failed, or cut.
//! 3. `woken` is cleared before a call is polled, so a wake during the poll makes it ready again.
//! 4. Every piece of user code (calls, destructors of calls, events and panics, the observer) runs under `catch_unwind`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::time::Instant;

use super::desk::Desk;
use super::{Failure, Handler, drop_quietly};
use crate::event::{AnyEvent, Mailbox, Node, Tracked, Waiter, set_current, take_out};
use crate::sync::atomic::{AtomicBool, Ordering};

pub(super) type BoxHandler<'d, E> = Pin<Box<dyn Handler<E> + Send + 'd>>;

/// Where a seat stands in its mailbox.
#[derive(Clone, Debug)]
pub(super) struct Chair {
    /// Its subscription.
    pub(super) index: u32,
    /// The queue its events come from.
    pub(super) queue: u32,
    pub(super) life: u64,
    pub(super) mailbox: Arc<Mailbox>,
}

/// Makes a call ready in its mailbox, from any thread, at any time.
struct CallWaker {
    chair: Chair,
    place: u32,
    woken: AtomicBool,
}

impl Wake for CallWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.chair.mailbox.wake_call(self.chair.life, self.chair.index, self.place);
        }
    }
}

/// A handler whose calls follow each other.
struct Call<'d, E> {
    handler: BoxHandler<'d, E>,
    waker: Waker,
    flag: Arc<CallWaker>,
    busy: bool,
    /// Since when it is timed, if it is.
    since: Option<Instant>,
    /// Its event, if the publisher waits to know how it ends.
    tracked: Option<Arc<Tracked>>,
}

impl<'d, E> Call<'d, E> {
    fn new(handler: BoxHandler<'d, E>, chair: &Chair, place: u32) -> Self {
        let flag = Arc::new(CallWaker { chair: chair.clone(), place, woken: AtomicBool::new(false) });
        Self { handler, waker: Waker::from(flag.clone()), flag, busy: false, since: None, tracked: None }
    }

    fn clear(&mut self, subscription: &str) {
        if catch_unwind(AssertUnwindSafe(|| self.handler.as_mut().clear())).is_err() {
            tracing::error!(subscription, "the destructor of a handler's future panicked");
        }
    }
}

/// How many calls that do not suspend go untimed between two that are timed, once there have been many: reading the clock
/// twice costs as much as a short call.
const TIMED_EVERY: u64 = 64;

/// No place is free.
const NONE: u32 = u32::MAX;

pub(super) struct Seat<'d, E> {
    pub(super) index: u32,
    node: Node,
    name: &'static str,
    /// The place that is used next, or [`NONE`].
    free: u32,
    /// Its first place, and most handlers' only one.
    first: Call<'d, E>,
    more: Vec<Call<'d, E>>,
    /// Free places besides.
    spare: Vec<u32>,
    /// Events that wait for a place.
    pub(super) pending: VecDeque<Arc<E>>,
    /// Those events, not begun, whose publishers wait to know how they end.
    watched: Vec<Arc<Tracked>>,
    failures: u32,
    /// Calls since the last one that was timed and did not suspend; those that did are not counted.
    untimed: u64,
    /// After how many of these the next one is timed.
    timed_every: u64,
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
            node: chair.mailbox.node(chair.queue),
            name,
            free: 0,
            first: Call::new(first, chair, 0),
            spare: (1..=more.len() as u32).rev().collect(),
            more,
            pending: VecDeque::new(),
            watched: Vec::new(),
            failures: 0,
            untimed: 0,
            timed_every: 1,
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

    /// Begins a call in the free place; gives the event back if the call has ended.
    #[inline]
    pub(super) fn begin(&mut self, event: Arc<E>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        desk.mailbox.progress[self.index as usize].take();
        self.untimed += 1;
        if self.untimed >= self.timed_every {
            self.call(self.free).since = Some(Instant::now());
        }
        if !self.watched.is_empty() {
            self.watch_call(&event);
        }
        self.poll(self.free, Some(event), desk)
    }

    /// Goes on with a call that was woken.
    pub(super) fn resume(&mut self, place: u32, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        let call = self.call(place);
        let goes_on = call.flag.woken.swap(false, Ordering::AcqRel) && call.busy && !desk.is_over();
        if goes_on { self.poll(place, None, desk) } else { None }
    }

    /// Polls the call of a place, begun with `event` if there is one; gives the event back if that ended it.
    #[inline]
    fn poll(&mut self, place: u32, event: Option<Arc<E>>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        let outer = set_current(Some(Waiter { node: self.node, place }));
        #[cfg(feature = "testing")]
        let fault = if event.is_some() { desk.observer.fault(self.name) } else { None };
        let call = self.call(place);
        let (handler, cx) = (call.handler.as_mut(), &mut Context::from_waker(&call.waker));
        let polled = catch_unwind(AssertUnwindSafe(|| match event {
            #[cfg(feature = "testing")]
            Some(event) if fault.is_some() => Poll::Ready((event, fault.map_or(Ok(()), |fault| fault()))),
            Some(event) => handler.start(event, cx),
            None => handler.resume(cx),
        }));
        set_current(outer);
        match polled {
            Ok(Poll::Pending) => {
                self.suspend(place, desk);
                None
            }
            Ok(Poll::Ready((event, outcome))) => {
                self.end(place, outcome.err().map(Failure::Error), desk);
                Some(event)
            }
            Err(payload) => {
                let name = self.name;
                self.call(place).clear(name);
                self.end(place, Some(Failure::panic(&*payload)), desk);
                drop_quietly(payload);
                None
            }
        }
    }

    fn suspend(&mut self, place: u32, desk: &mut Desk<'_>) {
        let call = self.call(place);
        if !std::mem::replace(&mut call.busy, true) {
            call.since.get_or_insert_with(Instant::now);
            self.untimed -= 1;
            desk.busy += 1;
            self.free = self.spare.pop().unwrap_or(NONE);
        }
    }

    /// A call has ended, its event's outcome is counted, and its place is free.
    #[inline]
    fn end(&mut self, place: u32, failure: Option<Failure>, desk: &mut Desk<'_>) {
        let call = self.call(place);
        let (since, suspended) = (call.since.take(), std::mem::take(&mut call.busy));
        let (tracked, mut told) = (call.tracked.take(), None);
        if suspended {
            desk.busy -= 1;
            if self.free == NONE { self.free = place } else { self.spare.push(place) }
        }
        let progress = &desk.mailbox.progress[self.index as usize];
        if let Some(since) = since {
            progress.took(since.elapsed(), if suspended { 1 } else { self.timed() });
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
        event
    }

    /// A call begins that may be that of a tracked event.
    #[cold]
    fn watch_call(&mut self, event: &Arc<E>) {
        let at = self.watched.iter().position(|tracked| tracked.is(event));
        let tracked = at.map(|at| self.watched.swap_remove(at));
        self.call(self.free).tracked = tracked;
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

    /// A call that did not suspend was timed; gives out for how many it stands.
    fn timed(&mut self) -> u64 {
        self.timed_every = (self.timed_every * 2).min(TIMED_EVERY);
        std::mem::take(&mut self.untimed)
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
