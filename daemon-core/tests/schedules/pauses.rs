//! Pauses of the process and of the machine, and steps of the clock: always a next tick, and no more catch-up than declared.

use super::interval;
use daemon_core::testing::TestHost;
use daemon_core::{DaemonBase, Missed, Schedule, daemon};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

#[daemon(name = "clock")]
#[derive(Default)]
struct Clock;

#[daemon]
impl Clock {
    #[every("10s")]
    fn skip(&self) {}

    #[every("10s", missed = catch_up_once)]
    fn once(&self) {}

    #[every("10s", missed = burst)]
    fn burst(&self) {}

    #[every("1ms", missed = burst)]
    fn fast(&self) {}
}

impl DaemonBase for Clock {}

fn counts(host: &TestHost) -> Vec<(u64, u64)> {
    let count = |name| {
        let interval = interval(host, name);
        (interval.ticks, interval.skipped)
    };
    ["skip", "once", "burst"].map(count).to_vec()
}

#[tokio::test]
async fn after_a_suspend_each_policy_does_what_it_says() {
    let host = TestHost::start(Clock).await;
    host.advance("12s").await;
    assert_eq!(counts(&host), [(1, 0); 3]);
    host.suspend("3h 5s").await; // over 1,080 ticks, and 7 s past the last
    assert_eq!(counts(&host), [(1, 1_080), (2, 1_079), (1_001, 80)]);
    assert_eq!(interval(&host, "skip").next_run, Some(Duration::from_secs(3)));
    host.advance("10s").await;
    assert_eq!(counts(&host), [(2, 1_080), (3, 1_079), (1_002, 80)]);
    let fast = interval(&host, "fast");
    assert_eq!(fast.ticks + fast.skipped, 10_827_000, "of the three hours 1,000 are made up");
    assert_eq!(fast.ticks, 22_000 + 1_000);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn a_process_that_was_stopped_goes_on_likewise() {
    let host = TestHost::start(Clock).await;
    host.advance("12s").await;
    host.freeze("30s").await; // at 42 s: late by 2 s only
    assert_eq!(counts(&host), [(2, 2), (2, 2), (4, 0)]);
    host.freeze("36s").await; // at 78 s: too late
    assert_eq!(counts(&host), [(2, 5), (3, 4), (7, 0)]);
    host.freeze("20s").await; // at 98 s: too late again, but never twice in a row
    assert_eq!(counts(&host), [(3, 6), (4, 5), (9, 0)]);
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn what_was_asleep_once_may_be_merely_slow_later() {
    let host = TestHost::start(Clock).await;
    let skip = || {
        let skip = interval(&host, "skip");
        (skip.ticks, skip.skipped)
    };
    host.suspend("12s").await;
    assert_eq!(skip(), (1, 0));
    host.freeze("36s").await; // at 48 s: too late
    assert_eq!(skip(), (1, 3));
    host.freeze("20s").await; // at 68 s: too late again, but never twice in a row
    assert_eq!(skip(), (2, 4));
    host.shutdown().await.assert_clean();
}

#[tokio::test]
async fn what_goes_by_elapsed_time_does_not_care_for_the_clock_on_the_wall() {
    let host = TestHost::start(Clock).await;
    host.advance("15s").await;
    host.step_clock_forward("30 days").await;
    host.step_clock_back("60 days").await;
    assert_eq!(counts(&host), [(1, 0); 3]);
    host.advance("10s").await;
    assert_eq!(counts(&host), [(2, 0); 3]);
    host.shutdown().await.assert_clean();
}

/// A stream of numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What comes of an interval whose ticks take no time, multiple by multiple.
#[derive(Default)]
struct Counted {
    next: u64,
    ticks: u64,
    skipped: u64,
    left_out: bool,
}

impl Counted {
    fn wake(&mut self, period: u64, missed: Missed, now: u64, was_asleep: bool) {
        let (mut due, mut last) = (0, 0);
        while self.next <= now {
            (due, last) = (due + 1, self.next);
            self.next += period;
        }
        let late = now - last > (period / 2).clamp(10, 60_000);
        let made = match missed {
            _ if due == 0 => return,
            Missed::Skip if late && (was_asleep || !self.left_out) => 0,
            Missed::Burst => due.min(1_000),
            _ => 1,
        };
        self.left_out = made == 0;
        (self.ticks, self.skipped) = (self.ticks + made, self.skipped + due - made);
    }
}

/// An hour, in which the process and the machine sleep and somebody plays with the clock.
#[tokio::test]
async fn an_hour_of_pauses_and_steps_has_exactly_the_ticks_that_were_declared() {
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let host = TestHost::start(super::Blank::default()).await;
        let cx = host.daemon::<super::Blank>().0.lock().unwrap().clone().unwrap();
        let mut expected = BTreeMap::new();
        for period in [7, 40, 250, 1_000, 5_000, 60_000, 777_000] {
            for (word, missed) in [("skip", Missed::Skip), ("once", Missed::CatchUpOnce), ("burst", Missed::Burst)] {
                let name = format!("{word}-{period}");
                let schedule = Schedule::every(Duration::from_millis(period)).missed(missed);
                cx.register_interval(&name, schedule, || async {}).unwrap();
                expected.insert(name, (period, missed, Counted { next: period, ..Counted::default() }));
            }
        }
        host.settle().await;
        let (mut now, told) = (0, Mutex::new(Vec::new()));
        while now < 3_600_000 {
            let (what, time) = (dice.roll(8), dice.roll(120_000) + 1);
            told.lock().unwrap().push((what, time));
            let length = Duration::from_millis(time);
            match what {
                0..=3 => {
                    let time = time.min(2_000); // millisecond by millisecond
                    host.advance(Duration::from_millis(time)).await;
                    for at in now + 1..=now + time {
                        expected.values_mut().for_each(|(period, missed, all)| all.wake(*period, *missed, at, false));
                    }
                    now += time;
                }
                4 | 5 => {
                    now += time;
                    if what == 4 {
                        host.suspend(length).await
                    } else {
                        host.freeze(length).await
                    }
                    expected.values_mut().for_each(|(period, missed, all)| all.wake(*period, *missed, now, what == 4));
                }
                6 => host.step_clock_forward(length).await,
                _ => host.step_clock_back(length).await,
            }
            for seen in cx.intervals() {
                let name = &seen.name;
                let (_, _, counted) = &expected[name];
                let why = format!("seed {seed}, {name} at {now} ms after {:?}", told.lock().unwrap());
                assert_eq!((seen.ticks, seen.skipped), (counted.ticks, counted.skipped), "{why}");
                assert_eq!(seen.next_run, Some(Duration::from_millis(counted.next - now)), "{why}");
            }
        }
        drop(cx);
        host.shutdown().await.assert_clean();
    }
}
