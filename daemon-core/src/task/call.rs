//! One of the calls of a handler that may be under way: where its future lives, and what wakes it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Wake, Waker};

use tokio::time::Instant;
use tracing::Span;

use super::Handler;
use crate::event::{Mailbox, Tracked};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::unwind::quietly;

pub(super) type BoxHandler<'d, E> = Pin<Box<dyn Handler<E> + Send + 'd>>;

/// Where a handler is seated in its mailbox.
#[derive(Clone, Debug)]
pub(super) struct Chair {
    /// Its subscription.
    pub(super) index: u32,
    /// The queue its events come from.
    pub(super) queue: u32,
    pub(super) life: u64,
    pub(super) mailbox: Arc<Mailbox>,
}

/// Makes a call ready in its mailbox, from any thread, at any time.
pub(super) struct CallWaker {
    chair: Chair,
    place: u32,
    woken: AtomicBool,
}

impl CallWaker {
    /// Whether it was woken since this was last asked.
    pub(super) fn was_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for CallWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.chair.mailbox.wake_call(self.chair.life, self.chair.index, self.place);
        }
    }
}

/// What is known of a call under way, or of the next one in its place.
pub(super) struct Notes {
    pub(super) flag: Arc<CallWaker>,
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

impl Notes {
    /// Nothing yet, and what wakes the call.
    pub(super) fn new(chair: &Chair, place: u32) -> (Self, Waker) {
        let flag = Arc::new(CallWaker { chair: chair.clone(), place, woken: AtomicBool::new(false) });
        let waker = Waker::from(flag.clone());
        (Self { flag, busy: false, since: None, exact: false, tracked: None, span: None }, waker)
    }
}

/// A handler whose calls follow each other.
pub(super) struct Call<'d, E> {
    pub(super) handler: BoxHandler<'d, E>,
    pub(super) waker: Waker,
    pub(super) notes: Notes,
}

impl<'d, E> Call<'d, E> {
    pub(super) fn new(handler: BoxHandler<'d, E>, chair: &Chair, place: u32) -> Self {
        let (notes, waker) = Notes::new(chair, place);
        Self { handler, waker, notes }
    }
}

/// Drops the future of a call, ended or not.
pub(super) fn clear<E>(handler: &mut BoxHandler<'_, E>, subscription: &str) {
    if !quietly(|| handler.as_mut().clear()) {
        tracing::error!(subscription, "the destructor of a handler's future panicked");
    }
}
