//! Calling a daemon's commands: one form, whatever lies between.

mod carried;
mod error;
mod schema;
mod within;

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use carried::Carried;
pub use error::CallError;
pub(crate) use schema::hash;
#[cfg(feature = "schema")]
pub use schema::schema_of;
pub use schema::{CommandInfo, SchemaOf, Signature, WithSchema, WithoutSchema};
pub(crate) use within::within;

/// How long a generated client waits for a reply unless it is told otherwise.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a generated client talks through: a [`Context`](crate::Context), a [`HostHandle`](crate::HostHandle), a connection to another
/// process, or a double in a test.
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

    /// As [`call`](Self::call), and gives the reply up after `limit`, counted from the first poll. Who can tell the other end of that limit
    /// does it here; the rest have it as it is, which looks at a clock only once it has to wait.
    ///
    /// # Errors
    /// As [`call`](Self::call), and [`CallError::Timeout`].
    ///
    /// # Cancel safety
    /// As [`call`](Self::call).
    fn call_within<Q, A>(
        &self,
        daemon: &str,
        command: &str,
        request: &Q,
        limit: Duration,
    ) -> impl Future<Output = Result<A, CallError>> + Send
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        within::call(self, daemon, command, request, limit)
    }

    /// What the other end takes the commands of `daemon` to look like, as a hash, if it is another program and has said so \[`None`\].
    /// Asked when a request or a reply could not be read, to tell whether the two programs were built from different sources.
    fn command_hash(&self, daemon: &str) -> Option<String> {
        let _ = daemon;
        None
    }
}

impl<T: Call + ?Sized> Call for &T {
    fn call<Q, A>(&self, daemon: &str, command: &str, request: &Q) -> impl Future<Output = Result<A, CallError>> + Send
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        (**self).call(daemon, command, request)
    }

    fn call_within<Q, A>(
        &self,
        daemon: &str,
        command: &str,
        request: &Q,
        limit: Duration,
    ) -> impl Future<Output = Result<A, CallError>> + Send
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        (**self).call_within(daemon, command, request, limit)
    }

    fn command_hash(&self, daemon: &str) -> Option<String> {
        (**self).command_hash(daemon)
    }
}

/// Calls a command as a generated client does: within `limit`, and with an eye on programs that were built from different sources.
pub(crate) async fn ask<Q, A>(
    call: &impl Call,
    (daemon, command): (&str, &str),
    request: &Q,
    limit: Duration,
    commands: fn() -> Vec<Signature>,
) -> Result<A, CallError>
where
    Q: Serialize + Send + Sync,
    A: DeserializeOwned + Send,
{
    match call.call_within(daemon, command, request, limit).await {
        Err(error) if error.is_unreadable() => Err(skew(call, daemon, error, commands)),
        answer => answer,
    }
}

/// Blames what could not be read on a difference between the two programs, if there is one.
fn skew(call: &impl Call, daemon: &str, error: CallError, commands: fn() -> Vec<Signature>) -> CallError {
    let Some(theirs) = call.command_hash(daemon) else { return error };
    let ours = hash(&commands());
    if ours == theirs {
        return error;
    }
    CallError::Skewed { daemon: daemon.to_owned(), ours, theirs, source: Box::new(error) }
}
