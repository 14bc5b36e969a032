//! Connections: how many, how long, and how they end. Knows nothing of what is asked on them.
//!
//! Invariants:
//! 1. A connection ends by itself: its head is waited for no longer than `head_timeout`, its peer must take what is written, and
//!    it becomes no older than `age`.
//! 2. When serving ends, whatever is being answered has `drain` to end; then nothing is left.

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
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::limits::HttpLimits;
use super::patient::Patient;

/// How long nothing is accepted after the system could not: it has no descriptors left, say.
const BREATH: Duration = Duration::from_millis(100);

/// Answers on every connection that comes in until `stop` is ready; then cancels `closing`, and ends them all.
pub(super) async fn run(
    listener: &TcpListener,
    router: Router,
    limits: &HttpLimits,
    closing: &CancellationToken,
    stop: impl Future<Output = ()>,
) {
    let room = Room::new(limits.connections);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (stream, place) = room.next(listener) => {
                let (router, limits, closing) = (router.clone(), limits.clone(), closing.clone());
                connections.spawn(async move { connection(stream, router, &limits, closing, &place.hurry).await });
            }
        }
    }
    closing.cancel();
    let drained = timeout(limits.drain, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = connections.len(), "HTTP connections did not end in time and are dropped");
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
    async fn next(&self, listener: &TcpListener) -> (TcpStream, Place) {
        let place = self.place().await;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return (stream, place),
                Err(error) if is_its_own(&error) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "cannot accept an HTTP connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
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
    closing: CancellationToken,
    hurry: &Notify,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Patient::new(stream, limits.write_timeout));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_header_size(limits.head);
    let mut serving = pin!(http.serve_connection(io, TowerToHyperService::new(router)));
    let mut old = pin!(tokio::time::sleep(limits.age));
    let mut hurry = pin!(hurry.notified());
    tokio::select! {
        biased;
        _ = &mut serving => return,
        () = closing.cancelled() => {}
        () = &mut hurry => {}
        () = &mut old => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = &mut serving => {}
        () = async { old.await; tokio::time::sleep(limits.drain).await } => {}
    }
}
