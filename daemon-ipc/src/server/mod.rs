//! The server: listens at one place, and answers what comes with one handler.
//!
//! [`connection`] is one connection as one task; [`calls`] its requests; [`running`] the handlers that did not answer at once;
//! [`accept`] lets connections in, and ends them all.

mod accept;
mod answer;
mod calls;
mod connection;
mod handler;
mod http;
mod items;
mod patience;
mod registry;
mod running;
mod shared;

pub use handler::{FromFn, Handler, Reply, Request, from_fn};
pub use items::{Items, PushError, Pusher};

use crate::{BindError, Endpoint, FrameError, Hello, Limits, Policy, transport::Listener};
use daemon_core::Upgrade;
use registry::Registry;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, sync::Arc};
use tokio_util::sync::CancellationToken;

/// What every connection of a server shares.
struct Service {
    handler: Box<dyn Handler>,
    limits: Arc<Limits>,
    /// The server's greeting, as JSON.
    hello: Arc<str>,
    upgrades: Vec<Box<dyn Upgrade>>,
    policy: Policy,
    connections: Registry,
    closing: CancellationToken,
}

/// A server that listens. Nothing is accepted until it [runs](Self::run); dropping it gives its place back.
///
/// ```
/// use daemon_ipc::{Connection, Reply, Request, Server, from_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("daemon.sock");
/// # #[cfg(windows)] // pipes have a place of their own
/// # let path = std::path::PathBuf::from(format!(r"\\.\pipe\daemon-{}", std::process::id()));
/// let double = from_fn(|request: Request| async move { Reply::of(&(2 * request.read::<i64>()?)) });
/// let server = Server::builder(double).listen(&path)?;
/// let handle = server.handle();
/// let running = tokio::spawn(server.run());
///
/// let connection = Connection::connect(&path).await?;
/// assert_eq!(connection.call::<_, i64>(&21).await?, 42);
///
/// handle.close();
/// running.await?;
/// assert!(!path.exists());
/// # Ok(())
/// # }
/// ```
pub struct Server {
    service: Arc<Service>,
    listener: Listener,
    endpoint: Endpoint,
}

impl Server {
    /// A server that answers with `handler`.
    pub fn builder(handler: impl Handler) -> ServerBuilder {
        ServerBuilder {
            handler: Box::new(handler),
            limits: Limits::default(),
            policy: Policy::default(),
            mode: 0o600,
            commands: BTreeMap::new(),
            upgrades: Vec::new(),
        }
    }

    /// A way to steer it while it runs.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { service: Arc::clone(&self.service), endpoint: self.endpoint.clone() }
    }

    /// Accepts and answers until [`ServerHandle::close`]. Then nobody new is let in, what is at work is answered, and every
    /// connection is closed, within the [limits](Limits::drain_timeout).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all connections at once, with whatever was at work.
    pub async fn run(self) {
        self.run_until(std::future::pending()).await;
    }

    /// Like [`run`](Self::run), and closes when `shutdown` is ready too.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        accept::run(self.listener, self.service, shutdown).await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A server that does not listen yet.
pub struct ServerBuilder {
    handler: Box<dyn Handler>,
    limits: Limits,
    policy: Policy,
    mode: u32,
    commands: BTreeMap<String, String>,
    upgrades: Vec<Box<dyn Upgrade>>,
}

impl ServerBuilder {
    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces who may talk to it \[the same user, and root\]. Whoever may not is told so.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Replaces who may open the socket, as permission bits \[`0o600`\]. Has no effect on Windows, where it is the owner alone.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Tells clients what the commands of each daemon look like, as a hash, so that who cannot read an answer knows why. What is no daemon
    /// may have such a name, too: clients that know it see it in [`Connection::hello`](crate::Connection::hello).
    #[must_use]
    pub fn commands(mut self, hashes: BTreeMap<String, String>) -> Self {
        self.commands = hashes;
        self
    }

    /// Adds another protocol, or a table of them. Those added first are asked first.
    ///
    /// Without one for HTTP, the server answers it by itself, with the status 426 and what to do.
    #[must_use]
    pub fn upgrade(mut self, upgrade: impl Upgrade) -> Self {
        self.upgrades.push(Box::new(upgrade));
        self
    }

    /// Listens: at a path, whose socket is made, or in [memory](crate::Memory).
    ///
    /// The socket is made under a lock in a file beside it (`daemon.lock` beside `daemon.sock`), which is held until the server closes.
    /// A socket on which nobody listens any more is cleared away; one on which somebody does is not.
    ///
    /// # Errors
    ///
    /// [`BindError`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn listen(self, endpoint: impl Into<Endpoint>) -> Result<Server, BindError> {
        let endpoint = endpoint.into();
        let listener = endpoint.listen(self.mode)?;
        Ok(self.serve(listener, endpoint))
    }

    /// Listens at a path under a lock that the caller has, such as a host's. It is held until the server closes.
    ///
    /// # Errors
    ///
    /// [`BindError`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    #[cfg(unix)]
    pub fn listen_under(
        self,
        lock: &daemon_core::instance::DaemonLock,
        path: impl AsRef<std::path::Path>,
    ) -> Result<Server, BindError> {
        let listener = Listener::claim(path.as_ref(), lock, self.mode)?;
        Ok(self.serve(listener, path.as_ref().into()))
    }

    /// Listens on a socket that somebody else made, such as a service manager or the holder of a lock. What `keep` gives back
    /// when it is dropped is given back when the server closes, before its listener.
    ///
    /// # Errors
    ///
    /// [`BindError::Io`] if the socket cannot be used.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    #[cfg(unix)]
    pub fn listen_on(
        self,
        listener: std::os::unix::net::UnixListener,
        keep: impl std::any::Any + Send + Sync,
    ) -> Result<Server, BindError> {
        let address = listener.local_addr().ok();
        let path = address.and_then(|address| address.as_pathname().map(std::path::Path::to_owned)).unwrap_or_default();
        let listener = Listener::from_std(listener, Some(Box::new(keep)))
            .map_err(|source| BindError::Io { path: path.clone(), source })?;
        Ok(self.serve(listener, path.into()))
    }

    fn serve(mut self, listener: Listener, endpoint: Endpoint) -> Server {
        self.upgrades.push(Box::new(http::Refusal));
        let hello = serde_json::to_string(&Hello::new(self.commands)).unwrap_or_default();
        let service = Service {
            handler: self.handler,
            limits: Arc::new(self.limits.kept()),
            hello: hello.into(),
            upgrades: self.upgrades,
            policy: self.policy,
            connections: Registry::default(),
            closing: CancellationToken::new(),
        };
        Server { service: Arc::new(service), listener, endpoint }
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("limits", &self.limits)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// A way to steer a server while it runs. Cheap to clone; does not keep the server running.
#[derive(Clone)]
pub struct ServerHandle {
    service: Arc<Service>,
    endpoint: Endpoint,
}

impl ServerHandle {
    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How many connections it has.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.service.connections.len()
    }

    /// Asks it to close. [`Server::run`] returns when it has.
    pub fn close(&self) {
        self.service.closing.cancel();
    }

    /// Tells every peer that understands events of one. Does not wait; a peer that has too many to read already is left out.
    /// How many are told.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if it cannot be written as JSON, or is too long.
    pub fn push<T: Serialize + ?Sized>(&self, topic: &str, payload: &T) -> Result<usize, FrameError> {
        let event = items::encode_event(topic, payload, &self.service.limits)?;
        Ok(self.service.connections.push(&event))
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
