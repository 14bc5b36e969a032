//! Knows which piece of work a thread polls right now, and which call of its context that work waits in.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::tasks::Record;

thread_local! {
    /// The work whose future is polled on this thread.
    static CURRENT: RefCell<Option<Arc<Record>>> = const { RefCell::new(None) };
}

/// Names `record` as what this thread polls, until dropped.
pub(super) struct Polling(Option<Arc<Record>>);

impl Polling {
    pub(super) fn enter(record: &Arc<Record>) -> Self {
        record.begin_poll();
        Self(CURRENT.with(|current| current.replace(Some(record.clone()))))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        let done = CURRENT.with(|current| current.replace(self.0.take()));
        if let Some(done) = done {
            done.end_poll();
        }
    }
}

/// The work whose future is polled on this thread.
pub(crate) fn current() -> Option<Arc<Record>> {
    CURRENT.with(|current| current.borrow().clone())
}

fn book(what: Option<&'static str>) {
    CURRENT.with(|current| {
        if let Some(record) = &*current.borrow() {
            record.waits_in(what);
        }
    });
}

/// Says that the work under way waits in no call.
pub(crate) fn not_waiting() {
    book(None);
}

pin_project_lite::pin_project! {
    /// A call of a context, whose name is shown while it waits.
    pub(crate) struct Waits<F> {
        #[pin]
        future: F,
        what: &'static str,
        booked: bool,
    }

    impl<F> PinnedDrop for Waits<F> {
        fn drop(this: Pin<&mut Self>) {
            if this.booked {
                book(None);
            }
        }
    }
}

/// Shows `what` as that which the work under way waits in, for as long as `future` is pending.
pub(crate) fn waits<F: Future>(what: &'static str, future: F) -> Waits<F> {
    Waits { future, what, booked: false }
}

impl<F: Future> Future for Waits<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let poll = this.future.poll(cx);
        if poll.is_pending() {
            book(Some(this.what));
            *this.booked = true;
        } else if *this.booked {
            book(None);
            *this.booked = false;
        }
        poll
    }
}
