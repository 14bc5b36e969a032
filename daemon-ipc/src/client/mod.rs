//! The client: many callers on one connection, which is made when it is first needed and made again when it was lost.
//!
//! [`command`] calls the commands of a host. [`dial`] connects; [`link`] is one connection as long as it lasts, [`open`] what is open on it; [`call`] and [`replies`] are what
//! callers wait on. [`blocking`] is the client of programs without a runtime.

pub mod blocking;
mod call;
mod command;
mod dial;
mod digits;
mod events;
mod greeting;
mod link;
mod open;
mod replies;
mod slot;

pub use dial::Reconnect;
pub use events::{Event, Events};
pub use replies::Replies;

use crate::{
    Endpoint, Hello, Json, Limits, RequestError,
    body::Body,
    codec::{Misread, Unread},
    error::ConnectionError,
};
use call::Call;
use daemon_core::with_sources;
use digits::DeadlineKey;
use link::LinkHandle;
use serde::{Serialize, de::DeserializeOwned};
use slot::Slot;
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// How many items of a long answer may be on their way.
const WINDOW: u32 = 64;

/// A connection to a server, for any number of callers at once.
///
/// Clones share it. It is made when it is first needed, and made again when it was lost; a request that was sent on a connection that
/// is lost fails, since it may have taken effect. Dropping the last clone closes it.
///
/// ```
/// # use daemon_ipc::{Connection, Memory, Reply, Request, Server, from_fn};
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = Memory::new();
/// # let echo = from_fn(|request: Request| async move { Ok(Reply::from(request.payload())) });
/// # tokio::spawn(Server::builder(echo).listen(&path)?.run());
/// let connection = Connection::connect(&path).await?;
/// let (one, other) = tokio::join!(connection.call::<_, i64>(&1), connection.call::<_, i64>(&2));
/// assert_eq!((one?, other?), (1, 2));
///
/// let hasty = connection.with_timeout(Duration::from_millis(500));
/// assert_eq!(hasty.call::<_, String>("soon").await?, "soon");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Connection {
    slot: Arc<Slot>,
    /// The first connection there was, which is found without a lock as long as it lasts.
    first: OnceLock<Arc<LinkHandle>>,
    timeout: Option<Timeout>,
}

/// How long a call may take, also as the server is told.
#[derive(Clone, Copy, Debug)]
struct Timeout {
    limit: Duration,
    key: DeadlineKey,
}

impl Timeout {
    fn new(limit: Duration) -> Self {
        Self { limit, key: DeadlineKey::new(limit) }
    }
}

impl Connection {
    /// Connects to the server at a path, or in [memory](crate::Memory).
    ///
    /// # Errors
    ///
    /// [`ConnectionError`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future connects to nothing.
    pub async fn connect(endpoint: impl Into<Endpoint>) -> Result<Self, ConnectionError> {
        let connection = Self::builder(endpoint).build();
        connection.reconnect().await?;
        Ok(connection)
    }

    /// A connection that is made when it is first needed, with other settings than the usual ones.
    pub fn builder(endpoint: impl Into<Endpoint>) -> ConnectionBuilder {
        ConnectionBuilder {
            endpoint: endpoint.into(),
            settings: Settings {
                limits: Limits::default(),
                connect_timeout: Duration::from_secs(5),
                reconnect: Reconnect::default(),
                waits_for_server: false,
            },
            timeout: Some(Duration::from_secs(30)),
        }
    }

