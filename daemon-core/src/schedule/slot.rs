//! When one interval ticks: its grid of times, what of it runs, what waits. Pure: time is told, nothing is called.
//!
//! Invariants:
//! 1. `running` never exceeds `limit`, and nothing begins while ticks of an interval that this one replaced run.
//! 2. `due` is on the grid, and after every tick that has been begun, skipped or counted as waiting.
//! 3. A slot is armed, or its tick under way ends first, or nothing makes it tick but a call by hand.

use std::sync::Arc;

use daemon_grammar::Percent;

use super::jitter;
use super::pace::{Calendar, Moment, Now, Pace};
use super::policy::{Missed, Overlap, Passed};

/// What is rarely there, and therefore apart.
#[derive(Default)]
struct Extra {
    /// The share of the period that ticks are delayed by at most.
    jitter: Option<Percent>,
    /// The delay of the tick that is due next.
    delay: u64,
    calendar: Option<(Arc<dyn Calendar>, i64)>,
}

/// Whether a slot has a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has one.
    Armed,
    /// It gets one when a tick under way ends.
    Parked,
    /// It needs none.
    Idle,
}

/// How far apart the clock must be set back for its new time to count at once, as cron(8) has it. If it is set back by
/// less, what has been run is not run again.
const CORRECTION: u64 = 3 * 3_600 * 1_000_000_000;
/// How many times of a calendar that were missed are counted one by one.
const COUNTED: u64 = 10_000;

/// One interval of a timetable. There may be many, so what is in here is small.
pub(super) struct Slot {
    /// 0: off, or told by a calendar.
    period: u64,
    /// The next tick on the grid, without its jitter.
    due: Moment,
    extra: Option<Box<Extra>>,
    pub(super) running: u16,
    /// Ticks that are to begin as soon as they may.
    pub(super) pending: u16,
    limit: u16,
    queue: u16,
    missed: Missed,
    state: State,
    paused: bool,
    /// Asked for by hand.
    pub(super) wanted: bool,
    /// Ticks of an interval that this one replaced are still running.
    draining: bool,
    left_out: bool,
    /// Whether it stands in the list of those that are to begin a tick at once.
    pub(super) listed: bool,
    pub(super) cleared: bool,
}

impl Slot {
    pub(super) fn new(pace: Pace, jitter: Option<Percent>, overlap: Overlap, missed: Missed) -> Self {
        let mut slot = Self {
            period: 0,
            due: 0,
            extra: jitter.map(|jitter| Box::new(Extra { jitter: Some(jitter), ..Extra::default() })),
            running: 0,
            pending: 0,
            limit: overlap.limit(),
            queue: overlap.queue(),
            missed,
            state: State::Idle,
            paused: false,
            wanted: false,
            draining: false,
            left_out: false,
            listed: false,
            cleared: false,
        };
        slot.set_pace(pace);
        slot
    }

