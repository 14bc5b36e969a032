//! Calling a daemon's commands: one form, whatever lies between.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Sleep;

use crate::error::BoxError;

/// How long a generated client waits for a reply unless it is told otherwise.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a generated client talks through: a [`Context`](crate::Context), a [`HostHandle`](crate::HostHandle), or a
/// double in a test.
pub trait Call: Send + Sync {
    /// Calls `command` of `daemon` and waits for its reply.
    ///
    /// # Errors
    /// [`CallError`], whose kind says whether the daemon, the request or the command itself is to blame.
    ///
    /// # Cancel safety
    /// Dropping the future gives the reply up; the command may have taken effect.
    fn call<Q, A>(&self, daemon: &str, command: &str, request: &Q) -> impl Future<Output = Result<A, CallError>> + Send
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send;
}

impl<T: Call + ?Sized> Call for &T {
    async fn call<Q, A>(&self, daemon: &str, command: &str, request: &Q) -> Result<A, CallError>
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        (**self).call(daemon, command, request).await
    }
}

/// Why a call brought no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The host has no such daemon.
    #[error("no daemon named `{daemon}`")]
    UnknownDaemon {
        /// The name asked for.
        daemon: String,
    },
    /// The daemon has no such command.
    #[error("daemon `{daemon}` has no command `{command}`; it has: {known}")]
    UnknownCommand {
        /// The daemon asked.
        daemon: String,
        /// The command asked for.
        command: String,
        /// The commands it has.
        known: String,
    },
    /// The daemon is not running.
    #[error("daemon `{daemon}` is {state}")]
    Unavailable {
        /// The daemon asked.
        daemon: String,
        /// Its state.
        state: String,
    },
    /// The daemon stopped before the command ended.
    #[error("daemon `{daemon}` is shutting down")]
    ShuttingDown {
        /// The daemon asked.
        daemon: String,
    },
    /// No reply came in time. The command may have taken effect, and may still be under way, unless the limit was its own.
    #[error("`{daemon}.{command}` did not answer within {limit:?}")]
    Timeout {
        /// The daemon asked.
        daemon: String,
        /// The command asked for.
        command: String,
        /// How long the caller waited, or the command may take.
        limit: Duration,
    },
    /// Commands call each other without end: this one waits, over that many steps, for itself.
    #[error("commands call each other in a circle: {chain}")]
    Circular {
        /// The last calls, in order, as `daemon.command`.
        chain: String,
    },
    /// The request cannot be read as what the command takes.
    #[error("the request does not fit the command")]
    Request(#[source] BoxError),
    /// The command returned an error.
    #[error("the command failed: {0}")]
    Failed(BoxError),
    /// The command panicked.
    #[error("the command panicked: {0}")]
    Panicked(String),
    /// The reply cannot be written or read as what the caller expects.
    #[error("the reply cannot be carried")]
    Reply(#[source] BoxError),
}

impl CallError {
    /// The request did not fit.
    pub fn request(error: impl Into<BoxError>) -> Self {
        Self::Request(error.into())
    }

    /// The command returned `error`.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }

    /// The reply could not be carried.
    pub fn reply(error: impl Into<BoxError>) -> Self {
        Self::Reply(error.into())
    }

    /// Whether the same call may succeed later, because the daemon was not running.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::ShuttingDown { .. })
    }

    /// Whether the reply did not come in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

/// Calls a command, and waits for its reply no longer than `limit`.
pub(crate) async fn call_within<Q, A>(
    call: &impl Call,
    daemon: &str,
    command: &str,
    request: &Q,
    limit: Duration,
) -> Result<A, CallError>
where
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
