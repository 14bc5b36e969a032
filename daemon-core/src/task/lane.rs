//! The handlers of one daemon for one topic and type, called with one event after another.
//!
//! A handler is polled once, in place, when an event comes. Most are done then; one that suspends is busy until its own waker
//! runs, and what comes meanwhile waits in its `pending`, so that each handler sees its events in order, one at a time, and holds
//! nobody up.
//!
//! Invariants:
//! 1. A seat that is not busy has no pending events, except between two steps of the same resume.
//! 2. A seat counts an event as taken before its handler sees it, and gives it exactly one outcome: handled, failed, or cut.
//! 3. `woken` is cleared before the handler is polled, so a wake during the poll makes the seat ready again.
//! 4. Every piece of user code (calls, destructors of calls, events and panics, the observer) runs under `catch_unwind`.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::{Failure, Handler, drop_quietly};
use crate::event::{AnyEvent, Mailbox, set_current};
use crate::sync::atomic::{AtomicBool, Ordering};

/// How many calls are made before the worker is asked whether others wait for it.
const CALLS_PER_STEP: usize = 32;

/// Hears of what goes wrong in handlers.
pub trait Observer: Send + Sync {
    /// The handler `subscription` failed, for the `in_a_row`-th time without a success in between.
    fn failed(&self, subscription: &str, failure: Failure, in_a_row: u32);

    /// The handler `subscription` succeeded after having failed.
    fn recovered(&self, subscription: &str) {
        let _ = subscription;
    }

    /// What a test wants called in the place of the handler's next call.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    fn fault(&self, subscription: &str) -> Option<fn() -> crate::Result<()>> {
        let _ = subscription;
        None
    }
}

/// What a lane needs of the dispatcher that runs it.
pub(crate) struct Desk<'d> {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) observer: &'d dyn Observer,
    /// How many handlers are suspended.
    pub(crate) busy: usize,
}

/// Makes a handler's place ready in its mailbox, from any thread, at any time.
struct SeatWaker {
    mailbox: Arc<Mailbox>,
    life: u64,
    seat: u32,
    woken: AtomicBool,
}

impl Wake for SeatWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.mailbox.wake_handler(self.life, self.seat);
        }
    }
}

type BoxHandler<'d, E> = Pin<Box<dyn Handler<E> + Send + 'd>>;

struct Seat<'d, E> {
    index: u32,
    name: &'static str,
    handler: BoxHandler<'d, E>,
    busy: bool,
    pending: VecDeque<Arc<E>>,
    failures: u32,
    waker: Waker,
    flag: Arc<SeatWaker>,
}

impl<E> Seat<'_, E> {
    /// Begins a call, or goes on with the one under way; gives the event back if that ended it.
    #[inline]
    fn poll(&mut self, event: Option<Arc<E>>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        let (handler, cx) = (self.handler.as_mut(), &mut Context::from_waker(&self.waker));
        let outer = set_current(Some(desk.mailbox.node(self.index)));
        #[cfg(feature = "testing")]
        let fault = if event.is_some() { desk.observer.fault(self.name) } else { None };
        let polled = catch_unwind(AssertUnwindSafe(|| match event {
            #[cfg(feature = "testing")]
            Some(event) if fault.is_some() => Poll::Ready((event, fault.map_or(Ok(()), |fault| fault()))),
            Some(event) => handler.start(event, cx),
            None => handler.resume(cx),
        }));
        set_current(outer);
        if let Ok(Poll::Pending) = polled {
            desk.busy += usize::from(!self.busy);
            self.busy = true;
            return None;
        }
        desk.busy -= usize::from(self.busy);
        self.busy = false;
        let progress = &desk.mailbox.progress[self.index as usize];
        match polled {
            Ok(Poll::Ready((event, Ok(())))) => {
                progress.handled();
                if self.failures > 0 {
                    self.recovered(desk);
                }
                Some(event)
            }
            Ok(Poll::Ready((event, Err(error)))) => {
                progress.failed();
                self.failed(Failure::Error(error), desk);
                Some(event)
            }
            Ok(Poll::Pending) => None,
            Err(payload) => {
                progress.failed();
                self.clear();
                self.failed(Failure::panic(&*payload), desk);
                drop_quietly(payload);
                None
            }
        }
    }

    #[inline]
    fn begin(&mut self, event: Arc<E>, desk: &mut Desk<'_>) -> Option<Arc<E>> {
        desk.mailbox.progress[self.index as usize].take();
        self.poll(Some(event), desk)
    }

    fn clear(&mut self) {
        if catch_unwind(AssertUnwindSafe(|| self.handler.as_mut().clear())).is_err() {
            tracing::error!(subscription = self.name, "the destructor of a handler's future panicked");
        }
    }

    #[cold]
    fn failed(&mut self, failure: Failure, desk: &Desk<'_>) {
        self.failures = self.failures.saturating_add(1);
        let (name, failures) = (self.name, self.failures);
        observe(name, || desk.observer.failed(name, failure, failures));
    }

    #[cold]
    fn recovered(&mut self, desk: &Desk<'_>) {
        self.failures = 0;
        observe(self.name, || desk.observer.recovered(self.name));
    }
}

