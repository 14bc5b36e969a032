//! The driver: one future for all intervals of a life. It begins what is due, then sleeps until something is.
//!
//! Invariants:
//! 1. It wakes only for what is due, for a change of its intervals or of the clocks, and to end.
//! 2. Between two ticks it offers the worker to others, at the pace of tokio's cooperative budget.
//! 3. No tick begins once the intake has stopped, nor one that waited or was to be made up.
//! 4. Before each step it hears of whatever has rung the [`Bell`](super::bell::Bell) by then.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::book::Step;
use super::clock::Watch;
use super::tick::{Owner, Tick};

/// Ticks until the intake stops.
///
/// Cancel safe: ticks that have a task of their own go on.
pub(crate) async fn drive<O: Owner>(owner: Arc<O>) {
    let timers = owner.timers();
    let (clock, bell) = (timers.clock(), timers.bell());
    let ringing = Waker::from(bell.clone());
    let mut news = pin!(unconstrained(news(&*owner, clock.watch())));
    bell.ring(); // what is new is asked for before it can ring
    let mut timer = Timer::default();
    let mut now = clock.now();
    timers.begin(now);
    let (mut ended, mut jumped) = (None, false);
    loop {
        if bell.heard()
            && let Poll::Ready(told) = news.as_mut().poll(&mut Context::from_waker(&ringing))
        {
            let Some(watch) = told else { break };
            news.set(unconstrained(self::news(&*owner, watch)));
            bell.ring();
            now = clock.now();
            timers.rebase(now);
            jumped = true;
            continue;
        }
        match timers.step(ended.take(), now, jumped) {
            Step::Tick { slot, ticker, late } => {
                let begun = now.moment;
                let over = Tick { slot, ticker, begun, late }.begin(&owner);
                now = clock.now();
                if let Some((tick, outcome)) = over {
                    tick.book(&*owner, &outcome, now);
                    ended = Some(slot);
                }
                tokio::task::coop::consume_budget().await;
            }
            Step::Wait(until) => {
                jumped = false;
                let deadline = until.map(|until| clock.deadline(until));
                if deadline.is_none() {
                    timer.0 = None; // it would wake for nothing
                }
                poll_fn(|cx| match deadline {
                    Some(deadline) if timer.poll(deadline, cx).is_ready() => {
                        clock.woke();
                        Poll::Ready(())
                    }
                    _ => bell.poll(cx),
                })
                .await;
                now = clock.now();
            }
        }
    }
    if let Some(slot) = ended {
        timers.ended(slot, now);
    }
}

/// Ends when the intake stops, with nothing, or when the clock is moved, with what watches it.
async fn news<O: Owner>(owner: &O, mut watch: Watch) -> Option<Watch> {
    tokio::select! {
        biased;
        () = owner.intake().cancelled() => None,
        () = watch.moved() => Some(watch),
    }
}

/// A timer, made for the first deadline and set for those after.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Waits for the deadline.
    pub(super) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::book::Order;
    use super::super::clock::Clock;
    use super::super::tick::tests::Hears;
    use super::*;
    use crate::schedule::Schedule;

    #[tokio::test(start_paused = true)]
    async fn the_tick_that_stops_the_intake_has_ended_when_the_driver_has() {
        let hears = Hears::new(Clock::steered(UNIX_EPOCH));
        let intake = hears.intake.clone();
        hears.by_hand("last", move || {
            intake.cancel();
            async { Ok(()) }
        });
        hears.timers.order("last", Order::Run).unwrap().unwrap();
        drive(hears.clone()).await;
        let last = hears.timers.statuses().remove(0);
        assert_eq!((last.ticks, last.running), (1, 0));
    }

    /// Uses up what the worker grants, so that whoever comes next has to let others run.
    #[cfg(feature = "cron")]
    async fn exhaust() {
        poll_fn(|cx| {
            while std::pin::pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
            Poll::Ready(())
        })
        .await;
    }

    #[cfg(feature = "cron")]
    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_while_the_driver_lets_others_run_is_read_anew() {
        let clock = Clock::steered(UNIX_EPOCH);
        let hears = Hears::new(clock.clone());
        let by = hears.clone();
        hears.by_hand("sets", move || {
            let (clock, by) = (clock.clone(), by.clone());
            tokio::spawn(async move {
                assert!(by.timers.inline().is_some(), "the driver has not got on");
                clock.step(Duration::from_secs(1_800), true);
            });
            async {
                exhaust().await;
                Ok(())
            }
        });
        hears.registered("hourly", Schedule::cron("0 * * * *", "UTC"), || async { Ok(()) });
        hears.timers.order("sets", Order::Run).unwrap().unwrap();
        let driven = tokio::spawn(drive(hears.clone()));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let [hourly, sets] = &hears.timers.statuses()[..] else { panic!("there are two") };
        assert_eq!((sets.ticks, hourly.next_run), (1, Some(Duration::from_secs(1_800))));
        driven.abort();
    }

    /// As it is everywhere but on Linux.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test(start_paused = true)]
    async fn where_no_alarm_tells_of_it_the_driver_looks_whether_the_machine_slept() {
        let (clock, _alarm) = super::super::clock::tests::without_alarm();
        let hears = Hears::new(clock.clone());
        hears.registered("daily", Schedule::every(Duration::from_secs(86_400)), || async { Ok(()) });
        let driven = tokio::spawn(drive(hears));
        let mut looked = false; // at the beginning
        for _ in 0..1_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            looked = looked || clock.falls_asleep_for_an_hour();
        }
        assert!(looked);
        let before = clock.now().moment;
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(clock.now().moment - before > 3_600_000_000_000);
        driven.abort();
    }
}
