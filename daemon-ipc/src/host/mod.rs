//! A host's commands and events on a socket: the daemon that connects this crate to a host.
//!
//! [`route`] is what becomes of a request; [`tapped`] what those hear who subscribe; [`room`] how much may go on at once;
//! [`counted`] how many there were.
//!
//! Invariants:
//! 1. No code of another daemon runs on the thread this runs on: commands are called, and events written as JSON, on the workers.
//! 2. A command that goes on though nobody waits for it any more counts as at work until it has ended.

mod counted;
mod room;
mod route;
mod tapped;

use crate::{Endpoint, Limits, Policy, Server};
use daemon_core::{Context, DaemonBase, Result, daemon};
use route::Route;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// How many commands of one daemon may be at work for all connections together.
const MAX_COMMANDS: usize = 256;

/// How many subscriptions all connections together may have. Each costs every publisher something.
const MAX_SUBSCRIPTIONS: usize = 256;

/// Lets other processes call the commands of a host's daemons, and subscribe to its events.
///
/// It is a daemon like any other, named `ipc`: add it to the host. It listens on the socket of the host's
/// [instance](daemon_core::instance), under the host's lock, from just after the start to just before the report, and answers also while
/// every worker is blocked.
///
/// ```
/// use daemon_core::{DaemonBase, Host, Result, daemon};
/// use daemon_ipc::{Connection, IpcServer, Memory};
///
/// #[daemon]
/// struct Calculator;
///
/// #[daemon]
/// impl Calculator {
///     #[command]
///     async fn sum(&self, numbers: Vec<i64>) -> Result<i64> {
///         Ok(numbers.iter().sum())
///     }
/// }
///
/// impl DaemonBase for Calculator {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let place = Memory::new(); // in a test; else leave `path` out
/// let server = IpcServer::new().path(&place);
/// let host = Host::new("calculator").daemon(server).daemon(Calculator).start().await?;
///
/// let connection = Connection::connect(&place).await?;
/// assert_eq!(Calculator::client(&connection).sum(&vec![20, 22]).await?, 42);
/// # host.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[daemon(name = "ipc", plane = operations)]
pub struct IpcServer {
    settings: Arc<Settings>,
    /// Listens, and does not serve yet.
    bound: Mutex<Option<Server>>,
}

/// How it serves.
#[derive(Clone)]
struct Settings {
    /// `None`: the socket of the host's instance.
    endpoint: Option<Endpoint>,
    limits: Limits,
    policy: Policy,
    mode: u32,
    max_commands: usize,
    max_subscriptions: usize,
}

impl IpcServer {
    /// A server on the socket of its host's instance.
    #[must_use]
    pub fn new() -> Self {
        let settings = Settings {
            endpoint: None,
            limits: Limits::default(),
            policy: Policy::default(),
            mode: 0o600,
            max_commands: MAX_COMMANDS,
            max_subscriptions: MAX_SUBSCRIPTIONS,
        };
        Self { settings: Arc::new(settings), bound: Mutex::default() }
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    /// Listens elsewhere \[on the socket of the host's instance\]: at a path, under the lock beside it, or in [memory](crate::Memory).
    #[must_use]
    pub fn path(self, endpoint: impl Into<Endpoint>) -> Self {
        let endpoint = endpoint.into();
        self.set(|settings| settings.endpoint = Some(endpoint))
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.set(|settings| settings.limits = limits)
    }

    /// Replaces who may talk to it \[the same user, and root\].
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        self.set(|settings| settings.policy = policy)
    }

    /// Replaces who may open the socket, as permission bits \[`0o600`\].
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        self.set(|settings| settings.mode = mode)
    }

    /// Replaces how many commands of one daemon may be at work for all connections together \[256\], those counted that go on though
    /// nobody waits for them any more. One more is told that the daemon is busy; the others are as free as before.
    #[must_use]
    pub fn max_commands(self, commands: usize) -> Self {
        self.set(|settings| settings.max_commands = commands)
    }

    /// Replaces how many subscriptions all connections together may have \[256\]. One more is told that the host is busy.
    #[must_use]
    pub fn max_subscriptions(self, subscriptions: usize) -> Self {
        self.set(|settings| settings.max_subscriptions = subscriptions)
    }

    fn bound(&self) -> Option<Server> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Listens, on a thread that may wait for a moment: taking a lock can.
    async fn listen(&self, cx: &Context) -> Result<Server> {
        let (settings, context) = (Arc::clone(&self.settings), cx.clone());
        cx.spawn_blocking("listen", move || settings.listen(&context))?.await?
    }
}

impl Settings {
    fn listen(&self, cx: &Context) -> Result<Server> {
        let host = cx.host();
        let builder = Server::builder(Route::new(cx.clone(), self.max_commands, self.max_subscriptions));
        let builder = builder.limits(self.limits.clone()).policy(self.policy.clone()).mode(self.mode);
        let builder = builder.commands(host.command_hashes()).upgrade(host.upgrades().served());
        if let Some(endpoint) = &self.endpoint {
            return Ok(builder.listen(endpoint.clone())?);
        }
        let layout = host.layout()?;
        layout.create_dir()?;
        let path = layout.socket()?;
        #[cfg(unix)]
        if let Some(lock) = host.lock() {
            return Ok(builder.listen_under(&lock, path)?);
        }
        Ok(builder.listen(path)?)
    }
}

#[daemon]
impl IpcServer {
    #[task]
    async fn serve(&self, cx: &Context) -> Result<()> {
        let server = match self.bound() {
            Some(server) => server,
            // It served before, and did not end well.
            None => self.listen(cx).await?,
        };
        server.run_until(cx.cancelled()).await;
        Ok(())
    }
}

impl DaemonBase for IpcServer {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let server = self.listen(cx).await?;
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        drop(self.bound());
        Ok(())
    }
}

impl Default for IpcServer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for IpcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IpcServer")
            .field("endpoint", &self.settings.endpoint)
            .field("limits", &self.settings.limits)
            .field("policy", &self.settings.policy)
            .finish_non_exhaustive()
    }
}
