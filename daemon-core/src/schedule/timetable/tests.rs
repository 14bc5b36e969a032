use std::sync::Arc;

use proptest::prelude::*;

use super::super::pace::Calendar;
use super::super::policy::{Missed, Overlap};
use super::*;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

fn at(moment: u64) -> Now {
    Now { moment, wall: moment as i64 }
}

fn every(period: u64, overlap: Overlap, missed: Missed) -> Slot {
    Slot::new(Pace::Every(period), None, overlap, missed)
}

/// A timetable of one interval, and what has come of it.
struct One {
    table: Timetable,
    id: SlotId,
    begun: u64,
    skipped: u64,
}

impl One {
    fn new(slot: Slot) -> Self {
        let mut table = Timetable::default();
        let id = table.insert(slot);
        table.start(id, at(0), false);
        Self { table, id, begun: 0, skipped: 0 }
    }

    /// Begins what is due; returns how many ticks began.
    fn wake(&mut self, now: u64, jumped: bool) -> u64 {
        let before = self.begun;
        while let Some(due) = self.table.due(at(now), jumped) {
            match due {
                Due::Begin { skipped, .. } => {
                    self.begun += 1;
                    self.skipped += skipped;
                }
                Due::Skipped { skipped, .. } => self.skipped += skipped,
            }
        }
        self.begun - before
    }

    fn end(&mut self, now: u64) {
        self.skipped += self.table.ended(self.id, at(now)).skipped;
    }

    /// As `wake`, with ticks that take no time.
    fn tick(&mut self, now: u64, jumped: bool) -> u64 {
        let before = self.begun;
        while self.wake(now, jumped) > 0 {
            while self.running() > 0 {
                self.end(now);
            }
        }
        self.begun - before
    }

    fn slot(&self) -> &Slot {
        &self.table.slots[self.id as usize]
    }

    fn running(&self) -> u16 {
        self.slot().running
    }
}

#[test]
fn an_entry_is_small() {
    let entry = size_of::<Slot>() + size_of::<super::super::agenda::Timer>();
    assert!(entry <= 56, "{entry} bytes: a tenth of what a task with a tokio interval takes is 57");
}

#[test]
fn ticks_come_at_multiples_and_nothing_wakes_in_between() {
    let mut one = One::new(every(S, Overlap::Skip, Missed::Skip));
    for n in 1..=1_000 {
        assert_eq!(one.table.next(), Some(n * S));
        assert_eq!(one.tick(n * S - 1, false), 0);
        assert_eq!(one.tick(n * S + 300_000, false), 1);
    }
    assert_eq!((one.begun, one.skipped), (1_000, 0));
}

#[test]
fn multiples_that_pass_while_a_tick_runs_are_counted_when_it_ends() {
    let mut one = One::new(every(10 * S, Overlap::Skip, Missed::Skip));
    one.wake(10 * S, false);
    assert_eq!(one.table.next(), Some(20 * S));
    assert_eq!(one.wake(20 * S, false), 0);
    assert_eq!(one.table.next(), None, "the end of the tick comes first");
    one.end(35 * S);
    assert_eq!((one.begun, one.skipped, one.table.next()), (1, 2, Some(40 * S)));
    // one that ends as the next is due hands over to it
    one.wake(40 * S, false);
    one.wake(50 * S, false);
    one.end(60 * S);
    assert_eq!((one.skipped, one.wake(60 * S, false)), (3, 1));
}

#[test]
fn a_slot_is_used_again_once_its_last_tick_has_ended() {
    let mut table = Timetable::default();
    for round in 0..100 {
        let id = table.insert(every(S, Overlap::Concurrent(2), Missed::Skip));
        table.start(id, at(0), false);
        for begun in 1..=2 * (round % 2) {
            assert!(matches!(table.due(at(begun * S), false), Some(Due::Begin { .. })), "{round}");
        }
        assert_eq!(table.clear(id), round % 2 == 0);
        if round % 2 == 1 {
            assert!(!table.ended(id, at(3 * S)).gone && table.ended(id, at(3 * S)).gone);
        }
    }
    assert_eq!((table.slots.len(), table.free.len()), (1, 1));
}

