//! Calling a daemon's commands: one form, whatever lies between.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::BoxError;

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
}
