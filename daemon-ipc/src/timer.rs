//! Time, at as little cost as can be: one timer for whatever is due next, and a clock that is looked at once.
//!
//! Setting the timer to a later time costs nothing: it rings at the earlier one and is set again.

use std::{
    cell::Cell,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    task::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom it wakes; `None` if it is not set.
    set: Option<Waker>,
}

impl Timer {
    /// Ready once `due`, or a time it was set to earlier, has passed. Never, if nothing is due.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        let Some(due) = due else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        match &self.set {
            // The common case, in which nothing is to be done, is worth not asking the runtime.
            Some(waker) if sleep.deadline() <= due && waker.will_wake(cx.waker()) && !sleep.is_elapsed() => {
                return Poll::Pending;
            }
            Some(_) if sleep.deadline() <= due => {}
            _ => sleep.as_mut().reset(due),
        }
        self.set = Some(cx.waker().clone());
        // A task that has done as much as it may in this turn would be told to come again, whether or not the time has passed: the
        // timer would not be set, and one that is always busy would never be told.
        ready!(pin!(unconstrained(sleep.as_mut())).poll(cx));
        self.set = None;
        Poll::Ready(())
    }
}

/// The time, looked at when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Now(Cell<Option<Instant>>);

impl Now {
    #[cfg(test)]
    pub(crate) fn at(now: Instant) -> Self {
        Self(Cell::new(Some(now)))
    }

    pub(crate) fn get(&self) -> Instant {
        self.0.get().unwrap_or_else(|| {
            let now = Instant::now();
            self.0.set(Some(now));
            now
        })
    }
}

/// The earlier of two times, either of which may be never.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// So far away that it never comes, if the sum of both is.
pub(crate) fn after(now: Instant, duration: Duration) -> Option<Instant> {
    now.checked_add(duration)
}

/// The same where there must be a time: one that nobody lives to see.
pub(crate) fn long_after(now: Instant, duration: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    after(now, duration).unwrap_or(now + FAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::{task::consume_budget, time::timeout};

    /// Does as much as a task may do in one turn.
    fn exhaust(cx: &mut Context<'_>) {
        while pin!(consume_budget()).poll(cx).is_ready() {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_is_always_busy_is_told_in_time() {
        let start = Instant::now();
        let mut timer = Timer::default();
        let due = Some(start + Duration::from_secs(1));
        poll_fn(|cx| {
            exhaust(cx);
            assert!(timer.poll(cx, due).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::time::advance(Duration::from_secs(2)).await;
        poll_fn(|cx| {
            exhaust(cx);
            assert!(timer.poll(cx, due).is_ready(), "also in a turn in which it may do no more");
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_set_at_the_end_of_a_busy_turn_is_set() {
        let start = Instant::now();
        let (mut timer, due) = (Timer::default(), start + Duration::from_secs(1));
        let mut turn = 0;
        let ringing = poll_fn(|cx| {
            turn += 1;
            if turn == 1 {
                exhaust(cx);
            }
            timer.poll(cx, Some(due))
        });
        timeout(Duration::from_secs(10), ringing).await.expect("it is set");
        assert_eq!(Instant::now(), due);
    }
}
