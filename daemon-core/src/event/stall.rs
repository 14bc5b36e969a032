//! When to tell of a wait that is long: after a second, then after 2, 4, 8 and so on, at least once a minute. Of a publish also when
//! that is over.

use crate::unwind::bury;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// After how long a wait is told of.
const FIRST: Duration = Duration::from_secs(1);
/// How long after the last time at most.
const LONGEST: Duration = Duration::from_secs(60);

/// The clock of one wait.
#[derive(Debug)]
pub(crate) struct Patience {
    since: Instant,
    next: Duration,
    timer: Pin<Box<Sleep>>,
    told: bool,
}

impl Patience {
    /// Begins to watch a wait; nothing where there is no clock to do so: outside a tokio runtime, and in one without timers. Of these
    /// tokio tells by a panic only, which goes by the program's panic hook.
    pub(crate) fn begin() -> Option<Self> {
        tokio::runtime::Handle::try_current().ok()?;
        let timer = Box::pin(catch_unwind(|| sleep(FIRST)).map_err(bury).ok()?);
        Some(Self { since: Instant::now(), next: FIRST, timer, told: false })
    }

    /// How long it has waited, whenever that is to be told.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut due = None;
        while self.timer.as_mut().poll(cx).is_ready() {
            due = Some(self.waited());
            self.told = true;
            self.next = (self.next * 2).min(LONGEST);
            self.timer.set(sleep(self.next));
        }
        due
    }

    fn waited(&self) -> Duration {
        Duration::from_millis(self.since.elapsed().as_millis().try_into().unwrap_or(u64::MAX))
    }
}

/// A publish that waits.
#[derive(Debug)]
pub(crate) struct Stall<'p> {
    publisher: &'p str,
    patience: Patience,
    ended: bool,
}

impl<'p> Stall<'p> {
    /// Begins to watch a publish, as [`Patience::begin`].
    pub(crate) fn watch(publisher: &'p str) -> Option<Self> {
        Some(Self { publisher, patience: Patience::begin()?, ended: false })
    }

    /// As [`Patience::poll`].
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        self.patience.poll(cx)
    }

    /// The wait has come to its end.
    pub(crate) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Stall<'_> {
    fn drop(&mut self) {
        if self.patience.told {
            let (publisher, waited) = (self.publisher, self.patience.waited());
            if self.ended {
                tracing::warn!(publisher, "publish goes on after it waited for {waited:?}");
            } else {
                tracing::warn!(publisher, "publish was given up after it waited for {waited:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Poll;

    #[tokio::test(start_paused = true)]
    async fn it_tells_less_and_less_often_and_once_a_minute_at_least() {
        let mut patience = Patience::begin().unwrap();
        let mut told = Vec::new();
        while told.len() < 9 {
            let waited = poll_fn(|cx| patience.poll(cx).map_or(Poll::Pending, Poll::Ready)).await;
            told.push(waited.as_secs());
        }
        assert_eq!(told, [1, 3, 7, 15, 31, 63, 123, 183, 243]);
    }

    /// The hook of a program may end it.
    #[test]
    fn outside_a_runtime_there_is_no_clock_and_no_panic() {
        let (this, panics) = (std::thread::current().id(), Arc::<AtomicU32>::default());
        let (before, counts) = (std::panic::take_hook(), panics.clone());
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == this {
                counts.fetch_add(1, Ordering::Relaxed);
            }
            before(panic);
        }));
        assert!(Patience::begin().is_none());
        assert_eq!(panics.load(Ordering::Relaxed), 0);
    }
}
