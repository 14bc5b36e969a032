//! A handler and the place its calls live in, one after the other, without being boxed again.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Result;

pin_project_lite::pin_project! {
    struct Place<H, F> {
        handler: H,
        #[pin]
        call: Option<F>,
    }
}

/// A handler that is called with one event after another; made by [`place`].
///
/// A call ends by giving its event back, so that it goes on to the next handler without being counted anew.
pub trait Handler<E>: Send {
    /// Begins a call and polls it once. The call before it has ended.
    fn start(self: Pin<&mut Self>, event: Arc<E>, cx: &mut Context<'_>) -> Poll<(Arc<E>, Result<()>)>;
    /// Polls the call that is under way.
    fn resume(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(Arc<E>, Result<()>)>;
    /// Drops the call, under way or not.
    fn clear(self: Pin<&mut Self>);
}

impl<E, H, F> Handler<E> for Place<H, F>
where
    H: Fn(Arc<E>) -> F + Send,
    F: Future<Output = (Arc<E>, Result<()>)> + Send,
{
    #[inline]
    fn start(self: Pin<&mut Self>, event: Arc<E>, cx: &mut Context<'_>) -> Poll<(Arc<E>, Result<()>)> {
        let mut this = self.project();
        // also drops the call before it, which has ended and holds nothing
        this.call.set(Some((this.handler)(event)));
        match this.call.as_pin_mut() {
            Some(call) => call.poll(cx),
            None => Poll::Pending,
        }
    }

    #[inline]
    fn resume(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(Arc<E>, Result<()>)> {
        match self.project().call.as_pin_mut() {
            Some(call) => call.poll(cx),
            None => Poll::Pending,
        }
    }

    fn clear(self: Pin<&mut Self>) {
        self.project().call.set(None);
    }
}

/// Makes a handler of a function from an event to a future that gives the event back with the outcome.
///
/// ```
/// use daemon_core::place;
/// use std::sync::Arc;
///
/// let handler = place(|event: Arc<u64>| async move {
///     println!("{event}");
///     (event, Ok(()))
/// });
/// ```
pub fn place<'d, E, H, F>(handler: H) -> Pin<Box<dyn Handler<E> + Send + 'd>>
where
    E: 'd,
    H: Fn(Arc<E>) -> F + Send + 'd,
    F: Future<Output = (Arc<E>, Result<()>)> + Send + 'd,
{
    Box::pin(Place { handler, call: None })
}
