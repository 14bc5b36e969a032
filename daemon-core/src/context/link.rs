//! The narrow way from a context to its host.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::BoxFuture;
use crate::call::{CallError, Carried, CommandInfo};
use crate::definition::DeclaredCheck;
use crate::error::Error;
use crate::instance::{DaemonLock, Layout, PathError};
use crate::schedule::Order;
use crate::status::{CheckReport, EventAudit, HostReadiness, HostStatus, State, Transition};
use crate::sync::watch;
use crate::upgrade::Upgrades;

/// A daemon's state and the number of its latest life. State, not an event: whoever looks late still sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) life: u64,
    pub(crate) state: State,
    /// How many states there have been.
    pub(crate) changes: u64,
}

impl Readiness {
    /// Whether a life other than the one seen before is running.
    pub(crate) fn is_news(self, seen: Self) -> bool {
        self.state == State::Running && self.life != seen.life
    }
}

/// What an operator wants of one daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Stop,
    Start,
    Restart,
}

/// What a daemon's value is to everyone but its own code.
pub(crate) type AnyDaemon = Arc<dyn Any + Send + Sync>;

/// What contexts and handles ask of the host.
pub(crate) trait HostLink: Any + Send + Sync {
    /// How ready a daemon is; `None` if there is no such daemon.
    fn readiness(&self, daemon: &str) -> Option<watch::Receiver<Readiness>>;
    /// Whether there is such a daemon.
    fn has(&self, daemon: &str) -> bool;
    /// The names of all daemons.
    fn names(&self) -> Vec<String>;
    /// A daemon and all that cannot start before it runs.
    fn held_up_by(&self, daemon: &str) -> Vec<String>;
    /// A running daemon, by type and, where one is given, by name.
    fn running(&self, type_id: TypeId, name: Option<&str>) -> Option<AnyDaemon>;
    /// Begins the shutdown.
    fn request_shutdown(&self, by: &str);
    /// A daemon cannot go on; `for_good` if it is not to be restarted.
    fn daemon_failed(&self, daemon: &str, life: u64, reason: String, for_good: bool);
    /// Stops, starts or restarts one daemon, and waits until that is so.
    fn steer(&self, daemon: &str, wish: Wish) -> BoxFuture<'_, Result<(), Error>>;
    /// What an operator wants of one interval.
    fn order(&self, daemon: &str, interval: &str, order: Order) -> Result<(), Error>;
    /// Calls a command.
    fn call(&self, daemon: &str, command: &str, request: Carried) -> BoxFuture<'_, Result<Carried, CallError>>;
    /// The commands of all daemons.
    fn commands(&self) -> Vec<CommandInfo>;
    /// What the commands of each daemon look like, as a hash.
    fn command_hashes(&self) -> BTreeMap<String, String>;
    /// The health checks that the daemons declare.
    fn checks(&self) -> Vec<DeclaredCheck>;
    /// Runs one health check.
    fn run_check(&self, daemon: &str, check: &str) -> BoxFuture<'_, Result<CheckReport, Error>>;
    /// Fails one life of a daemon, from outside.
    fn fail_daemon(&self, daemon: &str, life: u64, reason: String, for_good: bool) -> Result<(), Error>;
    /// Whether the host does its work, as far as the lives of its daemons tell.
    fn host_readiness(&self) -> HostReadiness;
    /// Runs the health checks of all running daemons.
    fn run_checks(&self) -> BoxFuture<'_, Vec<CheckReport>>;
    /// What can be seen of the host.
    fn status(&self) -> HostStatus;
    /// What was heard by nobody, and who heard nothing.
    fn audit(&self) -> EventAudit;
    /// Where the workers' daemons run, once that is known.
    fn workers(&self) -> Option<Handle>;
    /// Where its files are.
    fn layout(&self) -> Result<Layout, PathError>;
    /// The lock it holds.
    fn lock(&self) -> Option<DaemonLock>;
    /// What its daemons understand on sockets of others.
    fn upgrades(&self) -> Upgrades;
    /// Its latest transitions.
    fn journal(&self) -> Vec<Transition>;
    /// What a test wants called in the place of the next call named `name`.
    #[cfg(feature = "testing")]
    fn fault(&self, daemon: &str, name: &str) -> Option<crate::task::Fault>;
}

/// Calls a command with typed request and reply.
pub(crate) async fn call<Q, A>(link: &dyn HostLink, daemon: &str, command: &str, request: &Q) -> Result<A, CallError>
where
    Q: Serialize + Send + Sync,
    A: DeserializeOwned + Send,
{
    let request = serde_json::to_value(request).map_err(CallError::request)?;
    match link.call(daemon, command, Carried::Value(request)).await? {
        Carried::Value(reply) => serde_json::from_value(reply).map_err(CallError::reply),
        Carried::Text(reply) => serde_json::from_str(&reply).map_err(CallError::reply),
    }
}
