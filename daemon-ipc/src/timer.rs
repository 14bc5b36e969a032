//! Time, at as little cost as can be: one timer for whatever is due next, and a clock that is looked at once.
//!
//! Setting the timer to a later time costs nothing: it rings at the earlier one and is set again.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::time::{Instant, Sleep, sleep_until};

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
        ready!(sleep.as_mut().poll(cx));
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
pub(crate) fn after(now: Instant, duration: std::time::Duration) -> Option<Instant> {
    now.checked_add(duration)
}
