//! One timer for whatever is due next. Setting it to a later time costs nothing: it rings at the earlier one and is set again.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it rings; `None` if it has rung.
    set: Option<Instant>,
}

impl Timer {
    /// Ready once `due`, or a time it was set to earlier, has passed. Never, if nothing is due.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        let Some(due) = due else { return Poll::Pending };
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if self.set.is_none_or(|set| due < set) {
                    sleep.as_mut().reset(due);
                    self.set = Some(due);
                }
                sleep
            }
            None => {
                self.set = Some(due);
                self.sleep.insert(Box::pin(sleep_until(due)))
            }
        };
        ready!(sleep.as_mut().poll(cx));
        self.set = None;
        Poll::Ready(())
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
