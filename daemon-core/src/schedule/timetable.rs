//! All intervals of a life, with their timers. Pure: time is told, and what is to be done is told back.
//!
//! Invariants:
//! 1. An armed slot has a timer on the agenda. One that does not fit its slot any more is stale, and dropped when it comes up.
//! 2. A slot that is ready stands in `ready`, once.

use std::collections::VecDeque;

use super::agenda::{Agenda, more};
use super::pace::{Moment, Now, Pace};
use super::slot::Slot;

/// Which interval of a timetable. It is given out anew once the interval is cleared and its last tick has ended.
pub(crate) type SlotId = u32;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Begin a tick, and tell when it [has ended](Timetable::ended).
    Begin {
        slot: SlotId,
        /// How late it is, in nanoseconds; nothing is late that had to wait or was asked for.
        late: Option<u64>,
        /// How many others are skipped.
        skipped: u64,
    },
    /// Count ticks that are skipped.
    Skipped { slot: SlotId, skipped: u64 },
}

/// What came of the end of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// How many ticks are skipped because they were due meanwhile.
    pub(crate) skipped: u64,
    /// Whether no tick of this interval is under way any more.
    pub(crate) idle: bool,
    /// Whether its slot is free now.
    pub(crate) gone: bool,
}

/// The intervals of one life.
#[derive(Default)]
pub(crate) struct Timetable {
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    timers: Agenda,
    ready: VecDeque<SlotId>,
    /// Whether it is the turn of those that wait, so that neither they nor timers have to stand back for long.
    waiting_first: bool,
}

impl Timetable {
    fn slot(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[id as usize]
    }

    /// Adds an interval, which ticks once it is [started](Self::start).
    pub(super) fn insert(&mut self, slot: Slot) -> SlotId {
        if let Some(id) = self.free.pop() {
            self.replace(id, slot);
            return id;
        }
        self.slots.reserve_exact(more(self.slots.len(), self.slots.capacity()));
        self.slots.push(slot);
        (self.slots.len() - 1) as SlotId
    }

    /// Puts an interval into the place of another, whose ticks under way end first.
    pub(super) fn replace(&mut self, id: SlotId, slot: Slot) {
        let old = self.slot(id);
        *old = slot.replacing(old);
    }

    /// Lets an interval tick, from one period after now on.
    pub(crate) fn start(&mut self, id: SlotId, now: Now, immediately: bool) {
        self.slot(id).start(now, immediately);
        self.set_timer(id);
        self.list(id);
    }

    /// Lets all intervals tick, from one period after now on.
    pub(super) fn start_all(&mut self, now: Now) {
        (0..self.slots.len() as SlotId).for_each(|id| self.start(id, now, false));
    }

    /// Ends an interval; returns whether its slot is free, since none of its ticks is under way.
    pub(crate) fn clear(&mut self, id: SlotId) -> bool {
        let slot = self.slot(id);
        slot.clear();
        let gone = slot.running == 0;
        if gone {
            self.free.push(id);
        }
        gone
    }

    /// Stops an interval from ticking; returns how many ticks are skipped for that.
    pub(crate) fn pause(&mut self, id: SlotId, now: Now) -> u64 {
        self.slot(id).pause(now)
    }

    /// Lets an interval that was paused go on.
    pub(crate) fn resume(&mut self, id: SlotId, now: Now) {
        self.slot(id).resume(now);
        self.set_timer(id);
    }

    /// Gives an interval another pace, from now on; returns how many ticks are skipped for that.
    pub(crate) fn change(&mut self, id: SlotId, pace: Pace, now: Now) -> u64 {
        let skipped = self.slot(id).change(pace, now);
        self.set_timer(id);
        skipped
    }

    /// Gives an interval that has not been started another pace.
    pub(crate) fn set(&mut self, id: SlotId, pace: Pace) {
        self.slot(id).set_pace(pace);
    }

    /// Lets an interval tick as soon as it may, whatever its pace; once, however often it is asked meanwhile.
    pub(crate) fn run(&mut self, id: SlotId) {
        self.slot(id).wanted = true;
        self.list(id);
    }

