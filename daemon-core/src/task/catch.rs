//! Turns a panic inside a future into a value, and says in words what went wrong with a piece of work.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::{BoxError, Result};

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

    pub(crate) fn panic(payload: &(dyn Any + Send)) -> Self {
        Self::Panic(panic_text(payload))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => {
                write!(f, "{error}")?;
                let mut source = error.source();
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
            Self::Panic(message) => write!(f, "panicked: {message}"),
            Self::Timeout(limit) => write!(f, "did not end within {limit:?}"),
        }
    }
}

/// The message of a panic.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
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
        tracing::error!(%failure, "a destructor failed");
    }
}

/// Does `work`; a panic becomes [`Failure::Panic`].
pub(crate) fn attempt(work: impl FnOnce()) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| Failure::panic(&*payload))
}

pin_project_lite::pin_project! {
    /// Runs user code to its end; a panic on the way becomes [`Failure::Panic`].
    pub(crate) struct Caught<F> {
        #[pin]
        future: F,
    }
}

/// Wraps the future that `make` returns; a panic in `make` counts as one in the future.
pub(crate) async fn caught<F>(make: impl FnOnce() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<()>>,
{
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(future) => Caught { future }.await,
        Err(payload) => Err(Failure::panic(&*payload)),
    }
}

impl<T, F: Future<Output = Result<T>>> Future for Caught<F> {
    type Output = Result<T, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(outcome.map_err(Failure::Error)),
            Err(payload) => Poll::Ready(Err(Failure::panic(&*payload))),
        }
    }
}
