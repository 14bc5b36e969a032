//! A place for one value, between the work that gives it and the handle that waits for it.
//!
//! Invariants:
//! 1. A value given while nobody wants it any more is dropped by who gives it, so inside the work.
//! 2. No lock is held while a value is dropped or a waker called.

use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use super::record::End;
use crate::sync::{Mutex, MutexGuard};
use crate::unwind::wake;

/// A place for one value.
#[derive(Debug)]
pub(crate) struct Answer<V>(Mutex<State<V>>);

#[derive(Debug)]
enum State<V> {
    /// It is to come, and this one waits for it.
    Awaited(Option<Waker>),
    Given(V),
    /// It was taken, or nobody wants it, or it will not come.
    Over,
}

impl<V> Default for Answer<V> {
    fn default() -> Self {
        Self(Mutex::new(State::Awaited(None)))
    }
}

impl<V> Answer<V> {
    fn state(&self) -> MutexGuard<'_, State<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the value; hands it back if nobody wants it.
    pub(crate) fn give(&self, value: V) -> Result<(), V> {
        let waker = {
            let mut state = self.state();
            let State::Awaited(waker) = &mut *state else { return Err(value) };
            let waker = waker.take();
            *state = State::Given(value);
            waker
        };
        if let Some(waker) = waker {
            wake(waker);
        }
        Ok(())
    }

    /// Waits for the value; `None` if it will not come, or was taken before.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Option<V>> {
        let mut state = self.state();
        if let State::Awaited(waiting) = &mut *state {
            let before = match waiting {
                Some(waker) if waker.will_wake(cx.waker()) => None,
                _ => waiting.replace(cx.waker().clone()),
            };
            drop(state);
            drop(before);
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Over) {
            State::Given(value) => Poll::Ready(Some(value)),
            _ => Poll::Ready(None),
        }
    }

    /// Says that nobody wants the value.
    pub(crate) fn abandon(&self) {
        let state = std::mem::replace(&mut *self.state(), State::Over);
        drop(state);
    }
}

impl<V: Send> End for Answer<V> {
    /// What has not been given by now will not come.
    fn gone(&self) {
        let waker = {
            let mut state = self.state();
            let State::Awaited(waker) = &mut *state else { return };
            let waker = waker.take();
            *state = State::Over;
            waker
        };
        if let Some(waker) = waker {
            wake(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    /// A waker that does not want the value any more when it is let go of.
    struct Abandons(Arc<Answer<()>>);

    impl Wake for Abandons {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Abandons {
        fn drop(&mut self) {
            self.0.abandon();
        }
    }

    #[test]
    fn who_waited_before_may_do_what_it_likes_when_it_is_let_go_of() {
        let answer = Arc::new(Answer::default());
        let before = Waker::from(Arc::new(Abandons(answer.clone())));
        assert!(answer.poll(&Context::from_waker(&before)).is_pending());
        drop(before);
        assert!(answer.poll(&Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(answer.give(()), Err(()));
    }
}
