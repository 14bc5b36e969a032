//! Connections: how many, how long, and how they end. Knows nothing of what is asked on them.
//!
//! Invariants:
//! 1. A connection ends by itself: its head is waited for no longer than `head_timeout`, its peer must take what is written, and
//!    it becomes no older than `age`.
//! 2. When serving ends, or whoever handed a connection over closes, whatever is being answered has `drain` to end; then nothing is left.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{MutexGuard, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::limits::HttpLimits;
use super::patient::Patient;
use super::socket::{Handed, Socket};

/// How long nothing is accepted after the system could not: it has no descriptors left, say.
const BREATH: Duration = Duration::from_millis(100);

/// Answers on every connection that comes in until `stop` is ready; then cancels `closing`, and ends them all.
pub(super) async fn run(
    incoming: &Incoming,
    routers: Routers,
    limits: &HttpLimits,
    closing: &CancellationToken,
    stop: impl Future<Output = ()>,
) {
    let room = Room::new(limits.connections);
    let mut connections = JoinSet::new();
    let mut sources = Sources::of(incoming).await;
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = connections.join_next() => report(ended),
            (came, place) = room.next(&mut sources) => {
                let (routers, limits, closing) = (routers.clone(), limits.clone(), closing.clone());
                connections.spawn(async move {
                    match came {
                        Came::Port(stream) => {
                            let closes = closing.cancelled_owned();
                            connection(stream, routers.port, &limits, closes, &place.hurry).await;
                        }
                        Came::Socket(handed) => handed.serve(routers.socket, &limits, closing, &place.hurry).await,
                    }
                });
            }
        }
    }
    sources.close();
    closing.cancel();
    let all = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if timeout(limits.drain, all).await.is_err() {
        tracing::warn!(connections = connections.len(), "HTTP connections did not end in time and are dropped");
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the task of an HTTP connection panicked");
    }
}

/// Where connections come from.
pub(super) struct Incoming {
    pub(super) port: Option<TcpListener>,
    pub(super) socket: Option<Socket>,
}

/// What is answered on those from either.
#[derive(Clone)]
pub(super) struct Routers {
    pub(super) port: Router,
    pub(super) socket: Router,
}

/// Where connections come from, for the one who serves them.
struct Sources<'a> {
    port: Option<&'a TcpListener>,
    socket: Option<MutexGuard<'a, Receiver<Handed>>>,
}

enum Came {
    Port(TcpStream),
    Socket(Handed),
}

impl<'a> Sources<'a> {
    async fn of(incoming: &'a Incoming) -> Self {
        let socket = match &incoming.socket {
            Some(socket) => Some(socket.handed().await),
            None => None,
        };
        Self { port: incoming.port.as_ref(), socket }
    }

    /// The next connection.
    ///
    /// # Cancel safety
    /// No connection is lost.
    async fn next(&mut self) -> Came {
        tokio::select! {
            stream = accept(self.port) => Came::Port(stream),
            handed = take(self.socket.as_deref_mut()) => Came::Socket(handed),
        }
    }

    /// Takes no more from the socket, whose server tells whoever comes that nobody speaks HTTP.
    fn close(&mut self) {
        if let Some(socket) = &mut self.socket {
            socket.close();
        }
    }
}

async fn take(socket: Option<&mut Receiver<Handed>>) -> Handed {
    let handed = match socket {
        Some(socket) => socket.recv().await,
        None => None,
    };
    match handed {
        Some(handed) => handed,
        None => std::future::pending().await,
    }
}

async fn accept(port: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = port else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_its_own(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// Room for so many connections.
struct Room {
    places: Arc<Semaphore>,
    /// Told to those who have a place when somebody waits for one.
    hurry: Arc<Notify>,
}

/// What a connection holds as long as it lasts.
struct Place {
    _permit: OwnedSemaphorePermit,
    hurry: Arc<Notify>,
}

impl Room {
    fn new(connections: usize) -> Self {
        let places = connections.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), hurry: Arc::default() }
    }

    /// The next connection, once there is a place for it. Until then it waits outside, in the system's queue.
    ///
    /// # Cancel safety
    /// No connection is lost.
    async fn next(&self, sources: &mut Sources<'_>) -> (Came, Place) {
        let place = self.place().await;
        (sources.next().await, place)
    }

    async fn place(&self) -> Place {
        let places = Arc::clone(&self.places);
        let permit = match Arc::clone(&places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.hurry.notify_waiters();
                // It is never closed.
                let Ok(permit) = places.acquire_owned().await else { return std::future::pending().await };
                permit
            }
        };
        Place { _permit: permit, hurry: Arc::clone(&self.hurry) }
    }
}