    /// The wall clock was set, or a suspend is over.
    pub(crate) fn rebase(&mut self, now: Now) {
        for id in 0..self.slots.len() as SlotId {
            let slot = self.slot(id);
            let before = slot.planned();
            slot.rebase(now);
            if slot.planned() != before {
                self.set_timer(id);
            }
        }
    }

    /// A tick has ended.
    #[inline]
    pub(crate) fn ended(&mut self, id: SlotId, now: Now) -> Ended {
        let slot = self.slot(id);
        let before = slot.planned();
        let skipped = slot.ended(now);
        let idle = slot.running == 0;
        let gone = idle && slot.cleared;
        let armed = slot.planned() != before;
        if gone {
            self.free.push(id);
        } else {
            if armed {
                self.set_timer(id);
            }
            self.list(id);
        }
        Ended { skipped, idle, gone }
    }

    /// Sets an armed slot's timer.
    fn set_timer(&mut self, id: SlotId) {
        let Some(at) = self.slot(id).planned() else { return };
        self.timers.push((at, id));
        // Stale timers are dropped as they come up; those of intervals that are changed all the time come up late.
        if self.timers.len() > 2 * self.slots.len() + 64 {
            let timer = |(id, slot): (SlotId, &Slot)| Some((slot.planned()?, id));
            self.timers.refill((0..).zip(&self.slots).filter_map(timer));
        }
    }

    /// Lists a slot that is ready.
    fn list(&mut self, id: SlotId) {
        let slot = &mut self.slots[id as usize];
        if slot.is_ready() && !slot.listed {
            slot.listed = true;
            self.ready.push_back(id);
        }
    }

    /// What is due by now, one thing at a time; `None` if there is nothing more. `jumped`: there was a suspend or a step of
    /// the clock since everything had been done.
    #[inline]
    pub(crate) fn due(&mut self, now: Now, jumped: bool) -> Option<Due> {
        self.waiting_first = !self.waiting_first;
        if self.waiting_first
            && let Some(due) = self.waiting()
        {
            return Some(due);
        }
        self.ringing(now, jumped).or_else(|| self.waiting())
    }

    fn waiting(&mut self) -> Option<Due> {
        while let Some(id) = self.ready.pop_front() {
            let slot = &mut self.slots[id as usize];
            slot.listed = false;
            if slot.is_ready() {
                slot.begin_waiting();
                self.list(id);
                return Some(Due::Begin { slot: id, late: None, skipped: 0 });
            }
        }
        None
    }

    fn ringing(&mut self, now: Now, jumped: bool) -> Option<Due> {
        loop {
            let (at, id) = self.timers.first()?;
            let slot = &mut self.slots[id as usize];
            if slot.planned() != Some(at) {
                self.timers.pop();
                continue;
            }
            if at > now.moment {
                return None;
            }
            let (late, skipped) = slot.ring(now, jumped);
            // One that is not planned any more leaves its timer stale (invariant 1).
            if let Some(next) = slot.planned() {
                self.timers.put_off(next);
            }
            if late.is_some() {
                self.list(id);
                return Some(Due::Begin { slot: id, late, skipped });
            }
            if skipped > 0 {
                return Some(Due::Skipped { slot: id, skipped });
            }
        }
    }

    /// When something is due next; `None` if nothing is until an interval is changed or a tick ends.
    pub(crate) fn next(&mut self) -> Option<Moment> {
        // One that is not ready any more is no reason to come again: whoever comes goes through them all.
        if !self.ready.is_empty() {
            return Some(0);
        }
        loop {
            let (at, id) = self.timers.first()?;
            if self.slots[id as usize].planned() == Some(at) {
                return Some(at);
            }
            self.timers.pop();
        }
    }

    /// An interval as it is now: its pace, when its next tick is planned, whether it is paused, how many ticks run.
    pub(crate) fn look(&self, id: SlotId) -> Look {
        let slot = &self.slots[id as usize];
        Look { pace: slot.pace(), planned: slot.planned(), paused: slot.is_paused(), running: slot.running }
    }
}

/// What is to be seen of an interval.
pub(crate) struct Look {
    pub(crate) pace: Pace,
    pub(crate) planned: Option<Moment>,
    pub(crate) paused: bool,
    pub(crate) running: u16,
}

#[cfg(test)]
mod steered;
#[cfg(test)]
mod tests;
