//! What is done about panics of user code where nobody waits for an outcome: they go no further.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Drops the payload of a panic. That is the user's, and may panic as well, with another payload and so on; what it throws is kept
/// for good. Returns whether it did not.
pub(crate) fn bury(payload: Box<dyn Any + Send>) -> bool {
    let thrown = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    thrown.map_err(ManuallyDrop::new).is_ok()
}

/// Runs user code; returns whether it came through without a panic.
pub(crate) fn quietly(work: impl FnOnce()) -> bool {
    let ended = catch_unwind(AssertUnwindSafe(work));
    ended.map_err(bury).is_ok()
}

/// Wakes whoever waits, by a waker that may be the user's own.
#[inline]
pub(crate) fn wake(waker: Waker) {
    if !quietly(|| waker.wake()) {
        woke_badly();
    }
}

#[cold]
pub(crate) fn woke_badly() {
    tracing::error!("a waker panicked: whoever waits by it may wait for ever");
}