    /// Takes the place of `other`, whose ticks under way end first.
    pub(super) fn replacing(mut self, other: &Self) -> Self {
        self.running = other.running;
        self.draining = other.running > 0;
        self.listed = other.listed;
        self
    }

    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.period = 0;
        if let Some(extra) = &mut self.extra {
            extra.calendar = None;
        }
        match pace {
            Pace::Off => {}
            Pace::Every(period) => self.period = period,
            Pace::Calendar(calendar) => self.extra.get_or_insert_default().calendar = Some((calendar, i64::MIN)),
        }
    }

    fn calendar(&mut self) -> Option<&mut (Arc<dyn Calendar>, i64)> {
        self.extra.as_mut()?.calendar.as_mut()
    }

    fn delay(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.delay)
    }

    /// When its next tick is planned, if it has a timer.
    pub(super) fn planned(&self) -> Option<Moment> {
        (self.state == State::Armed).then(|| self.due.saturating_add(self.delay()))
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Its pace now.
    pub(super) fn pace(&self) -> Pace {
        let calendar = self.extra.as_ref().and_then(|extra| extra.calendar.as_ref());
        match calendar {
            Some((calendar, _)) => Pace::Calendar(calendar.clone()),
            None if self.period > 0 => Pace::Every(self.period),
            None => Pace::Off,
        }
    }

    /// Lays its grid, beginning now, and arms it.
    pub(super) fn start(&mut self, now: Now, immediately: bool) {
        self.left_out = false;
        self.state = State::Idle;
        if let Some((calendar, wall)) = self.calendar() {
            *wall = calendar.next(now.wall).unwrap_or(i64::MAX);
            self.due = now.when(*wall);
            self.wanted |= immediately && !self.paused;
        } else if self.period > 0 {
            self.due = if immediately { now.moment } else { now.moment.saturating_add(self.period) };
        } else {
            return;
        }
        self.arm();
    }

    /// Gives it another pace, from now on. Returns how many ticks are skipped: those that were due while another ran, and with no pace
    /// at all those that were waiting.
    pub(super) fn change(&mut self, pace: Pace, now: Now) -> u64 {
        let passed = self.overtaken(now);
        let waiting = if let Pace::Off = pace { std::mem::take(&mut self.pending) } else { 0 };
        self.set_pace(pace);
        self.start(now, false);
        passed + u64::from(waiting)
    }

    /// No tick begins any more, unless by hand. Returns how many are skipped: those that were due while another ran, and those that were
    /// waiting.
    pub(super) fn pause(&mut self, now: Now) -> u64 {
        let passed = self.overtaken(now);
        self.paused = true;
        self.state = State::Idle;
        passed + u64::from(std::mem::take(&mut self.pending))
    }

    /// How many ticks were due by now that the end of one under way would count.
    fn overtaken(&mut self, now: Now) -> u64 {
        if self.state == State::Parked { self.pass(now).count } else { 0 }
    }

    /// Goes on where the grid is now.
    pub(super) fn resume(&mut self, now: Now) {
        if std::mem::take(&mut self.paused) && self.has_times() {
            self.left_out = false;
            self.pass(now);
        }
    }

    /// Ends it; ticks under way go on.
    pub(super) fn clear(&mut self) {
        self.cleared = true;
        self.wanted = false;
        self.pending = 0;
        self.state = State::Idle;
    }

    fn has_times(&self) -> bool {
        self.period > 0 || self.extra.as_ref().is_some_and(|extra| extra.calendar.is_some())
    }

    /// Whether another tick may begin.
    fn may_begin(&self) -> bool {
        self.running < self.limit && !self.draining
    }

    /// Whether a tick that waits may begin.
    pub(super) fn is_ready(&self) -> bool {
        (self.wanted || self.pending > 0) && self.may_begin()
    }

    /// Begins a tick that waits. It must be [ready](Self::is_ready).
    pub(super) fn begin_waiting(&mut self) {
        if !std::mem::take(&mut self.wanted) {
            self.pending -= 1;
        }
        self.running += 1;
    }

    /// Its timer has run out: whether a tick begins, with how late it is, and how many are skipped.
    pub(super) fn ring(&mut self, now: Now, jumped: bool) -> (Option<u64>, u64) {
        if !self.may_begin() && (self.limit == 1 || self.draining) {
            self.state = State::Parked; // its multiples are counted at once when the tick ends
            return (None, 0);
        }
        let delay = self.delay();
        let passed = self.pass(now.before(delay));
        if passed.count == 0 || !self.may_begin() {
            // Nothing has passed if the wall clock was set back at this very moment.
            return (None, passed.count);
        }
        let made = self.missed.made(passed, self.left_out, jumped);
        self.left_out = made == 0;
        if made == 0 {
            return (None, passed.count);
        }
        self.running += 1;
        let waits = self.wait(made - 1, Missed::BURST.max(self.queue));
        (Some(if made == 1 { passed.late } else { passed.behind }), passed.count - 1 - waits)
    }

    /// A tick has ended; returns how many are skipped because they were due meanwhile.
    pub(super) fn ended(&mut self, now: Now) -> u64 {
        self.running -= 1;
        self.draining &= self.running > 0;
        if self.state != State::Parked || !self.may_begin() {
            return 0;
        }
        // One that is due right now is not late.
        let Passed { count, .. } = self.pass(now.before(1));
        count - self.wait(count, self.queue)
    }

    /// Lets as many ticks wait as there is room for, if `most` may; returns how many that are.
    fn wait(&mut self, ticks: u64, most: u16) -> u64 {
        let waits = ticks.min(u64::from(most.saturating_sub(self.pending)));
        self.pending += waits as u16; // no more than `most`
        waits
    }

    /// The wall clock was set, or a suspend is over: the times of a calendar come at other moments.
    pub(super) fn rebase(&mut self, now: Now) {
        let due = self.due;
        let Some((calendar, wall)) = self.calendar() else { return };
        // What the clock would show now if nobody had touched it.
        let untouched = if due > now.moment {
            wall.saturating_sub_unsigned(due - now.moment)
        } else {
            wall.saturating_add_unsigned(now.moment - due)
        };
        if untouched.saturating_sub(now.wall) >= CORRECTION as i64 {
            *wall = calendar.next(now.wall).unwrap_or(i64::MAX);
        }
        self.due = now.when(*wall);
    }

    /// Moves its grid past `by` and arms it; returns what was passed.
    fn pass(&mut self, by: Now) -> Passed {
        let passed = if self.period > 0 { self.pass_multiples(by) } else { self.pass_dates(by) };
        self.arm();
        passed
    }

    fn pass_multiples(&mut self, by: Now) -> Passed {
        let gap = self.period;
        let Some(behind) = by.moment.checked_sub(self.due) else {
            return Passed { count: 0, behind: 0, late: 0, gap };
        };
        let (count, late) = if behind < gap { (1, behind) } else { (behind / gap + 1, behind % gap) };
        // The latest one is at `by - late`, and the next is one period later.
        self.due = (by.moment - late).saturating_add(gap);
        Passed { count, behind, late, gap }
    }

    fn pass_dates(&mut self, by: Now) -> Passed {
        self.rebase(by); // the clock may have been set, and nobody said so yet
        let mut passed = Passed { count: 0, behind: 0, late: 0, gap: 0 };
        let Some((calendar, wall)) = self.calendar() else { return passed };
        passed.behind = by.wall.saturating_sub(*wall).max(0) as u64;
        while *wall <= by.wall {
            passed.count += 1;
            passed.late = by.wall.saturating_sub(*wall) as u64;
            let after = if passed.count < COUNTED { *wall } else { by.wall };
            let next = calendar.next(after).unwrap_or(i64::MAX);
            passed.gap = next.saturating_sub(*wall) as u64;
            *wall = next;
        }
        self.due = by.when(*wall);
        passed
    }

    /// Gives it a timer, if a tick is to come.
    fn arm(&mut self) {
        debug_assert!(self.has_times(), "without any it would ring for ever");
        self.state = if self.paused { State::Idle } else { State::Armed };
        let Some(extra) = &mut self.extra else { return };
        if let Some((_, i64::MAX)) = extra.calendar {
            self.state = State::Idle; // there is no further one
            return;
        }
        if let Some(jitter) = extra.jitter {
            let period = match &extra.calendar {
                Some((calendar, wall)) => calendar.next(*wall).map_or(0, |next| next.saturating_sub(*wall) as u64),
                None => self.period,
            };
            extra.delay = jitter::delay(jitter, period);
        }
    }
}
