//! Many intervals that come, go and are steered in any order, against the same done the plain way: every interval looked at for every
//! moment.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::policy::{Missed, Overlap};
use super::*;

/// What somebody does. Which interval it is done to is a number, modulo how many there are.
#[derive(Clone, Debug)]
enum Act {
    Insert { period: Option<u64>, immediately: bool, takes: u64 },
    Replace { of: usize, period: u64 },
    Clear(usize),
    Pause(usize),
    Resume(usize),
    Change(usize, Option<u64>),
    Run(usize),
    Wait(u64),
}

/// An interval the plain way.
#[derive(Clone, Debug)]
struct Plain {
    period: Option<u64>,
    next: Moment,
    paused: bool,
    wanted: bool,
    /// How long its ticks take, and when the one under way ends.
    takes: u64,
    until: Option<Moment>,
    cleared: bool,
    begun: u64,
    skipped: u64,
}

impl Plain {
    fn is_on(&self) -> bool {
        self.period.is_some() && !self.paused && !self.cleared
    }

    /// Counts what is due before a moment as skipped.
    fn skip_before(&mut self, moment: Moment) {
        if let Some(period) = self.period.filter(|_| self.is_on()) {
            while self.next < moment {
                self.next += period;
                self.skipped += 1;
            }
        }
    }

    /// When something happens to it, if nothing is done to it.
    fn happens(&self, now: Moment) -> Option<Moment> {
        match self.until {
            Some(end) => Some(end),
            None if self.wanted => Some(now),
            None => self.is_on().then_some(self.next),
        }
    }

    /// Ends and begins what is due.
    fn step(&mut self, now: Moment) {
        if self.until.is_some_and(|end| end <= now) {
            self.until = None;
            self.skip_before(now);
        }
        let begin = |plain: &mut Self| {
            plain.begun += 1;
            plain.until = (plain.takes > 0).then_some(now + plain.takes);
        };
        if self.until.is_none() && std::mem::take(&mut self.wanted) {
            begin(self);
        }
        if let (None, true, Some(period)) = (self.until, self.is_on(), self.period)
            && self.next <= now
        {
            self.next += period;
            begin(self);
        }
    }
}

/// A timetable and the plain one.
#[derive(Default)]
struct Both {
    table: Timetable,
    plain: BTreeMap<SlotId, Plain>,
    /// Of each interval there is: how many ticks began, and how many were skipped.
    counts: BTreeMap<SlotId, (u64, u64)>,
    /// When ticks end.
    ends: Vec<(Moment, SlotId)>,
    now: Moment,
}

fn at(moment: Moment) -> Now {
    Now { moment, wall: 0 }
}

fn slot(period: Option<u64>) -> Slot {
    Slot::new(period.map_or(Pace::Off, Pace::Every), None, Overlap::Skip, Missed::CatchUpOnce)
}

impl Both {
    fn skipped(&mut self, id: SlotId, skipped: u64) {
        if let Some((_, all)) = self.counts.get_mut(&id) {
            *all += skipped;
        }
    }

    fn pick(&self, number: usize) -> Option<SlotId> {
        let live: Vec<_> = self.plain.iter().filter(|(_, plain)| !plain.cleared).map(|(id, _)| *id).collect();
        (!live.is_empty()).then(|| live[number % live.len()])
    }

    /// Adds an interval whose slot stands already for it.
    fn begin(&mut self, id: SlotId, period: Option<u64>, immediately: bool, takes: u64, until: Option<Moment>) {
        self.table.start(id, at(self.now), immediately);
        let next = self.now + if immediately { 0 } else { period.unwrap_or_default() };
        let plain =
            Plain { period, next, paused: false, wanted: false, takes, until, cleared: false, begun: 0, skipped: 0 };
        self.plain.insert(id, plain);
        self.counts.insert(id, (0, 0));
    }