#[test]
fn what_waited_when_an_interval_was_cleared_is_nothing_to_the_next_one() {
    let mut table = Timetable::default();
    let next = |table: &mut Timetable, id| {
        assert!(table.clear(id) && table.due(at(10 * S), false).is_none(), "it has been cleared");
        let id = table.insert(every(S, Overlap::Queue(3), Missed::Skip));
        table.start(id, at(10 * S), false);
        id
    };
    let mut id = table.insert(every(S, Overlap::Queue(3), Missed::Skip));
    table.start(id, at(0), false);
    table.run(id); // asked for
    id = next(&mut table, id);
    assert!(matches!(table.due(at(11 * S), false), Some(Due::Begin { .. })));
    assert_eq!(table.ended(id, at(13 * S + 1)).skipped, 0, "two wait for it");
    id = next(&mut table, id);
    assert!(matches!(table.due(at(11 * S), false), Some(Due::Begin { .. })));
    assert!(table.ended(id, at(11 * S)).idle);
}

#[test]
fn those_that_wait_and_those_that_ring_take_turns() {
    let mut table = Timetable::default();
    let [rings, waits] = [1, 1_000 * S].map(|period| table.insert(every(period, Overlap::Skip, Missed::Skip)));
    for id in [rings, waits] {
        table.start(id, at(0), false);
    }
    for now in 1..20 {
        for _ in 0..100 {
            table.run(waits); // as often as one likes
        }
        assert!(table.ready.len() <= 1, "{:?}", table.ready);
        let begun: Vec<_> = (0..2)
            .map(|_| match table.due(at(now), false) {
                Some(Due::Begin { slot, .. }) => {
                    table.ended(slot, at(now));
                    slot
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(begun.contains(&rings) && begun.contains(&waits), "{begun:?}");
    }
}

#[test]
fn ticks_side_by_side_begin_together() {
    let mut one = One::new(every(S, Overlap::Concurrent(3), Missed::Burst));
    assert_eq!(one.wake(5 * S, true), 3, "as many as may run at once");
    one.end(5 * S);
    assert_eq!(one.wake(5 * S, false), 1);
}

/// One that was left out is made at the next occasion; another pace or a pause in between makes that a new beginning.
#[test]
fn what_was_left_out_before_a_change_or_a_pause_is_not_made_up() {
    for change in [true, false] {
        let mut one = One::new(every(3_600 * S, Overlap::Skip, Missed::Skip));
        assert_eq!(one.tick(3_600 * S + 1_800 * S, true), 0, "left out");
        let now = at(2 * 3_600 * S);
        if change {
            one.table.change(one.id, Pace::Every(3_600 * S), now);
        } else {
            one.table.pause(one.id, now);
            one.table.resume(one.id, now);
        }
        assert_eq!(one.tick(3 * 3_600 * S + 1_800 * S, false), 0, "too late for its own");
    }
}

#[test]
fn an_interval_that_goes_by_the_clock_forgets_that_with_a_period() {
    let mut one = One::new(bells(Missed::Skip));
    one.table.change(one.id, Pace::Every(5 * S), at(0));
    assert_eq!(one.table.next(), Some(5 * S));
    assert!(matches!(one.table.look(one.id).pace, Pace::Every(_)));
}

#[test]
fn a_clock_that_is_set_back_as_a_time_comes_begins_nothing() {
    let mut one = One::new(bells(Missed::Skip));
    let hour = HOUR as u64;
    let back = Now { moment: hour, wall: HOUR - 1 };
    assert_eq!(one.table.due(back, true), None);
    assert_eq!(one.table.next(), Some(hour + 1));
}

/// Counts how often it is asked.
struct Seconds(Arc<std::sync::atomic::AtomicU64>);

impl Calendar for Seconds {
    fn next(&self, after: i64) -> Option<i64> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some((after / S as i64 + 1) * S as i64)
    }

    fn text(&self) -> &str {
        "seconds"
    }
}

#[test]
fn a_leap_over_any_number_of_times_takes_bounded_work() {
    let asked = Arc::<std::sync::atomic::AtomicU64>::default();
    let pace = Pace::Calendar(Arc::new(Seconds(asked.clone())));
    let mut one = One::new(Slot::new(pace, None, Overlap::Skip, Missed::Skip));
    one.tick(100_000 * S, true);
    assert!(asked.load(std::sync::atomic::Ordering::Relaxed) < 11_000, "{asked:?}");
    assert_eq!(one.table.next(), Some(100_001 * S));
}

#[test]
fn a_queue_takes_what_it_has_room_for() {
    let mut one = One::new(every(S, Overlap::Queue(3), Missed::Skip));
    one.wake(S, false);
    one.wake(2 * S, false);
    one.end(8 * S + MS);
    assert_eq!(one.skipped, 7 - 3);
    for left in [2, 1, 0] {
        assert_eq!(one.wake(8 * S + 2 * MS, false), 1, "one after the other");
        assert_eq!(one.slot().pending, left);
        one.end(8 * S + 3 * MS);
    }
    assert_eq!((one.wake(8 * S + 4 * MS, false), one.table.next()), (0, Some(9 * S)));
}

#[test]
fn as_many_run_side_by_side_as_may() {
    let mut one = One::new(every(S, Overlap::Concurrent(2), Missed::Skip));
    let begun: Vec<u64> = (1..=4).map(|n| one.wake(n * S, false)).collect();
    assert_eq!((begun, one.skipped), (vec![1, 1, 0, 0], 2));
    one.end(4 * S + MS);
    assert_eq!((one.wake(5 * S, false), one.running()), (1, 2));
}

#[test]
fn a_burst_goes_one_by_one_and_lets_others_have_their_turn() {
    let mut one = One::new(every(S, Overlap::Skip, Missed::Burst));
    let other = one.table.insert(every(S, Overlap::Skip, Missed::Skip));
    one.table.start(other, at(0), false);
    let (mut first, mut order) = (0, Vec::new());
    while let Some(due) = one.table.due(at(100 * S), false) {
        if let Due::Begin { slot, .. } = due {
            order.push(slot);
            first += u64::from(slot == one.id);
            assert!(one.running() <= 1);
            one.table.ended(slot, at(100 * S));
        }
    }
    assert_eq!(first, 100);
    assert!(order.iter().position(|slot| *slot == other) < Some(3), "the other waited for the burst");
}

#[test]
fn a_replaced_interval_ends_its_ticks_first() {
    let mut one = One::new(every(S, Overlap::CONCURRENT, Missed::Skip));
    one.wake(S, false);
    one.wake(2 * S, false);
    one.table.replace(one.id, every(S, Overlap::CONCURRENT, Missed::Skip));
    one.table.start(one.id, at(2 * S), false);
    assert_eq!(one.wake(5 * S, false), 0);
    one.end(5 * S + 1);
    assert_eq!(one.wake(6 * S, false), 0, "another one still runs");
    assert_eq!(one.table.ended(one.id, at(6 * S + 1)), Ended { skipped: 4, idle: true, gone: false });
    assert_eq!(one.wake(7 * S, false), 1);
}

#[test]
fn a_cleared_slot_is_free_after_its_last_tick() {
    let mut one = One::new(every(S, Overlap::Skip, Missed::Burst));
    one.wake(5 * S, false);
    assert!(!one.table.clear(one.id));
    assert_eq!(one.table.next(), None);
    assert!(one.table.ended(one.id, at(6 * S)).gone);
    assert_eq!(one.wake(60 * S, false), 0);
    assert_eq!(one.table.insert(every(S, Overlap::Skip, Missed::Skip)), one.id);
}

#[test]
fn a_paused_interval_runs_only_by_hand_and_goes_on_on_its_grid() {
    let mut one = One::new(every(S, Overlap::Skip, Missed::Burst));
    one.wake(3 * S, false);
    assert_eq!(one.table.pause(one.id, at(3 * S)), 2);
    one.end(3 * S);
    assert_eq!((one.wake(10 * S, false), one.table.next()), (0, None));
    one.table.run(one.id);
    one.table.run(one.id);
    assert_eq!(one.table.next(), Some(0));
    assert_eq!(one.tick(10 * S, false), 1, "once, however often it was asked");
    one.table.resume(one.id, at(10 * S + MS));
    assert_eq!(one.table.next(), Some(11 * S));
    assert_eq!(one.skipped, 0, "what it did not do while it was paused is not missing");
}

#[test]
fn another_pace_counts_from_now_and_none_turns_it_off() {
    let mut one = One::new(every(S, Overlap::Skip, Missed::Skip));
    one.table.change(one.id, Pace::Every(7 * S), at(500 * MS));
    assert_eq!(one.table.next(), Some(7 * S + 500 * MS));
    one.table.change(one.id, Pace::Off, at(S));
    assert_eq!(one.table.next(), None);
    one.table.resume(one.id, at(2 * S));
    assert_eq!(one.table.next(), None);
    one.table.run(one.id);
    assert_eq!(one.tick(2 * S, false), 1);
}

#[test]
fn an_interval_that_is_turned_off_makes_up_nothing() {
    let mut one = One::new(every(S, Overlap::Skip, Missed::Burst));
    one.wake(5 * S, false);
    assert_eq!(one.table.change(one.id, Pace::Off, at(5 * S)), 4, "those that were waiting");
    one.end(5 * S);
    assert_eq!((one.wake(9 * S, false), one.table.next()), (0, None));
}

#[test]
fn multiples_that_pass_while_a_tick_runs_are_counted_whatever_is_done_with_the_interval() {
    for changed in [false, true] {
        let mut one = One::new(every(10 * S, Overlap::Skip, Missed::Skip));
        one.wake(10 * S, false);
        one.wake(20 * S, false);
        let now = at(35 * S);
        let skipped =
            if changed { one.table.change(one.id, Pace::Every(S), now) } else { one.table.pause(one.id, now) };
        assert_eq!(skipped, 2, "changed: {changed}");
        one.end(35 * S);
        assert_eq!((one.skipped, one.table.next()), (0, changed.then_some(36 * S)));
    }
}

#[test]
fn a_paused_interval_does_not_begin_at_once() {
    for slot in [bells(Missed::Skip), every(S, Overlap::Skip, Missed::Skip)] {
        let mut table = Timetable::default();
        let id = table.insert(slot);
        table.pause(id, clock(0, 0));
        table.start(id, clock(0, 0), true);
        assert_eq!((strike(&mut table, clock(0, 0), false), table.next()), (0, None));
    }
}

#[test]
fn pausing_and_resuming_for_ever_takes_no_room() {
    let mut one = One::new(every(3_600 * S, Overlap::Skip, Missed::Skip));
    for n in 0..10_000 {
        one.table.pause(one.id, at(n));
        one.table.resume(one.id, at(n));
    }
    assert!(one.table.timers.len() < 100);
    assert_eq!(one.tick(3_600 * S, false), 1);
}

/// Every so many seconds by the clock on the wall, until some time.
struct Bells(i64, i64);

impl Calendar for Bells {
    fn next(&self, after: i64) -> Option<i64> {
        let next = (after.div_euclid(self.0) + 1) * self.0;
        (next < self.1).then_some(next)
    }

    fn text(&self) -> &str {
        "bells"
    }
}

const HOUR: i64 = 3_600 * S as i64;

fn bells(missed: Missed) -> Slot {
    Slot::new(Pace::Calendar(Arc::new(Bells(HOUR, 1_000 * HOUR))), None, Overlap::Skip, missed)
}

fn clock(moment: i64, wall: i64) -> Now {
    Now { moment: moment as u64, wall }
}

/// Begins and ends what is due; returns how many ticks that were.
fn strike(table: &mut Timetable, now: Now, jumped: bool) -> u64 {
    let mut begun = 0;
    while let Some(due) = table.due(now, jumped) {
        if let Due::Begin { slot, .. } = due {
            begun += 1;
            table.ended(slot, now);
        }
    }
    begun
}

#[test]
fn a_calendar_goes_with_the_clock_on_the_wall() {
    let mut table = Timetable::default();
    let id = table.insert(bells(Missed::Skip));
    table.start(id, clock(0, HOUR / 2), false);
    assert_eq!(table.next(), Some(HOUR as u64 / 2));
    assert_eq!(strike(&mut table, clock(HOUR / 2, HOUR), false), 1);
    // set forward over two of them: the next one is that which is next by now
    let now = clock(HOUR, 3 * HOUR + HOUR * 3 / 4);
    table.rebase(now);
    assert_eq!((strike(&mut table, now, true), table.next()), (0, Some((HOUR + HOUR / 4) as u64)));
    // set back by two hours: what has struck does not strike again
    let now = clock(HOUR + HOUR / 4, 4 * HOUR);
    assert_eq!(strike(&mut table, now, false), 1);
    let now = clock(HOUR + HOUR / 2, 2 * HOUR + HOUR / 4);
    table.rebase(now);
    assert_eq!((strike(&mut table, now, true), table.next()), (0, Some((HOUR + HOUR / 2 + HOUR * 11 / 4) as u64)));
    // set back by more: the clock was wrong before
    let now = clock(2 * HOUR, -5 * HOUR);
    table.rebase(now);
    assert_eq!(table.next(), Some(3 * HOUR as u64));
}

#[test]
fn a_clock_set_back_as_its_timer_rings_makes_nothing_tick() {
    let mut table = Timetable::default();
    let id = table.insert(bells(Missed::Burst));
    table.start(id, clock(0, HOUR / 2), false);
    // nobody has said yet that it was set
    assert_eq!(strike(&mut table, clock(HOUR / 2, HOUR - 1), false), 0);
    assert_eq!(table.next(), Some(HOUR as u64 / 2 + 1));
    assert_eq!(strike(&mut table, clock(HOUR / 2 + 1, HOUR), false), 1);
}

/// As the end of a tick in a task of its own may, which looks at the clock before the driver hears of it.
#[test]
fn a_clock_that_was_wrong_before_is_so_though_a_tick_ends_before_that_is_told() {
    let mut table = Timetable::default();
    let id = table.insert(bells(Missed::Skip));
    table.start(id, clock(0, 9 * HOUR + HOUR / 2), false);
    assert!(matches!(table.due(clock(HOUR / 2, 10 * HOUR), false), Some(Due::Begin { .. })));
    assert_eq!(table.due(clock(HOUR * 3 / 2, 11 * HOUR), false), None, "it runs");
    let now = clock(2 * HOUR, 4 * HOUR + HOUR / 2);
    table.ended(id, now);
    table.rebase(now);
    assert_eq!(table.next(), Some((2 * HOUR + HOUR / 2) as u64));
}

#[test]
fn missed_times_of_a_calendar_are_made_up_as_declared() {
    for (missed, expected) in [(Missed::Skip, 0), (Missed::CatchUpOnce, 1), (Missed::Burst, 5)] {
        let mut table = Timetable::default();
        let id = table.insert(bells(missed));
        table.start(id, clock(0, 0), false);
        let now = clock(5 * HOUR + HOUR / 2, 5 * HOUR + HOUR / 2);
        assert_eq!(strike(&mut table, now, true), expected, "{missed:?}");
        assert_eq!(table.next(), Some(6 * HOUR as u64));
    }
}

#[test]
fn a_calendar_can_end() {
    let mut table = Timetable::default();
    let id = table.insert(bells(Missed::Burst));
    table.start(id, clock(0, 997 * HOUR + 1), false);
    assert_eq!(strike(&mut table, clock(5 * HOUR, 1_002 * HOUR), true), 2);
    assert_eq!(table.next(), None);
    table.rebase(clock(6 * HOUR, 1_003 * HOUR));
    assert_eq!((strike(&mut table, clock(9 * HOUR, 1_006 * HOUR), true), table.next()), (0, None));
}

/// What a stretch of time is like.
#[derive(Clone, Debug)]
enum Stretch {
    /// Everything runs.
    Awake(u64),
    /// Nothing runs.
    Frozen(u64),
    /// The machine sleeps, and that is known afterwards.
    Suspended(u64),
}

fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
    let stretch = prop_oneof![
        3 => (1_u64..3_000).prop_map(Stretch::Awake),
        1 => (1_u64..20_000).prop_map(Stretch::Frozen),
        1 => (1_u64..20_000).prop_map(Stretch::Suspended),
    ];
    prop::collection::vec(stretch, 1..20)
}

fn policies() -> impl Strategy<Value = (Overlap, Missed)> {
    let overlap = prop_oneof![
        Just(Overlap::Skip),
        (1_u16..5).prop_map(Overlap::Queue),
        (2_u16..5).prop_map(Overlap::Concurrent),
    ];
    (overlap, prop_oneof![Just(Missed::Skip), Just(Missed::CatchUpOnce), Just(Missed::Burst)])
}

/// How many ticks begin, counted multiple by multiple, if they take no time.
fn by_counting(period: u64, missed: Missed, stretches: &[Stretch]) -> (u64, u64) {
    let (mut begun, mut skipped, mut now, mut next, mut left_out) = (0, 0, 0, period, false);
    let mut wake = |now: u64, jumped: bool| {
        let (mut all, mut last) = (0, 0);
        while next <= now {
            (all, last, next) = (all + 1, next, next + period);
        }
        if all == 0 {
            return;
        }
        let late = now - last > (period / 2).clamp(10, 60_000);
        let made = match missed {
            Missed::Skip if late && (jumped || !left_out) => 0,
            Missed::Skip | Missed::CatchUpOnce => 1,
            Missed::Burst => u64::min(all, 1_000),
        };
        left_out = made == 0;
        begun += made;
        skipped += all - made;
    };
    for stretch in stretches {
        match *stretch {
            Stretch::Awake(ms) => {
                (0..ms).for_each(|_| {
                    now += 1;
                    wake(now, false);
                });
            }
            Stretch::Frozen(ms) => {
                now += ms;
                wake(now, false);
            }
            Stretch::Suspended(ms) => {
                now += ms;
                wake(now, true);
            }
        }
    }
    (begun, skipped)
}

proptest! {
    #[test]
    fn counts_are_exact_whatever_pauses_there_are(period in 1_u64..5_000, missed in policies(), stretches in stretches()) {
        let (_, missed) = missed;
        let mut one = One::new(every(period * MS, Overlap::Skip, missed));
        let mut now = 0;
        for stretch in &stretches {
            match *stretch {
                Stretch::Awake(ms) => {
                    let end = now + ms * MS;
                    // wakes only when it says it must
                    while let Some(next) = one.table.next().filter(|next| *next <= end) {
                        one.tick(next, false);
                    }
                    now = end;
                }
                Stretch::Frozen(ms) => {
                    now += ms * MS;
                    one.tick(now, false);
                }
                Stretch::Suspended(ms) => {
                    now += ms * MS;
                    one.tick(now, true);
                }
            }
            prop_assert!(one.table.next().is_some(), "there is always a next tick");
        }
        prop_assert_eq!((one.begun, one.skipped), by_counting(period, missed, &stretches));
    }

    #[test]
    fn no_multiple_is_lost_and_no_bound_exceeded(
        period in 1_u64..50,
        (overlap, missed) in policies(),
        stretches in stretches(),
        takes in prop::collection::vec(0_u64..200, 1..10),
    ) {
        let mut one = One::new(every(period * MS, overlap, missed));
        let (mut now, mut ends, mut nth) = (0_u64, Vec::<u64>::new(), 0);
        let limit = overlap.limit();
        for stretch in &stretches {
            let (steps, by, jumped) = match *stretch {
                Stretch::Awake(ms) => (ms.min(500), 1, false),
                Stretch::Frozen(ms) => (1, ms, false),
                Stretch::Suspended(ms) => (1, ms, true),
            };
            for _ in 0..steps {
                now += by;
                let (over, on): (Vec<_>, Vec<_>) = ends.iter().partition(|end| **end <= now);
                ends = on;
                over.iter().for_each(|_| one.end(now * MS));
                loop {
                    let begun = one.wake(now * MS, jumped);
                    prop_assert!(one.running() <= limit);
                    if begun == 0 {
                        break;
                    }
                    for _ in 0..begun {
                        let takes = takes[nth % takes.len()];
                        nth += 1;
                        if takes == 0 { one.end(now * MS) } else { ends.push(now + takes) }
                    }
                }
                prop_assert_eq!(usize::from(one.running()), ends.len());
            }
        }
        // Once all that runs or waits has come to its end, every multiple is accounted for.
        while one.running() > 0 || one.wake(now * MS, false) > 0 {
            one.end(now * MS);
        }
        prop_assert_eq!(one.begun + one.skipped, now / period);
        prop_assert_eq!(one.table.next(), Some((now / period + 1) * period * MS));
    }
}

#[test]
fn many_intervals_have_room_for_an_eighth_more_at_most() {
    let mut table = Timetable::default();
    for _ in 0..5_000 {
        table.insert(every(S, Overlap::Skip, Missed::Skip));
    }
    assert!(table.slots.capacity() <= 5_000 * 9 / 8, "{}", table.slots.capacity());
}

/// Of several that are due, a single tick is the last one, and a burst begins with the first.
#[test]
fn how_late_a_tick_is_counts_from_when_that_one_was_due() {
    let first = |slot, now: i64| {
        let mut table = Timetable::default();
        let id = table.insert(slot);
        table.start(id, clock(0, 0), false);
        let due = table.due(clock(now, now), false);
        let Some(Due::Begin { late, .. }) = due else { panic!("{due:?}") };
        (late, table.next())
    };
    for (missed, passed) in [(Missed::Skip, 0), (Missed::CatchUpOnce, 0), (Missed::Burst, 4)] {
        let multiple = first(every(S, Overlap::Skip, missed), (5 * S + MS) as i64);
        assert_eq!(multiple, (Some(passed * S + MS), Some(6 * S)), "{missed:?}");
        let date = first(bells(missed), 5 * HOUR + 30 * S as i64);
        let hour = HOUR as u64;
        assert_eq!(date, (Some(passed * hour + 30 * S), Some(6 * hour)), "{missed:?}");
    }
}

#[test]
fn one_that_is_asked_for_and_replaced_over_and_over_is_listed_once() {
    let mut one = One::new(every(S, Overlap::Skip, Missed::Skip));
    for _ in 0..100 {
        one.table.run(one.id);
        one.table.replace(one.id, every(S, Overlap::Skip, Missed::Skip));
    }
    one.table.run(one.id);
    assert_eq!((one.table.ready.len(), one.tick(0, false)), (1, 1));
}

#[test]
fn one_that_is_asked_for_does_not_stand_back_for_a_crowd() {
    let mut table = Timetable::default();
    for _ in 0..100 {
        let id = table.insert(every(S, Overlap::Skip, Missed::Skip));
        table.start(id, at(0), false);
    }
    let asked = table.insert(Slot::new(Pace::Off, None, Overlap::Skip, Missed::Skip));
    table.run(asked);
    let begun = [(); 2].map(|()| table.due(at(S), false));
    let is_asked = |due: &Option<Due>| matches!(due, Some(Due::Begin { slot, .. }) if *slot == asked);
    assert_eq!(begun.iter().filter(|due| is_asked(due)).count(), 1, "{begun:?}");
}