fn observe(subscription: &str, call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::error!(subscription, "the observer of a failed handler panicked");
    }
}

/// The seats of one topic and type.
pub(crate) trait Lane: Send {
    /// Hands an event to one seat (by its place in the lane) or, step by step, to all.
    fn deliver(&mut self, event: AnyEvent, seat: Option<usize>, desk: &mut Desk<'_>);
    /// Goes on handing an event to all; false when all have it.
    fn step(&mut self, desk: &mut Desk<'_>) -> bool;
    /// A seat was woken, or has events of its own; false when it is busy or has nothing more.
    fn resume(&mut self, seat: usize, desk: &mut Desk<'_>) -> bool;
    /// Drops every call; gives out events not begun, and the seats whose call was under way.
    fn surrender(&mut self, held: &mut Vec<(u32, AnyEvent)>, cut: &mut Vec<u32>);
}

pub(crate) struct LaneOf<'d, E> {
    seats: Vec<Seat<'d, E>>,
    /// Whether its only queue keeps its events itself.
    is_own: bool,
    /// The event being handed out, and the next seat to get it.
    current: Option<(Arc<E>, usize)>,
}

impl<'d, E> LaneOf<'d, E> {
    pub(crate) fn new(
        handlers: impl Iterator<Item = (&'static str, BoxHandler<'d, E>)>,
        first: u32,
        is_own: bool,
        mailbox: &Arc<Mailbox>,
        life: u64,
    ) -> Self {
        let seat = |(index, (name, handler))| {
            let flag =
                Arc::new(SeatWaker { mailbox: mailbox.clone(), life, seat: index, woken: AtomicBool::new(false) });
            let waker = Waker::from(flag.clone());
            Seat { index, name, handler, busy: false, pending: VecDeque::new(), failures: 0, waker, flag }
        };
        Self { seats: (first..).zip(handlers).map(seat).collect(), is_own, current: None }
    }
}

fn typed<E: Any + Send + Sync>(event: AnyEvent) -> Arc<E> {
    #[expect(clippy::expect_used, reason = "the routes of a lane carry its type only; anything else is a fault here")]
    event.downcast().expect("a lane gets events of its own type")
}

impl<E: Any + Send + Sync> Lane for LaneOf<'_, E> {
    #[inline]
    fn deliver(&mut self, event: AnyEvent, seat: Option<usize>, desk: &mut Desk<'_>) {
        let event = typed::<E>(event);
        match seat {
            None => self.current = Some((event, 0)),
            Some(seat) => {
                let seat = &mut self.seats[seat];
                if seat.busy {
                    seat.pending.push_back(event)
                } else {
                    release(seat.begin(event, desk));
                }
            }
        }
    }

    #[inline]
    fn step(&mut self, desk: &mut Desk<'_>) -> bool {
        let Some((event, first)) = self.current.take() else { return false };
        let mut hand = None;
        for seat in self.seats[first..].iter_mut().take(CALLS_PER_STEP) {
            if seat.busy {
                seat.pending.push_back(event.clone());
            } else {
                // a handler might give back another event
                let same = hand.take_if(|hand| Arc::ptr_eq(hand, &event));
                release(std::mem::replace(&mut hand, seat.begin(same.unwrap_or_else(|| event.clone()), desk)));
            }
        }
        release(hand);
        if first + CALLS_PER_STEP < self.seats.len() {
            self.current = Some((event, first + CALLS_PER_STEP));
            return true;
        }
        release(Some(event));
        false
    }

    fn resume(&mut self, seat: usize, desk: &mut Desk<'_>) -> bool {
        let seat = &mut self.seats[seat];
        if seat.flag.woken.swap(false, Ordering::AcqRel) && seat.busy {
            release(seat.poll(None, desk));
        }
        for _ in 0..CALLS_PER_STEP {
            if seat.busy {
                return false;
            }
            let next = seat.pending.pop_front();
            release(match next {
                Some(event) => seat.begin(event, desk),
                None if !self.is_own => return false,
                None => match desk.mailbox.pop_own(seat.index) {
                    Some(event) => seat.poll(Some(typed::<E>(event)), desk),
                    None => return false,
                },
            });
        }
        true
    }

    fn surrender(&mut self, held: &mut Vec<(u32, AnyEvent)>, cut: &mut Vec<u32>) {
        let (current, first) = self.current.take().unzip();
        for (place, seat) in self.seats.iter_mut().enumerate() {
            seat.clear();
            cut.extend(std::mem::take(&mut seat.busy).then_some(seat.index));
            held.extend(seat.pending.drain(..).map(|event| (seat.index, event as AnyEvent)));
            if let Some(event) = &current
                && Some(place) >= first
            {
                held.push((seat.index, event.clone()));
            }
        }
    }
}

/// Drops an event given back, which may run its destructor.
#[inline]
fn release<E>(event: Option<Arc<E>>) {
    if event.is_some() {
        drop_quietly(event);
    }
}
