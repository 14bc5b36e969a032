//! A host over HTTP (feature `http`), on a port or on its own socket: probes, health, metrics, its status as JSON, and a live status page.
//!
//! [`HttpEndpoint`] is a daemon: nothing listens unless it is added to the host. What it answers:
//!
//! | path | |
//! |---|---|
//! | `/livez`, `/readyz`, `/startupz` | 200 or 503, as kube-apiserver does; `?verbose`, `?exclude=name` |
//! | `/health`, `/health/{group}` | the answers of all checks as JSON, or of a group |
//! | `/metrics` | for Prometheus |
//! | `/status.json` | [`HostStatus`](daemon_core::HostStatus) |
//! | `/` | the status page, for people |
//! | `/events` | what the page shows, as server-sent events |

// `serve` holds connections, `socket` has them from whoever listens on the host's, `gate` says who may ask, `routes` what is answered; `live` is what the page sees; `verdict` is where
// health is asked for.

mod error;
mod gate;
mod limits;
mod live;
mod page;
mod patient;
mod probe;
mod routes;
mod serve;
mod socket;
mod verdict;

pub use error::HttpError;
pub use limits::HttpLimits;
pub use live::{LogLine, LogTail};

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::HealthReport;
use crate::metrics::Metrics;
use daemon_core::{Context, DaemonBase, Result, daemon};
use gate::{Door, Gate, Token};
use routes::App;
use serve::{Incoming, Routers};
use socket::Socket;
use tokio::net::TcpListener;

/// Answers HTTP for its host: probes, health, metrics, status, and a status page.
///
/// It is a daemon like any other, named `http`, on the [operations plane](daemon_core::Plane::Operations): it is up from just after the
/// start to just before the report, and answers also while every worker is blocked.
///
/// It answers [on a port](Self::on), or [on the socket](Self::on_socket) of its host, or on both. The port is one of a loopback address. Another one is refused unless it is [allowed](Self::public) and there is a
/// [token](Self::token). On loopback it answers to names of loopback only, so that no page that a browser shows can reach it under
/// a name of its own.
///
/// ```
/// use daemon_core::{DaemonBase, Host, Result, daemon};
/// use daemon_health::http::HttpEndpoint;
///
/// #[daemon(no_handlers)]
/// struct Store;
///
/// impl DaemonBase for Store {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// // Port 0 is any that is free; a program would name one.
/// let host = Host::new("shop").daemon(HttpEndpoint::on(([127, 0, 0, 1], 0))).daemon(Store).start().await?;
/// let endpoint = host.handle().daemon::<HttpEndpoint>().unwrap();
/// println!("see http://{}/", endpoint.address().unwrap());
/// # host.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[daemon(name = "http", plane = operations)]
pub struct HttpEndpoint {
    settings: Settings,
    /// From `initialize` to `cleanup`.
    open: Mutex<Option<Open>>,
    /// Where it listened first.
    before: OnceLock<SocketAddr>,
}

/// What a program adds to the figures.
type Figures = dyn Fn(Metrics) -> Metrics + Send + Sync;

/// Where and how it serves.
#[derive(Clone)]
struct Settings {
    address: Option<SocketAddr>,
    socket: bool,
    public: bool,
    token: Option<Token>,
    names: Vec<String>,
    limits: HttpLimits,
    figures: Option<Arc<Figures>>,
    logs: Option<LogTail>,
}

/// What one life of the daemon has.
#[derive(Clone)]
struct Open {
    incoming: Arc<Incoming>,
    address: Option<SocketAddr>,
    app: Arc<App>,
}

impl HttpEndpoint {
    /// An endpoint on an address of this machine, such as `([127, 0, 0, 1], 9100)`.
    #[must_use]
    pub fn on(address: impl Into<SocketAddr>) -> Self {
        Self::new(Some(address.into()), false)
    }

    /// An endpoint on the socket of the host's IPC server, and on no port: `curl --unix-socket daemon.sock http://localhost/readyz`.
    ///
    /// The server lets in whom its policy allows, and counts these connections among its own. It must be in the host, such as the
    /// `IpcServer` of `daemon-ipc`; without one nobody is answered, which the host notes in the report of its start.
    #[must_use]
    pub fn on_socket() -> Self {
        Self::new(None, true)
    }

    fn new(address: Option<SocketAddr>, socket: bool) -> Self {
        let settings = Settings {
            address,
            socket,
            public: false,
            token: None,
            names: Vec::new(),
            limits: HttpLimits::default(),
            figures: None,
            logs: None,
        };
        Self { settings, open: Mutex::default(), before: OnceLock::new() }
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self
    }

