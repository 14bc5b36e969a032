//! Turns a panic inside a future into a value, and says in words what went wrong with a piece of work.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::{BoxError, Result, with_sources};
use crate::unwind::bury;

/// Why a piece of user code did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// It returned an error.
    Error(BoxError),
    /// It panicked, with this message.
    Panic(String),
    /// It ran longer than it may.
    Timeout(Duration),
}

impl Failure {
    /// Whether it panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panic(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => f.write_str(&error_text(&**error)),
            Self::Panic(message) => write!(f, "panicked: {message}"),
            Self::Timeout(limit) => write!(f, "did not end within {limit:?}"),
        }
    }
}

/// An error and its causes. Its text is the user's code, and is caught like any other.
fn error_text(error: &(dyn std::error::Error + 'static)) -> String {
    let text = || with_sources(error);
    catch_unwind(AssertUnwindSafe(text)).unwrap_or_else(|payload| format!("its text {}", panicked(payload)))
}

/// The message of a panic.
fn panic_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

/// Drops `value`; a panic in its destructor is logged and goes no further.
pub(crate) fn drop_quietly<T>(value: T) {
    if let Err(failure) = attempt(|| drop(value)) {
        destructor_failed("a destructor failed", &failure);
    }
}

/// Apart, so that a program has this code once and not for each type that is dropped.
#[cold]
#[inline(never)]
fn destructor_failed(what: &str, failure: &Failure) {
    tracing::error!(%failure, "{what}");
}

/// Does `work`; a panic becomes [`Failure::Panic`].
pub(crate) fn attempt(work: impl FnOnce()) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(panicked)
}

/// What a panic's payload says.
#[cold]
#[inline(never)]
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Failure {
    let failure = Failure::Panic(panic_text(&*payload));
    if !bury(payload) {
        tracing::error!(%failure, "the destructor of a panic's payload panicked");
    }
    failure
}

pin_project_lite::pin_project! {
    /// Runs user code to its end; a panic on the way becomes [`Failure::Panic`].
    ///
    /// The future is dropped as soon as it has ended, or else with this one; a panic in that goes no further either.
    pub(crate) struct Caught<F> {
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Caught<F> {
        fn drop(this: Pin<&mut Self>) {
            clear(this.project().future);
        }
    }
}

fn clear<F>(mut future: Pin<&mut Option<F>>) {
    if let Err(failure) = attempt(|| future.set(None)) {
        destructor_failed("the destructor of a future failed", &failure);
    }
}

/// Wraps the future that `make` returns; a panic in `make` counts as one in the future.
pub(crate) async fn caught<F>(make: impl FnOnce() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<()>>,
{
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(future) => Caught::new(future).await?.map_err(Failure::Error),
        Err(payload) => Err(panicked(payload)),
    }
}

impl<F> Caught<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future: Some(future) }
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().future;
        let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
        let ended = match catch_unwind(AssertUnwindSafe(|| running.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(panicked(payload)),
        };
        clear(future);
        Poll::Ready(ended)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_future_is_dropped_as_soon_as_it_has_ended_or_panicked() {
        for panics in [false, true] {
            let held = Arc::new(());
            let holds = held.clone();
            let ends = std::future::poll_fn(move |_| {
                assert!(Arc::strong_count(&holds) == 2 && !panics, "as it was told");
                Poll::Ready(())
            });
            let mut caught = pin!(Caught::new(ends));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(matches!(caught.as_mut().poll(&mut cx), Poll::Ready(ended) if ended.is_err() == panics));
            assert_eq!(Arc::strong_count(&held), 1, "panics: {panics}");
            assert!(caught.as_mut().poll(&mut cx).is_pending(), "it is not polled again");
        }
    }
}
