//! The handlers of one daemon for one topic and type, called with one event after another.
//!
//! A handler is polled once, in place, when an event comes. Most are done then; one that suspends is busy until its own waker
//! runs. While no more calls of a handler may be under way, what comes waits in its `pending`, so that each handler sees its
//! events in order, no more at a time than it may, and holds nobody up.
//!
//! **Invariant:** a seat with a free place has no pending events, except between two steps of the same resume, and once the
//! life is over. One whose queue keeps its own events never has any.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::desk::Desk;
use super::drop_quietly;
use super::seat::Seat;
use crate::event::{AnyEvent, Linked, set_current};

/// How many calls are made before the worker is asked whether others wait for it.
pub(super) const CALLS_PER_STEP: usize = 32;

/// The seats of one topic and type.
pub(super) trait Lane: Send {
    /// Hands an event to one seat, by its place in the lane.
    fn hand(&mut self, event: AnyEvent, seat: usize, desk: &mut Desk<'_>);
    /// Begins a call of a seat that has a free place.
    fn begin(&mut self, event: AnyEvent, seat: usize, desk: &mut Desk<'_>);
    /// Hands an event to all, or to the first of many; whether there are more, for which [`Lane::step`] is due.
    fn deliver(&mut self, event: AnyEvent, desk: &mut Desk<'_>) -> bool;
    /// Goes on handing an event to all; whether there are more.
    fn step(&mut self, desk: &mut Desk<'_>) -> bool;
    /// A call of a seat was woken; false when it and what waited for it have come as far as they can.
    fn resume(&mut self, seat: usize, place: u32, desk: &mut Desk<'_>) -> bool;
    /// Whether one more call of a seat may begin.
    fn is_free(&self, seat: usize, desk: &Desk<'_>) -> bool;
    /// Drops every call; gives out events not begun, and for each call that was under way its subscription.
    fn surrender(&mut self, held: &mut Vec<(u32, AnyEvent)>, cut: &mut Vec<u32>);
}

pub(super) struct LaneOf<'d, E> {
    seats: Vec<Seat<'d, E>>,
    /// The event being handed out, and the next seat to get it.
    current: Option<(Arc<E>, usize)>,
}

impl<'d, E: Any + Send + Sync> LaneOf<'d, E> {
    pub(super) fn new(seats: impl Iterator<Item = Seat<'d, E>>) -> Self {
        Self { seats: seats.collect(), current: None }
    }

    /// Takes out an event that has a span, which each seat hears of.
    #[cold]
    fn link(&mut self, event: AnyEvent) -> Arc<E> {
        let (event, published) = Linked::take_out(event);
        #[expect(
            clippy::expect_used,
            reason = "the routes of a lane carry its type only; anything else is a fault here"
        )]
        let event = event.downcast().expect("a lane gets events of its own type");
        if let Some(published) = published {
            self.seats.iter_mut().for_each(|seat| seat.link(&event, published.clone()));
        }
        event
    }

    /// Hands an event to some seats, from `first` on.
    fn hand_round(&mut self, event: Arc<E>, first: usize, desk: &mut Desk<'_>) -> bool {
        let end = self.seats.len().min(first + CALLS_PER_STEP);
        let (mut at, mut spare) = (first, None);
        let outer = set_current(None);
        while at < end {
            let seats = &mut self.seats[..end];
            // one for all that come through without a panic
            let ended = catch_unwind(AssertUnwindSafe(|| round(seats, &mut at, &event, &mut spare, desk)));
            if let Err(payload) = ended {
                self.seats[at].panicked(payload, desk);
                at += 1;
            }
        }
        set_current(outer);
        release(spare);
        if end < self.seats.len() {
            self.current = Some((event, end));
            return true;
        }
        release(Some(event));
        false
    }
}

/// Hands an event to each seat from `at` on. `spare` is a reference to it that the call before gave back.
#[inline]
fn round<E: Any + Send + Sync>(
    seats: &mut [Seat<'_, E>],
    at: &mut usize,
    event: &Arc<E>,
    spare: &mut Option<Arc<E>>,
    desk: &mut Desk<'_>,
) {
    let first = *at;
    for (number, seat) in (first..).zip(&mut seats[first..]) {
        *at = number;
        if seat.is_free(desk) {
            let hand = spare.take().unwrap_or_else(|| event.clone());
            *spare = seat.begin(hand, desk);
            // a handler might give back another event
            if spare.as_ref().is_some_and(|spare| !Arc::ptr_eq(spare, event)) {
                release(spare.take());
            }
        } else {
            seat.put_off(event.clone());
        }
    }
    *at = seats.len();
}

/// Hands an event to one seat.
#[inline]
fn hand_one<E: Any + Send + Sync>(seat: &mut Seat<'_, E>, event: Arc<E>, desk: &mut Desk<'_>) {
    if seat.is_free(desk) {
        release(seat.begin_one(event, desk));
    } else {
        seat.put_off(event);
    }
}

impl<E: Any + Send + Sync> Lane for LaneOf<'_, E> {
    fn hand(&mut self, event: AnyEvent, seat: usize, desk: &mut Desk<'_>) {
        let seat = &mut self.seats[seat];
        let event = event.downcast().unwrap_or_else(|event| seat.watch(event));
        hand_one(seat, event, desk);
    }

    fn begin(&mut self, event: AnyEvent, seat: usize, desk: &mut Desk<'_>) {
        let seat = &mut self.seats[seat];
        let event = event.downcast().unwrap_or_else(|event| seat.watch(event));
        release(seat.begin_one(event, desk));
    }

    #[inline]
    fn deliver(&mut self, event: AnyEvent, desk: &mut Desk<'_>) -> bool {
        let event = event.downcast().unwrap_or_else(|event| self.link(event));
        match &mut self.seats[..] {
            [alone] => {
                hand_one(alone, event, desk);
                false
            }
            _ => self.hand_round(event, 0, desk),
        }
    }

    fn step(&mut self, desk: &mut Desk<'_>) -> bool {
        match self.current.take() {
            Some((event, first)) => self.hand_round(event, first, desk),
            None => false,
        }
    }

    fn resume(&mut self, seat: usize, place: u32, desk: &mut Desk<'_>) -> bool {
        let seat = &mut self.seats[seat];
        release(seat.resume(place, desk));
        for _ in 0..CALLS_PER_STEP {
            if !seat.is_free(desk) {
                return false;
            }
            let Some(event) = seat.next_pending() else { return false };
            release(seat.begin_one(event, desk));
        }
        true
    }

    fn is_free(&self, seat: usize, desk: &Desk<'_>) -> bool {
        self.seats[seat].is_free(desk)
    }

    fn surrender(&mut self, held: &mut Vec<(u32, AnyEvent)>, cut: &mut Vec<u32>) {
        let (current, first) = self.current.take().unzip();
        for (place, seat) in self.seats.iter_mut().enumerate() {
            cut.extend(std::iter::repeat_n(seat.index(), seat.surrender()));
            seat.give_back(held);
            if let Some(event) = &current
                && Some(place) >= first
            {
                held.push((seat.index(), event.clone()));
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