    /// Answers [on the socket](Self::on_socket) of the host's IPC server, too.
    #[must_use]
    pub fn also_on_socket(self) -> Self {
        self.set(|settings| settings.socket = true)
    }

    /// Allows an address that other machines reach. It needs a [token](Self::token), too, and something before it that encrypts:
    /// what is said here is not.
    #[must_use]
    pub fn public(self) -> Self {
        self.set(|settings| settings.public = true)
    }

    /// Answers only those who name this secret: as `Authorization: Bearer ..`, or as the password of any user, for which a browser
    /// asks. At least 16 printable characters.
    #[must_use]
    pub fn token(self, secret: impl Into<String>) -> Self {
        let token = Token::new(secret.into());
        self.set(|settings| settings.token = Some(token))
    }

    /// Answers on loopback under one more name, such as that of a proxy which passes it on.
    #[must_use]
    pub fn allow_host(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.set(|settings| settings.names.push(name))
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(self, limits: HttpLimits) -> Self {
        self.set(|settings| settings.limits = limits)
    }

    /// Adds to the figures of `/metrics`: facts about the program, say, or figures of its own. What they call runs on the operations
    /// plane and has to be quick.
    #[must_use]
    pub fn metrics(self, add: impl Fn(Metrics) -> Metrics + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.figures = Some(Arc::new(add)))
    }

    /// Shows the latest lines of a log on the status page.
    #[must_use]
    pub fn log_tail(self, tail: LogTail) -> Self {
        self.set(|settings| settings.logs = Some(tail))
    }

    /// The port it listens on; `None` if it has none, or its daemon has not started. Port 0 has become a real one here, and stays it through restarts.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.open().and_then(|open| open.address)
    }

    fn open(&self) -> Option<Open> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens, and tells where.
async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HttpError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| HttpError::Bind { address, source })
}

impl Settings {
    fn routers(&self, app: &Arc<App>) -> Routers {
        let is_loopback = self.address.is_some_and(|address| address.ip().to_canonical().is_loopback());
        let port = if is_loopback { Door::Loopback(self.names.clone()) } else { Door::Public };
        let behind = |door| routes::router(app, Gate { door, token: self.token.clone() });
        Routers { port: behind(port), socket: behind(Door::Socket) }
    }
}

#[daemon]
impl HttpEndpoint {
    /// Answers.
    #[task]
    async fn serve(&self, cx: &Context) {
        let Some(open) = self.open() else { return };
        let routers = self.settings.routers(&open.app);
        serve::run(&open.incoming, routers, &self.settings.limits, open.app.closing(), cx.cancelled()).await;
    }

    /// What all checks and the host come to, as `/health` says: what operators are told of the host.
    #[command]
    async fn host_health(&self) -> Result<HealthReport> {
        match self.open() {
            Some(open) => open.app.health().await,
            None => Err("it does not serve".into()),
        }
    }

    /// Keeps what the status page shows up to date while somebody looks.
    #[task]
    async fn look(&self, cx: &Context) -> Result<()> {
        match self.open() {
            Some(open) => open.app.look(cx, self.settings.limits.refresh).await,
            None => Ok(()),
        }
    }
}

impl DaemonBase for HttpEndpoint {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let settings = &self.settings;
        gate::may_listen(settings.address, settings.public, settings.token.as_ref())?;
        let (mut port, mut address) = (None, None);
        if let Some(wanted) = self.before.get().copied().or(settings.address) {
            let (listener, bound) = listen(wanted).await?;
            tracing::info!("the status page is at http://{bound}/");
            (port, address) = (Some(listener), Some(*self.before.get_or_init(|| bound)));
        }
        let socket = settings.socket.then(|| Socket::new(&cx.host().upgrades(), &settings.limits));
        let app = App::new(cx.host(), settings);
        *self.lock() = Some(Open { incoming: Arc::new(Incoming { port, socket }), address, app: Arc::new(app) });
        Ok(())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        if let Some(open) = self.lock().take() {
            open.app.close();
        }
        Ok(())
    }
}

impl fmt::Debug for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpEndpoint")
            .field("address", &self.settings.address)
            .field("socket", &self.settings.socket)
            .field("public", &self.settings.public)
            .field("token", &self.settings.token)
            .field("limits", &self.settings.limits)
            .finish_non_exhaustive()
    }
}