/// Whether a failure to accept says something of that one connection alone.
fn is_its_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Answers on one connection until it ends. What goes wrong with it is the peer's affair: a probe that hangs up after the first
/// line, say.
pub(super) async fn connection<S>(
    stream: S,
    router: Router,
    limits: &HttpLimits,
    closes: impl Future<Output = ()>,
    hurry: &Notify,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Patient::new(stream, limits.write_timeout));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_header_size(limits.head);
    let mut serving = pin!(http.serve_connection(io, TowerToHyperService::new(router)));
    let mut over = pin!(async {
        tokio::select! {
            () = closes => {}
            () = tokio::time::sleep(limits.age) => {}
        }
    });
    let is_over = tokio::select! {
        biased;
        _ = &mut serving => return,
        () = &mut over => true,
        () = hurry.notified() => false,
    };
    serving.as_mut().graceful_shutdown();
    let given_up = async {
        if !is_over {
            over.await;
        }
        tokio::time::sleep(limits.drain).await;
    };
    tokio::select! {
        _ = &mut serving => {}
        () = given_up => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    /// Something short, something long, and something that never comes.
    fn router() -> Router {
        Router::new()
            .route("/", get(|| async { "ok" }))
            .route("/long", get(|| async { "x".repeat(1 << 20) }))
            .route("/never", get(std::future::pending::<&'static str>))
    }

    /// A connection with the default limits, and a task that ends when it does, with how many seconds it lasted.
    fn connected() -> (DuplexStream, tokio::task::JoinHandle<u64>) {
        let (near, far) = duplex(1024);
        let serving = tokio::spawn(async move {
            let (began, limits) = (Instant::now(), HttpLimits::default());
            connection(near, router(), &limits, std::future::pending(), &Notify::new()).await;
            began.elapsed().as_secs()
        });
        (far, serving)
    }

    async fn ask(of: &mut (impl AsyncWrite + Unpin), path: &str) {
        of.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_not_all_is_hung_up_on_after_ten_seconds() {
        let (_silent, serving) = connected();
        assert_eq!(serving.await.unwrap(), 10);
        let (mut halting, serving) = connected();
        halting.write_all(b"GET / HTTP/1.1\r\nHost: lo").await.unwrap();
        assert_eq!(serving.await.unwrap(), 10);
        let (mut idle, serving) = connected();
        ask(&mut idle, "/").await;
        assert_eq!(serving.await.unwrap(), 10, "answered, and asked nothing more");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_hung_up_on_after_thirty_seconds() {
        let (mut deaf, serving) = connected();
        ask(&mut deaf, "/long").await;
        assert_eq!(serving.await.unwrap(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_grows_an_hour_old_and_what_is_under_way_then_has_two_seconds() {
        let (mut regular, serving) = connected();
        let mut answer = [0; 1024];
        while !serving.is_finished() {
            ask(&mut regular, "/").await;
            if regular.read(&mut answer).await.unwrap() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_secs(9)).await;
        }
        assert_eq!(serving.await.unwrap(), 3600);
        let (mut waiting, serving) = connected();
        ask(&mut waiting, "/never").await;
        assert_eq!(serving.await.unwrap(), 3602);
    }

    #[tokio::test]
    async fn when_serving_ends_nothing_is_left_of_an_answer_that_does_not_come() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut waiting = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        ask(&mut waiting, "/never").await;
        let limits = HttpLimits { drain: Duration::from_millis(20), ..HttpLimits::default() };
        let asked = Arc::new(Notify::new());
        let tells = Arc::clone(&asked);
        let never = move || {
            tells.notify_one();
            std::future::pending::<&'static str>()
        };
        let router = Router::new().route("/never", get(never));
        let incoming = Incoming { port: Some(listener), socket: None };
        let routers = Routers { port: router, socket: Router::new() };
        run(&incoming, routers, &limits, &CancellationToken::new(), asked.notified()).await;
        assert_eq!(waiting.read(&mut [0; 64]).await.unwrap_or(0), 0);
    }
}
