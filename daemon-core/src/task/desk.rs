//! What the handlers of one dispatcher share, and who hears of what goes wrong in them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Failure;
use super::clock::Clock;
use crate::event::Mailbox;
use crate::unwind::quietly;

/// Hears of what goes wrong in handlers.
pub trait Observer: Send + Sync {
    /// The handler `subscription` failed, for the `in_a_row`-th time without a success in between.
    fn failed(&self, subscription: &str, failure: Failure, in_a_row: u32);

    /// The handler `subscription` succeeded after having failed.
    fn recovered(&self, subscription: &str) {
        let _ = subscription;
    }

    /// Whether the life is over: no call may begin or go on any more. For a dispatcher that cannot be dropped, because a handler
    /// blocks its thread.
    fn over(&self) -> &AtomicBool {
        static NEVER: AtomicBool = AtomicBool::new(false);
        &NEVER
    }

    /// What a test wants called in the place of the handler's next call.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    fn fault(&self, subscription: &str) -> Option<fn() -> crate::Result<()>> {
        let _ = subscription;
        None
    }
}

/// What a handler needs of the dispatcher that runs it.
pub(super) struct Desk<'d> {
    pub(super) mailbox: &'d Mailbox,
    pub(super) observer: &'d dyn Observer,
    /// How many calls are suspended.
    pub(super) busy: usize,
    pub(super) over: &'d AtomicBool,
    pub(super) clock: Clock,
}

impl Desk<'_> {
    /// Whether no call may begin or go on any more.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    #[cold]
    pub(super) fn failed(&self, subscription: &str, failure: Failure, in_a_row: u32) {
        observe(subscription, || self.observer.failed(subscription, failure, in_a_row));
    }

    #[cold]
    pub(super) fn recovered(&self, subscription: &str) {
        observe(subscription, || self.observer.recovered(subscription));
    }
}

fn observe(subscription: &str, call: impl FnOnce()) {
    if !quietly(call) {
        tracing::error!(subscription, "the observer of a failed handler panicked");
    }
}
