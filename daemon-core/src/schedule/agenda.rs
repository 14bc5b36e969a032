//! Timers in the order of their time: taken from the front, and put in anywhere.
//!
//! Intervals of one period come up in the order in which they went in, so a timer mostly belongs behind the last one of its kind. It is put
//! there: a few runs, each in order, and a heap for what fits behind none of them. Which run a timer is in matters to nobody.
//!
//! Invariants:
//! 1. Each run is in order.
//! 2. `first` is where the first of all timers is.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::pace::Moment;
use super::timetable::SlotId;

/// When something is due, and what. The moment goes first, for the order.
pub(super) type Timer = (Moment, SlotId);

/// How many runs there are: as many kinds of period do without the heap.
const RUNS: usize = 4;
/// The place of what is in the heap.
const HEAP: usize = RUNS;

/// Timers by time.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    runs: [VecDeque<Timer>; RUNS],
    heap: BinaryHeap<Reverse<Timer>>,
    first: Option<(Timer, usize)>,
}

impl Agenda {
    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(VecDeque::len).sum::<usize>() + self.heap.len()
    }

    /// The first timer.
    pub(super) fn first(&self) -> Option<Timer> {
        self.first.map(|(timer, _)| timer)
    }

    /// Puts a timer in: behind the latest that it may come after.
    pub(super) fn push(&mut self, timer: Timer) {
        let fitting = self.runs.iter().enumerate().filter(|(_, run)| run.back().is_none_or(|last| *last <= timer));
        let place = fitting.max_by_key(|(_, run)| run.back()).map_or(HEAP, |(place, _)| place);
        if let Some(run) = self.runs.get_mut(place) {
            run.reserve_exact(more(run.len(), run.capacity()));
            run.push_back(timer);
        } else {
            self.heap.reserve_exact(more(self.heap.len(), self.heap.capacity()));
            self.heap.push(Reverse(timer));
        }
        if self.first.is_none_or(|(first, _)| timer < first) {
            self.first = Some((timer, place));
        }
    }

    /// Takes the first timer out.
    pub(super) fn pop(&mut self) -> Option<Timer> {
        let (timer, place) = self.first?;
        match self.runs.get_mut(place) {
            Some(run) => drop(run.pop_front()),
            None => drop(self.heap.pop()),
        }
        self.look();
        Some(timer)
    }

    /// Puts the first timer off: in its own run, if it may come last there.
    pub(super) fn put_off(&mut self, until: Moment) {
        let Some(((_, id), place)) = self.first else { return };
        let timer = (until, id);
        match self.runs.get_mut(place) {
            Some(run) if run.back().is_some_and(|last| *last <= timer) => {
                run.pop_front();
                run.push_back(timer);
                self.look();
            }
            _ => {
                self.pop();
                self.push(timer);
            }
        }
    }

    /// Finds the first timer.
    fn look(&mut self) {
        let mut first = self.heap.peek().map(|Reverse(timer)| (*timer, HEAP));
        for (place, run) in self.runs.iter().enumerate() {
            if let Some(front) = run.front()
                && first.is_none_or(|(timer, _)| *front < timer)
            {
                first = Some((*front, place));
            }
        }
        self.first = first;
    }

    /// Forgets all timers for these.
    pub(super) fn refill(&mut self, timers: impl Iterator<Item = Timer>) {
        let mut all: Vec<_> = timers.collect();
        all.sort_unstable();
        *self = Self { first: all.first().map(|first| (*first, 0)), ..Self::default() };
        self.runs[0] = all.into();
    }
}

/// From how many on room is made by the eighth: what is so large is moved without being copied, and leaves no hole.
const MANY: usize = 4096;

/// For how many more room is made where there is none: for as many again, and of many for an eighth, since what is kept for each interval is
/// small, and twice of it is not.
pub(super) fn more(len: usize, capacity: usize) -> usize {
    match len {
        _ if len < capacity => 0,
        ..MANY => len.max(4),
        MANY.. => len / 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timers_come_out_in_order(
            steps in prop::collection::vec((0..5_u8, (0..200_u64, 0..9_u32)), 0..300),
        ) {
            let (mut agenda, mut sorted) = (Agenda::default(), Vec::new());
            for (number, (step, timer)) in steps.into_iter().enumerate() {
                match step {
                    0 => prop_assert_eq!(agenda.pop(), (!sorted.is_empty()).then(|| sorted.remove(0))),
                    1 | 2 => {
                        agenda.put_off(timer.0);
                        sorted.iter_mut().take(1).for_each(|first| first.0 = timer.0);
                    }
                    _ => {
                        agenda.push(timer);
                        sorted.push(timer);
                    }
                }
                sorted.sort_unstable();
                if number % 50 == 49 {
                    agenda.refill(sorted.iter().rev().copied());
                }
                prop_assert_eq!((agenda.len(), agenda.first()), (sorted.len(), sorted.first().copied()));
            }
        }
    }

    /// In how many steps room was made while these were pushed, and for how many timers there is in the end.
    fn room(timers: impl Iterator<Item = Timer>, capacity: impl Fn(&Agenda) -> usize) -> (usize, usize) {
        let (mut agenda, mut steps, mut room) = (Agenda::default(), 0, 0);
        for timer in timers {
            agenda.push(timer);
            steps += usize::from(capacity(&agenda) != room);
            room = capacity(&agenda);
        }
        (steps, room)
    }

    #[test]
    fn room_for_many_is_made_by_the_eighth_and_seldom() {
        let many = 10 * MANY as u64;
        let in_a_run =
            room((0..many).map(|moment| (moment, 0)), |agenda| agenda.runs.iter().map(VecDeque::capacity).sum());
        let in_the_heap = room((0..many).rev().map(|moment| (moment, 0)), |agenda| agenda.heap.capacity());
        for (steps, room) in [in_a_run, in_the_heap] {
            assert!(steps < 40 && room as u64 <= many * 9 / 8, "{room} in {steps} steps");
        }
    }

    #[test]
    fn a_few_kinds_of_period_need_no_heap() {
        let mut agenda = Agenda::default();
        let periods = [10, 250, 7_000];
        (0..300).for_each(|id| agenda.push((periods[id as usize % 3], id)));
        for _ in 0..20_000 {
            let (moment, id) = agenda.first().unwrap();
            agenda.put_off(moment + periods[id as usize % 3]);
        }
        assert_eq!((agenda.len(), agenda.heap.len()), (300, 0));
    }
}