    fn act(&mut self, act: &Act) {
        let now = at(self.now);
        let of = match *act {
            Act::Insert { period, immediately, takes } => {
                let id = self.table.insert(slot(period));
                return self.begin(id, period, immediately, takes, None);
            }
            Act::Wait(time) => return self.wait(self.now + time),
            Act::Replace { of, .. }
            | Act::Clear(of)
            | Act::Pause(of)
            | Act::Resume(of)
            | Act::Change(of, _)
            | Act::Run(of) => of,
        };
        let any = self.plain.keys().nth(of % self.plain.len().max(1)).copied();
        // a name is used again while a tick of the interval that had it still runs
        let picked = if let Act::Replace { .. } = act { any } else { self.pick(of) };
        let Some(id) = picked else { return };
        let Some(plain) = self.plain.get_mut(&id) else { return };
        // what was due while a tick ran
        let overtaken = |plain: &mut Plain| {
            if plain.until.is_some() {
                plain.skip_before(now.moment + 1);
            }
        };
        match *act {
            Act::Replace { period, .. } => {
                let (takes, until) = (plain.takes, plain.until);
                self.table.replace(id, slot(Some(period)));
                self.begin(id, Some(period), false, takes, until);
            }
            Act::Clear(_) => {
                (plain.cleared, plain.wanted) = (true, false);
                if plain.until.is_none() {
                    self.plain.remove(&id);
                }
                let gone = self.table.clear(id);
                assert_eq!(gone, !self.plain.contains_key(&id));
            }
            Act::Pause(_) => {
                overtaken(plain);
                plain.paused = true;
                let skipped = self.table.pause(id, now);
                self.skipped(id, skipped);
            }
            Act::Resume(_) => {
                if std::mem::take(&mut plain.paused)
                    && let Some(period) = plain.period
                {
                    while plain.next <= now.moment {
                        plain.next += period;
                    }
                }
                self.table.resume(id, now);
            }
            Act::Change(_, period) => {
                overtaken(plain);
                (plain.period, plain.next) = (period, now.moment + period.unwrap_or_default());
                let skipped = self.table.change(id, period.map_or(Pace::Off, Pace::Every), now);
                self.skipped(id, skipped);
            }
            // of a tick asked for and one due as another ends, either may be the first
            Act::Run(_) if plain.takes == 0 => {
                plain.wanted = true;
                self.table.run(id);
            }
            Act::Run(_) | Act::Insert { .. } | Act::Wait(_) => {}
        }
    }

    /// Lets time go on, waking only when there is something to do.
    fn wait(&mut self, until: Moment) {
        loop {
            let plain = self.plain.values().filter_map(|plain| plain.happens(self.now)).min();
            let end = self.ends.iter().map(|(end, _)| *end).min();
            let next = [self.table.next(), end].into_iter().flatten().min();
            let next = next.map(|next| next.max(self.now));
            let rings = plain.into_iter().chain(next).min();
            let Some(now) = rings.filter(|rings| *rings <= until) else { break };
            self.now = now;
            self.ring();
            self.plain.values_mut().for_each(|plain| plain.step(now));
            self.plain.retain(|_, plain| !plain.cleared || plain.until.is_some());
        }
        self.now = until;
    }

    fn ring(&mut self) {
        let now = at(self.now);
        let (over, on): (Vec<_>, Vec<_>) = self.ends.iter().partition(|(end, _)| *end <= self.now);
        self.ends = on;
        for (_, id) in over {
            let ended = self.table.ended(id, now);
            self.skipped(id, ended.skipped);
        }
        while let Some(due) = self.table.due(now, false) {
            match due {
                Due::Skipped { slot, skipped } => self.skipped(slot, skipped),
                Due::Begin { slot, skipped, .. } => {
                    self.skipped(slot, skipped);
                    if let Some((begun, _)) = self.counts.get_mut(&slot) {
                        *begun += 1;
                    }
                    match self.plain[&slot].takes {
                        0 => drop(self.table.ended(slot, now)),
                        takes => self.ends.push((self.now + takes, slot)),
                    }
                }
            }
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let period = || prop_oneof![4 => (1_u64..60).prop_map(Some), 1 => Just(None)];
    let takes = prop_oneof![2 => Just(0), 1 => 1_u64..100];
    let of = 0..1_000_usize;
    let act = prop_oneof![
        4 => (period(), any::<bool>(), takes)
            .prop_map(|(period, immediately, takes)| Act::Insert { period, immediately, takes }),
        1 => (of.clone(), 1_u64..60).prop_map(|(of, period)| Act::Replace { of, period }),
        2 => of.clone().prop_map(Act::Clear),
        2 => of.clone().prop_map(Act::Pause),
        2 => of.clone().prop_map(Act::Resume),
        2 => (of.clone(), period()).prop_map(|(of, period)| Act::Change(of, period)),
        2 => of.prop_map(Act::Run),
        5 => (0_u64..80).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..150)
}

proptest! {
    #[test]
    fn whatever_is_done_to_them_all_tick_when_they_should(acts in acts()) {
        let mut both = Both::default();
        for act in acts.into_iter().chain([Act::Wait(200)]) {
            both.act(&act);
            both.wait(both.now);
            for (id, plain) in both.plain.iter().filter(|(_, plain)| !plain.cleared) {
                prop_assert_eq!(both.counts[id], (plain.begun, plain.skipped), "{} after {:?}", id, act);
                let look = both.table.look(*id);
                prop_assert_eq!(look.running > 0, plain.until.is_some());
                let planned = plain.is_on().then_some(plain.next).filter(|next| *next > both.now);
                prop_assert_eq!(look.planned, planned, "{} after {:?}", id, act);
            }
        }
    }
}
