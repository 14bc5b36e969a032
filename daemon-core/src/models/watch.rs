//! `tokio::sync::watch` as its documentation says it behaves, made of what a model can look into: a value, and those who wait for
//! it to change. Only what this crate uses.

use std::future::poll_fn;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Poll, Waker};

use loom::sync::{Mutex, MutexGuard};
use tokio::sync::watch::error::RecvError;

#[derive(Debug)]
struct State<T> {
    value: T,
    waiting: Vec<Waker>,
}

#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Mutex<State<T>>>);

pub(crate) struct Ref<'a, T>(MutexGuard<'a, State<T>>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { value: T::default(), waiting: Vec::new() })))
    }
}

impl<T> Sender<T> {
    pub(crate) fn subscribe(&self) -> Receiver<T> {
        Receiver(self.0.clone())
    }

    pub(crate) fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let waiting = {
            let mut state = self.0.lock().unwrap();
            if !modify(&mut state.value) {
                return false;
            }
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
        true
    }
}

impl<T> Receiver<T> {
    pub(crate) fn borrow(&self) -> Ref<'_, T> {
        Ref(self.0.lock().unwrap())
    }

    /// Never fails here: no model drops a sender that somebody waits for.
    pub(crate) async fn wait_for(&mut self, is: impl Fn(&T) -> bool) -> Result<Ref<'_, T>, RecvError> {
        let cell = &self.0;
        let reached = poll_fn(|cx| {
            let mut state = cell.lock().unwrap();
            if is(&state.value) {
                return Poll::Ready(Ref(state));
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        });
        Ok(reached.await)
    }
}
