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
