//! One of the calls of a handler that may be under way: where its future lives, and what wakes it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Wake, Waker};

use tokio::time::Instant;
use tracing::Span;

use super::Handler;
use crate::event::{Tracked, Woken};
use crate::unwind::quietly;

pub(super) type BoxHandler<'d, E> = Pin<Box<dyn Handler<E> + Send + 'd>>;

/// Where a handler is seated in its mailbox.
#[derive(Clone, Debug)]
pub(super) struct Chair {
    /// Its subscription.
    pub(super) index: u32,
    /// The queue its events come from.
    pub(super) queue: u32,
    /// The number of the first of its calls among all.
    pub(super) first: u32,
    pub(super) woken: Arc<Woken>,
}

/// Makes a call ready, from any thread, at any time.
struct CallWaker {
    woken: Arc<Woken>,
    call: u32,
}

impl Wake for CallWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.wake(self.call);
    }
}

/// What wakes the call in a place.
pub(super) fn waker(chair: &Chair, place: u32) -> Waker {
    Waker::from(Arc::new(CallWaker { woken: chair.woken.clone(), call: chair.first + place }))
}

/// What is known of a call under way, or of the next one in its place.
#[derive(Default)]
pub(super) struct Notes {
    /// Whether it is suspended.
    pub(super) busy: bool,
    /// Since when it is timed, if it is.
    pub(super) since: Option<Instant>,
    /// Whether that is exact enough for a call that does not suspend.
    pub(super) exact: bool,
    /// Its event, if the publisher waits to know how it ends.
    pub(super) tracked: Option<Arc<Tracked>>,
    /// Its span, if its event was published in one.
    pub(super) span: Option<Span>,
}

/// A handler whose calls follow each other.
pub(super) struct Call<'d, E> {
    pub(super) handler: BoxHandler<'d, E>,
    pub(super) waker: Waker,
    pub(super) notes: Notes,
}

impl<'d, E> Call<'d, E> {
    pub(super) fn new(handler: BoxHandler<'d, E>, chair: &Chair, place: u32) -> Self {
        Self { handler, waker: waker(chair, place), notes: Notes::default() }
    }
}

/// Drops the future of a call, ended or not.
pub(super) fn clear<E>(handler: &mut BoxHandler<'_, E>, subscription: &str) {
    if !quietly(|| handler.as_mut().clear()) {
        tracing::error!(subscription, "the destructor of a handler's future panicked");
    }
}
