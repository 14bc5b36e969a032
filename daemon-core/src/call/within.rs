//! A call that is given up after a while.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Sleep;

use super::{Call, CallError};

/// Calls a command, and waits for its reply no longer than `limit`.
pub(super) async fn call<C, Q, A>(
    call: &C,
    daemon: &str,
    command: &str,
    request: &Q,
    limit: Duration,
) -> Result<A, CallError>
where
    C: Call + ?Sized,
    Q: Serialize + Send + Sync,
    A: DeserializeOwned + Send,
{
    within(limit, call.call(daemon, command, request)).await.unwrap_or_else(|| {
        let (daemon, command) = (daemon.to_owned(), command.to_owned());
        Err(CallError::Timeout { daemon, command, limit })
    })
}

/// What `call` comes to within `limit`, counted from the first poll; `None`, and it is dropped, if that is not enough. The clock is
/// looked at only once it has to wait, and not at all outside a tokio runtime.
pub(crate) fn within<F: Future>(limit: Duration, call: F) -> impl Future<Output = Option<F::Output>> {
    Within { call, limit, timer: None }
}

pin_project_lite::pin_project! {
    /// What a future comes to within a limit.
    struct Within<F> {
        #[pin]
        call: F,
        limit: Duration,
        // boxed: few calls wait, and every call would carry the timer
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.call.poll(cx) {
            return Poll::Ready(Some(output));
        }
        if this.timer.is_none() && tokio::runtime::Handle::try_current().is_ok() {
            *this.timer = Some(Box::pin(tokio::time::sleep(*this.limit)));
        }
        match this.timer {
            Some(timer) => timer.as_mut().poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    }
}
