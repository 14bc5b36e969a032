//! Calling the commands of a host's daemons, and subscribing to its events, through a connection.

use super::{Connection, Replies};
use crate::{
    ConnectionError, RequestError, code,
    command::{Ask, Published, Subscribe, call_error_of},
};
use daemon_core::{Call, CallError};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Commands are called as anywhere else: `UserDaemon::client(&connection).stats(&request).await`. Its limit is told to the host.
impl Call for Connection {
    async fn call<Q, A>(&self, daemon: &str, command: &str, request: &Q) -> Result<A, CallError>
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        let reply = Connection::call(self, &Ask { daemon, command, request }).await;
        reply.map_err(|error| call_error(error, daemon, command, self.timeout()))
    }

    async fn call_within<Q, A>(&self, daemon: &str, command: &str, request: &Q, limit: Duration) -> Result<A, CallError>
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        if self.is_connected() && self.timeout() == Some(limit) {
            return Call::call(self, daemon, command, request).await;
        }
        let late = |_| CallError::Timeout { daemon: daemon.to_owned(), command: command.to_owned(), limit };
        let Some(until) = Instant::now().checked_add(limit) else {
            return Call::call(&self.without_timeout(), daemon, command, request).await;
        };
        // A limit is one for all of it, connecting included.
        timeout_at(until, self.ready()).await.map_err(late)?.map_err(CallError::transport)?;
        let left = self.with_timeout(until.saturating_duration_since(Instant::now()));
        let reply = Connection::call(&left, &Ask { daemon, command, request }).await;
        reply.map_err(|error| call_error(error, daemon, command, Some(limit)))
    }

    fn command_hash(&self, daemon: &str) -> Option<String> {
        self.hello()?.commands.remove(daemon)
    }
}

impl Connection {
    /// Subscribes to the events of a host on the topics that `pattern` selects, such as `"data:**"`, from now on. Events that are not read
    /// fast enough are lost, and [counted](Published::missed); they hold nobody up.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the request cannot be sent; that the pattern is none, or the other end has no host, comes from the [`Replies`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future subscribes to nothing.
    pub async fn subscribe(&self, pattern: &str) -> Result<Replies<Published>, RequestError> {
        self.stream(&Subscribe { subscribe: pattern }).await
    }
}

/// What a call came to, of what the request did.
pub(super) fn call_error(error: RequestError, daemon: &str, command: &str, limit: Option<Duration>) -> CallError {
    let late = |limit: Duration| CallError::Timeout { daemon: daemon.to_owned(), command: command.to_owned(), limit };
    match error {
        RequestError::Failed(failure) => match call_error_of(&failure) {
            // How long this end waited, and not what was left of that when the other end began.
            Some(CallError::Timeout { limit: theirs, .. }) => late(limit.unwrap_or(theirs)),
            Some(error) => error,
            None if failure.has_code(code::DEADLINE_EXCEEDED) => late(limit.unwrap_or_default()),
            None if failure.has_code(code::SHUTTING_DOWN) => CallError::ShuttingDown { daemon: daemon.to_owned() },
            None => CallError::transport(RequestError::Failed(failure)),
        },
        RequestError::Connection(ConnectionError::Timeout { awaited: "reply", timeout, .. }) => {
            late(limit.unwrap_or(timeout))
        }
        RequestError::Connection(error) => CallError::transport(error),
        RequestError::Request(error) => CallError::request(error),
        RequestError::Reply(error) => CallError::reply(error),
    }
}
