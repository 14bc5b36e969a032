//! Knows which piece of work a thread polls right now, and which call of its context that work waits in.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::record::Record;

/// A call of a context that may have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wait {
    Call,
    Cancelled,
    CleanupIntervals,
    ClearInterval,
    Publish,
    PublishHandled,
    PublishTo,
    PublishToHandled,
}

impl Wait {
    const ALL: [Self; 8] = [
        Self::Call,
        Self::Cancelled,
        Self::CleanupIntervals,
        Self::ClearInterval,
        Self::Publish,
        Self::PublishHandled,
        Self::PublishTo,
        Self::PublishToHandled,
    ];

    /// The number of no call.
    pub(super) const NONE: u8 = u8::MAX;

    /// The call whose number this is.
    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|wait| *wait as u8 == number)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Call => "cx.call",
            Self::Cancelled => "cx.cancelled",
            Self::CleanupIntervals => "cx.cleanup_intervals",
            Self::ClearInterval => "cx.clear_interval",
            Self::Publish => "cx.publish",
            Self::PublishHandled => "cx.publish_and_wait",
            Self::PublishTo => "cx.publish_to",
            Self::PublishToHandled => "cx.publish_to_and_wait",
        }
    }
}

thread_local! {
    /// The work whose future is polled on this thread.
    static CURRENT: RefCell<Option<Arc<Record>>> = const { RefCell::new(None) };
}

/// On a thread that ends, whose runtime ends with it, no work is known any more.
fn look<T>(at: impl FnOnce(&mut Option<Arc<Record>>) -> T) -> Option<T> {
    CURRENT.try_with(|current| at(&mut current.borrow_mut())).ok()
}

fn swap(place: &mut Option<Arc<Record>>) {
    look(|current| std::mem::swap(current, place));
}

/// Names a record as that of the work this thread polls, until dropped.
pub(super) struct Polling<'a> {
    record: &'a Record,
    /// Where the record was taken from, so that polling counts no reference; meanwhile what this thread polls around it.
    place: &'a mut Option<Arc<Record>>,
}

impl<'a> Polling<'a> {
    /// `place` holds the same record.
    pub(super) fn enter(record: &'a Record, place: &'a mut Option<Arc<Record>>) -> Self {
        record.begin_poll();
        swap(place);
        Self { record, place }
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        swap(self.place);
        self.record.end_poll();
    }
}

/// Whether this thread polls the work of that record.
pub(crate) fn is_current<E: ?Sized>(record: &Arc<Record<E>>) -> bool {
    look(|current| current.as_ref().is_some_and(|current| std::ptr::addr_eq(Arc::as_ptr(current), Arc::as_ptr(record))))
        .unwrap_or(false)
}

/// The work whose future is polled on this thread.
pub(crate) fn current() -> Option<Arc<Record>> {
    look(|current| current.clone()).flatten()
}

fn book(what: Option<Wait>) {
    look(|current| {
        if let Some(record) = current {
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
        what: Wait,
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
pub(crate) fn waits<F: Future>(what: Wait, future: F) -> Waits<F> {
    Waits { future, what, booked: false }
}

impl<F: Future> Future for Waits<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let poll = this.future.poll(cx);
        if poll.is_pending() {
            book(Some(*this.what));
            *this.booked = true;
        } else if *this.booked {
            book(None);
            *this.booked = false;
        }
        poll
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use super::*;
    use crate::status::TaskKind;
    use crate::task::{Label, Owner, Tasks};

    /// Polls it once; whether it has ended.
    async fn polled(call: &mut Pin<Box<impl Future<Output = ()>>>) -> bool {
        poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await
    }

    #[tokio::test]
    async fn work_waits_in_a_call_from_when_that_has_to_wait_to_its_end_or_its_being_dropped() {
        let tasks = Tasks::new(tokio::runtime::Handle::current(), Owner::nobody());
        let own = tasks.clone();
        let (tell, told) = tokio::sync::oneshot::channel();
        let work = async move {
            let waits_in = || own.statuses().remove(0).waits_in;
            let mut seen = Vec::new();
            let mut polls = 0;
            let mut ends = Box::pin(waits(
                Wait::Publish,
                poll_fn(|_| {
                    polls += 1;
                    if polls == 1 { Poll::Pending } else { Poll::Ready(()) }
                }),
            ));
            seen.push((polled(&mut ends).await, waits_in()));
            seen.push((polled(&mut ends).await, waits_in()));
            let mut never = Box::pin(waits(Wait::Call, pending()));
            seen.push((polled(&mut never).await, waits_in()));
            drop(ends);
            seen.push((false, waits_in()));
            drop(never);
            seen.push((false, waits_in()));
            tell.send(seen).unwrap();
        };
        tasks.spawn(Label::new(TaskKind::Task, "works"), work).unwrap();
        let [publish, call] = ["cx.publish", "cx.call"].map(|name| Some(name.to_owned()));
        let expected = [(false, publish), (true, None), (false, call.clone()), (false, call), (false, None)];
        assert_eq!(told.await.unwrap(), expected);
    }
}
