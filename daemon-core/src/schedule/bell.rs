//! A bell that wakes the driver for what is rare: a change of its intervals or of the clocks, and the end of the intake.
//!
//! What is rare is not looked at each time the driver sleeps, which would cost more than a tick. It is looked at when the bell has
//! rung.
//!
//! Invariants:
//! 1. A ring stays until it is heard.
//! 2. No lost wake-up: who waits leaves its waker, then looks; who rings says so, then takes the waker.

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A bell, which is also a waker.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rang: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Bell {
    /// Call without locks: it wakes.
    pub(super) fn ring(&self) {
        if self.rang.swap(true, Ordering::AcqRel) {
            return; // nobody waits, or is woken by who rang before
        }
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Whether it has rung since this was last asked.
    pub(super) fn heard(&self) -> bool {
        self.rang.load(Ordering::Relaxed) && self.rang.swap(false, Ordering::Acquire)
    }

    /// Waits until it has rung, without having heard it. One waits at a time.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = waiting.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker()));
        let outdated = if is_there { None } else { waiting.replace(cx.waker().clone()) };
        drop(waiting);
        drop(outdated);
        if self.rang.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_stays_until_it_is_heard_and_wakes_who_waits() {
        let (bell, outer) = (Bell::default(), Arc::new(Bell::default()));
        let waker = Waker::from(outer.clone());
        let cx = Context::from_waker(&waker);
        assert!(bell.poll(&cx).is_pending() && !bell.heard());
        bell.ring();
        assert!(outer.heard(), "it woke who waits");
        assert!(bell.poll(&cx).is_ready() && bell.poll(&cx).is_ready());
        assert!(bell.heard() && !bell.heard());
        assert!(bell.poll(&cx).is_pending() && !outer.heard());
    }

    #[test]
    fn it_wakes_who_asked_last() {
        let (bell, wakers) = (Bell::default(), [(); 2].map(|()| Arc::new(Bell::default())));
        for waker in wakers.clone().map(Waker::from) {
            assert!(bell.poll(&Context::from_waker(&waker)).is_pending());
        }
        bell.ring();
        assert_eq!(wakers.map(|waker| waker.heard()), [false, true]);
    }

    /// A waker that rings a bell when it is let go of.
    struct Rings(Arc<Bell>);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Rings {
        fn drop(&mut self) {
            self.0.ring();
        }
    }

    #[test]
    fn who_asked_before_may_ring_when_it_is_let_go_of() {
        let bell = Arc::new(Bell::default());
        let before = Waker::from(Arc::new(Rings(bell.clone())));
        assert!(bell.poll(&Context::from_waker(&before)).is_pending());
        drop(before);
        assert!(bell.poll(&Context::from_waker(Waker::noop())).is_ready());
    }
}
