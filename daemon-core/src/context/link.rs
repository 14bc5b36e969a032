//! The narrow way from a context to its host.

use std::any::{Any, TypeId};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::BoxFuture;
use crate::call::CallError;
use crate::status::{CheckReport, HostStatus};

/// Whether a daemon is running, and in which of its lives. State, not an event: whoever looks late still sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) life: u64,
    pub(crate) running: bool,
}

/// What a daemon's value is to everyone but its own code.
pub(crate) type AnyDaemon = Arc<dyn Any + Send + Sync>;

/// What contexts and handles ask of the host.
pub(crate) trait HostLink: Send + Sync {
    /// How ready a daemon is; `None` if there is no such daemon.
    fn readiness(&self, daemon: &str) -> Option<watch::Receiver<Readiness>>;
    /// The names of all daemons.
    fn names(&self) -> Vec<String>;
    /// A running daemon, by type and, where one is given, by name.
    fn running(&self, type_id: TypeId, name: Option<&str>) -> Option<AnyDaemon>;
    /// Begins the shutdown.
    fn request_shutdown(&self, by: &str);
    /// A task that its daemon cannot do without has failed.
    fn daemon_failed(&self, daemon: &str, life: u64, reason: String);
    /// Calls a command.
    fn call(&self, daemon: &str, command: &str, request: Value) -> BoxFuture<'_, Result<Value, CallError>>;
    /// Runs the health checks of all running daemons.
    fn run_checks(&self) -> BoxFuture<'_, Vec<CheckReport>>;
    /// What can be seen of the host.
    fn status(&self) -> HostStatus;
}

/// Calls a command with typed request and reply.
pub(crate) async fn call<Q, A>(link: &dyn HostLink, daemon: &str, command: &str, request: &Q) -> Result<A, CallError>
where
    Q: Serialize + Send + Sync,
    A: DeserializeOwned + Send,
{
    let request = serde_json::to_value(request).map_err(CallError::request)?;
    let reply = link.call(daemon, command, request).await?;
    serde_json::from_value(reply).map_err(CallError::reply)
}