    /// The same connection, whose calls made through this handle may take this long.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout: Some(Timeout::new(timeout)), ..self.clone() }
    }

    /// The same connection, whose calls made through this handle are waited for as long as it lasts.
    #[must_use]
    pub fn without_timeout(&self) -> Self {
        Self { timeout: None, ..self.clone() }
    }

    /// How long a call may take through this handle; `None` if as long as the connection lasts.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.as_ref().map(|timeout| timeout.limit)
    }

    /// Connects, if there is no connection and one is wanted.
    async fn ready(&self) -> Result<(), ConnectionError> {
        self.slot.link().await.map(drop)
    }

    /// Connects now, if there is no connection; also after [`close`](Self::close). Callers at the same time share one.
    ///
    /// # Errors
    ///
    /// [`ConnectionError`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future connects to nothing, unless somebody else waits for the same.
    pub async fn reconnect(&self) -> Result<(), ConnectionError> {
        self.slot.open();
        self.ready().await
    }

    /// Asks, and waits for the answer. An answer without a payload is read as `null`.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which tells whether the connection, the server or one of the two values is to blame.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up, and lets the server know if it can; it may have taken effect.
    pub async fn call<Q, A>(&self, request: &Q) -> Result<A, RequestError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let body = body_of(request)?;
        let reply = self.ask(body).await?;
        reply.read().map_err(|misread| self.misread(misread))
    }

    /// Asks with JSON, or with no payload, and hands over the answer's payload as it came.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub async fn send(&self, payload: Option<Json>) -> Result<Option<Json>, RequestError> {
        let reply = self.ask(payload.map_or(Body::Empty, Body::Shared)).await?;
        let reply = reply.check().map_err(|bad| self.misread(Misread::Frame(bad.error)))?;
        Ok(reply.payload_json())
    }

    async fn ask(&self, body: Body) -> Result<Unread, RequestError> {
        let found;
        let link = match self.first.get().filter(|first| first.is_alive()) {
            Some(first) => first,
            None => {
                found = self.slot.link().await?;
                self.first.get_or_init(|| Arc::clone(&found));
                &found
            }
        };
        Call::new(link, body, self.timeout).await.map_err(|fault| fault.into_error(link.path(), self.timeout()))
    }

    #[cold]
    fn misread(&self, misread: Misread) -> RequestError {
        match misread {
            Misread::Payload(error) => RequestError::Reply(error),
            Misread::Frame(error) => open::unfit(&with_sources(&error)).into_error(&self.slot.endpoint().name(), None),
        }
    }

    /// Asks for an answer of many items, such as a subscription. The timeout does not apply: it may go on for ever.
    ///
    /// A server that knows nothing of such answers answers once, which is then the only item.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the request cannot be sent; what the server answers comes from the [`Replies`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future asks for nothing, or gives it up.
    pub async fn stream<Q, A>(&self, request: &Q) -> Result<Replies<A>, RequestError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let body = body_of(request)?;
        let link = self.slot.link().await?;
        Replies::ask(link, body, WINDOW).await
    }

    /// What the server tells everybody from now on. It begins to once it was asked something on this connection, which is how it
    /// learns that there is somebody to listen.
    ///
    /// # Errors
    ///
    /// [`ConnectionError`] if there is no connection and none can be made.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future listens to nothing.
    pub async fn events(&self) -> Result<Events, ConnectionError> {
        Ok(Events::of(self.slot.link().await?))
    }

    /// What the server said of itself; `None` before its first answer, and of one that knows nothing of it, such as one of
    /// `@outfitter/daemon`.
    #[must_use]
    pub fn hello(&self) -> Option<Hello> {
        self.slot.current().and_then(|link| link.hello())
    }

    /// Whether there is a connection at the moment, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.slot.current().is_some()
    }

    /// Closes the connection, also one that is being made. Whatever is open on it fails, and so does what is asked after,
    /// until [`reconnect`](Self::reconnect). Other handles are closed with it.
    pub fn close(&self) {
        self.slot.close();
    }
}

fn body_of<Q: Serialize + ?Sized>(request: &Q) -> Result<Body, RequestError> {
    Body::of(request).map_err(|source| RequestError::Request(crate::FrameError::NotJson { source }))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.slot.endpoint())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What holds for every connection that is made.
#[derive(Debug)]
struct Settings {
    limits: Limits,
    connect_timeout: Duration,
    reconnect: Reconnect,
    waits_for_server: bool,
}

/// A connection that is not made yet.
#[derive(Debug)]
pub struct ConnectionBuilder {
    endpoint: Endpoint,
    settings: Settings,
    timeout: Option<Duration>,
}

impl ConnectionBuilder {
    /// Replaces how long connecting may take, all attempts together \[5 s\].
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// Replaces how long a call may take, once there is a connection \[30 s\]. The server is told.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Replaces what is done when a connection was lost.
    #[must_use]
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.settings.reconnect = reconnect;
        self
    }

    /// Tries again within the [timeout](Self::connect_timeout) while there is no server yet, also for the first connection.
    #[must_use]
    pub fn wait_for_server(mut self) -> Self {
        self.settings.waits_for_server = true;
        self
    }

    /// Replaces the limits. Of those, a client keeps the longest frame and how long what it writes may be left unread.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// The connection, which is made when it is first needed.
    #[must_use]
    pub fn build(self) -> Connection {
        let (slot, timeout) = (Arc::new(Slot::new(self.endpoint, self.settings)), self.timeout.map(Timeout::new));
        Connection { slot, first: OnceLock::new(), timeout }
    }
}
