//! What a server tells everybody who listens. Owns the queue of each listener and what a full one does.

use super::{link::LinkHandle, open::LinkFault};
use crate::{ConnectionError, Frame, Json};
use rustc_hash::FxHashMap;
use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// How many events wait for a listener; beyond that the oldest is lost.
const QUEUE: usize = 1024;

/// Something a server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What it is about.
    pub topic: String,
    /// What there is to say of it.
    pub payload: Option<Json>,
}

/// Those who listen on one connection.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    listeners: FxHashMap<u64, Listener>,
    next: u64,
}

#[derive(Debug, Default)]
struct Listener {
    events: VecDeque<Event>,
    missed: u64,
    waker: Option<Waker>,
}

impl Listeners {
    fn add(&mut self) -> u64 {
        self.next += 1;
        self.listeners.insert(self.next, Listener::default());
        self.next
    }

    pub(super) fn hear(&mut self, topic: Option<String>, frame: &Frame, wakers: &mut Vec<Waker>) {
        let event = Event { topic: topic.unwrap_or_default(), payload: frame.payload_json() };
        for listener in self.listeners.values_mut() {
            if listener.events.len() >= QUEUE {
                listener.events.pop_front();
                listener.missed += 1;
            }
            listener.events.push_back(event.clone());
            wakers.extend(listener.waker.take());
        }
    }

    pub(super) fn end(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.listeners.values_mut().filter_map(|listener| listener.waker.take()));
    }
}

/// What a server tells from now on, on one connection.
///
/// Up to 1024 events wait here; beyond that the oldest is lost, and [counted](Self::missed). Dropping it stops listening.
#[derive(Debug)]
pub struct Events {
    link: Arc<LinkHandle>,
    number: u64,
}

impl Events {
    pub(super) fn of(link: Arc<LinkHandle>) -> Self {
        let number = link.lock().listeners.add();
        Self { link, number }
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// [`ConnectionError`] once the connection has ended, and all that was told before is taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Result<Event, ConnectionError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// How many events were lost, because too many waited.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.link.lock().listeners.listeners.get(&self.number).map_or(0, |listener| listener.missed)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, ConnectionError>> {
        let mut guard = self.link.lock();
        let state = &mut *guard;
        let fault = state.fault().cloned();
        let Some(listener) = state.listeners.listeners.get_mut(&self.number) else {
            return Poll::Ready(Err(LinkFault::Closed.into_error(self.link.path())));
        };
        if let Some(event) = listener.events.pop_front() {
            return Poll::Ready(Ok(event));
        }
        if let Some(fault) = fault {
            return Poll::Ready(Err(fault.into_error(self.link.path())));
        }
        let old = listener.waker.replace(cx.waker().clone());
        drop(guard);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let listener = self.link.lock().listeners.listeners.remove(&self.number);
        drop(listener);
    }
}
