//! The handlers of one daemon for one topic and type, called with one event after another.
//!
//! A handler is polled once, in place, when an event comes. Most are done then; one that suspends is busy until its own waker
//! runs. While no more calls of a handler may be under way, what comes waits in its `pending`, so that each handler sees its
//! events in order, no more at a time than it may, and holds nobody up.
//!
//! **Invariant:** a seat with a free place has no pending events, except between two steps of the same resume, and once the
//! life is over. One whose queue keeps its own events never has any.

use std::any::Any;
use std::sync::Arc;

use super::desk::Desk;
use super::drop_quietly;
use super::seat::Seat;
use crate::event::AnyEvent;

/// How many calls are made before the worker is asked whether others wait for it.
pub(super) const CALLS_PER_STEP: usize = 32;

/// The seats of one topic and type.
pub(super) trait Lane: Send {
    /// Hands an event to one seat, by its place in the lane.
    fn hand(&mut self, event: AnyEvent, seat: usize, desk: &mut Desk<'_>);
    /// Begins to hand an event to all; each step goes on.
    fn deliver(&mut self, event: AnyEvent);
    /// Goes on handing an event to all; false when all have it.
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

impl<'d, E> LaneOf<'d, E> {
    pub(super) fn new(seats: impl Iterator<Item = Seat<'d, E>>) -> Self {
        Self { seats: seats.collect(), current: None }
    }
}

fn typed<E: Any + Send + Sync>(event: AnyEvent) -> Arc<E> {
    #[expect(clippy::expect_used, reason = "the routes of a lane carry its type only; anything else is a fault here")]
    event.downcast().expect("a lane gets events of its own type")
}

impl<E: Any + Send + Sync> Lane for LaneOf<'_, E> {
    fn hand(&mut self, event: AnyEvent, seat: usize, desk: &mut Desk<'_>) {
        let seat = &mut self.seats[seat];
        let event = event.downcast().unwrap_or_else(|event| seat.watch(event));
        if seat.is_free(desk) {
            release(seat.begin(event, desk));
        } else {
            seat.pending.push_back(event);
        }
    }

    #[inline]
    fn deliver(&mut self, event: AnyEvent) {
        self.current = Some((typed::<E>(event), 0));
    }

    #[inline]
    fn step(&mut self, desk: &mut Desk<'_>) -> bool {
        let Some((event, first)) = self.current.take() else { return false };
        let mut hand = None;
        for seat in self.seats[first..].iter_mut().take(CALLS_PER_STEP) {
            if seat.is_free(desk) {
                // a handler might give back another event
                let same = hand.take_if(|hand| Arc::ptr_eq(hand, &event));
                release(std::mem::replace(&mut hand, seat.begin(same.unwrap_or_else(|| event.clone()), desk)));
            } else {
                seat.pending.push_back(event.clone());
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

    fn resume(&mut self, seat: usize, place: u32, desk: &mut Desk<'_>) -> bool {
        let seat = &mut self.seats[seat];
        release(seat.resume(place, desk));
        for _ in 0..CALLS_PER_STEP {
            if !seat.is_free(desk) {
                return false;
            }
            let Some(event) = seat.pending.pop_front() else { return false };
            release(seat.begin(event, desk));
        }
        true
    }

    fn is_free(&self, seat: usize, desk: &Desk<'_>) -> bool {
        self.seats[seat].is_free(desk)
    }

    fn surrender(&mut self, held: &mut Vec<(u32, AnyEvent)>, cut: &mut Vec<u32>) {
        let (current, first) = self.current.take().unzip();
        for (place, seat) in self.seats.iter_mut().enumerate() {
            cut.extend(std::iter::repeat_n(seat.index, seat.surrender()));
            seat.give_back(held);
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
