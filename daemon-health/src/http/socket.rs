//! Connections that came to the host's socket and speak HTTP, taken over from whoever listens there.
//!
//! Invariants:
//! 1. Whoever listens there counts a connection among its own until it has ended here, and what it gives up ends here at once.
//! 2. A connection waits for a place no longer than one with a place may take over its first request.

use std::time::Duration;

use axum::Router;
use daemon_core::{BoxFuture, Recognition, Upgrade, UpgradeEntry, Upgraded, Upgrades};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Mutex, MutexGuard, Notify, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::limits::HttpLimits;
use super::serve::connection;

/// The endpoint's place among what is understood on the socket, and what comes in by it.
pub(super) struct Socket {
    handed: Mutex<Receiver<Handed>>,
    _entry: UpgradeEntry,
}

impl Socket {
    pub(super) fn new(upgrades: &Upgrades, limits: &HttpLimits) -> Self {
        // One that is told of may wait here for a place; the others wait in the tasks of whoever listens.
        let (sender, handed) = mpsc::channel(1);
        let entry = upgrades.add(Http { sender, patience: limits.head_timeout });
        Self { handed: Mutex::new(handed), _entry: entry }
    }

    /// What comes in, for the one who serves it.
    pub(super) async fn handed(&self) -> MutexGuard<'_, Receiver<Handed>> {
        self.handed.lock().await
    }
}

/// A connection, and who waits for its end.
pub(super) struct Handed {
    stream: Upgraded,
    over: oneshot::Sender<()>,
}

impl Handed {
    /// Answers on it until it ends, or whoever handed it over gives it up.
    pub(super) async fn serve(
        mut self,
        router: Router,
        limits: &HttpLimits,
        closing: CancellationToken,
        hurry: &Notify,
    ) {
        let closes_there = self.stream.closing();
        let closes = async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = closes_there.cancelled() => {}
            }
        };
        tokio::select! {
            () = connection(self.stream, router, limits, closes, hurry) => {}
            () = self.over.closed() => {}
        }
    }
}

/// What whoever listens on the socket asks.
struct Http {
    sender: Sender<Handed>,
    patience: Duration,
}

impl Upgrade for Http {
    fn recognises(&self, first: &[u8]) -> Recognition {
        // HTTP/2 is none that is spoken here, and nobody speaks any while the endpoint stops.
        if first.starts_with(b"PRI ") || self.sender.is_closed() {
            return Recognition::No;
        }
        Recognition::of_http(first)
    }

    fn serve(&self, stream: Upgraded) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Ok(Ok(place)) = timeout(self.patience, self.sender.reserve()).await else {
                return tracing::debug!("no place for an HTTP connection on the host's socket; it is closed");
            };
            let (over, is_over) = oneshot::channel();
            place.send(Handed { stream, over });
            // Nothing is sent: it is dropped with the connection.
            drop(is_over.await);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use daemon_core::Peer;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    const REQUEST: &[u8] = b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n";

    /// A server that hands over, as the one of a host does.
    struct Listening {
        upgrades: Upgrades,
        closing: CancellationToken,
    }

    impl Listening {
        /// A connection that has asked, and the server's task for it.
        fn connect(&self) -> (DuplexStream, JoinHandle<()>) {
            let (near, far) = duplex(1024);
            let upgraded = Upgraded::new(far, REQUEST, Peer::this_process(), self.closing.clone());
            let upgrades = self.upgrades.served();
            (near, tokio::spawn(async move { upgrades.serve(upgraded).await }))
        }
    }

    fn listening() -> (Listening, Socket) {
        let upgrades = Upgrades::new();
        let socket = Socket::new(&upgrades, &HttpLimits::default());
        (Listening { upgrades, closing: CancellationToken::new() }, socket)
    }

    /// Serves the next connection with what never answers.
    async fn serve_next(socket: &Socket) -> JoinHandle<()> {
        let handed = socket.handed().await.recv().await.unwrap();
        let router = Router::new().route("/never", get(std::future::pending::<&'static str>));
        tokio::spawn(async move {
            handed.serve(router, &HttpLimits::default(), CancellationToken::new(), &Notify::new()).await;
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_counts_a_connection_until_it_has_ended() {
        let (server, socket) = listening();
        let (near, theirs) = server.connect();
        let ours = serve_next(&socket).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!theirs.is_finished() && !ours.is_finished());
        drop(near);
        theirs.await.unwrap();
        ours.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_closes_waits_two_seconds_and_what_it_aborts_ends_at_once() {
        let (server, socket) = listening();
        let (_near, theirs) = server.connect();
        let ours = serve_next(&socket).await;
        let began = Instant::now();
        server.closing.cancel();
        theirs.await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 2);
        ours.await.unwrap();

        let (server, socket) = listening();
        let (mut near, theirs) = server.connect();
        let ours = serve_next(&socket).await;
        let began = Instant::now();
        theirs.abort();
        ours.await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_place_it_is_hung_up_on_after_ten_seconds() {
        let (server, _socket) = listening();
        let (_first, waits) = server.connect(); // told of, and never taken
        let began = Instant::now();
        let (mut near, theirs) = server.connect();
        theirs.await.unwrap();
        assert_eq!((began.elapsed().as_secs(), near.read(&mut [0; 8]).await.unwrap()), (10, 0));
        assert!(!waits.is_finished());
    }

    #[tokio::test]
    async fn nothing_is_recognised_once_nobody_serves() {
        let (server, socket) = listening();
        assert_eq!(server.upgrades.served().recognises(REQUEST), Recognition::Yes);
        assert_eq!(server.upgrades.served().recognises(b"PRI * HTTP/2.0\r\n"), Recognition::No);
        assert_eq!(server.upgrades.served().recognises(b"{\"id\""), Recognition::No);
        socket.handed().await.close();
        assert_eq!(server.upgrades.served().recognises(REQUEST), Recognition::No);
        drop(socket);
        let (mut near, theirs) = server.connect();
        theirs.await.unwrap();
        assert!(near.write_all(b"x").await.is_err(), "it was recognised just before, and is hung up on");
    }

    #[tokio::test]
    async fn many_take_turns() {
        let (server, socket) = listening();
        let socket = Arc::new(socket);
        let (served, serving) = (16, Arc::clone(&socket));
        let serving = tokio::spawn(async move {
            for _ in 0..served {
                drop(serving.handed().await.recv().await.unwrap());
            }
        });
        let tasks: Vec<_> = (0..served).map(|_| server.connect()).collect();
        for (_near, theirs) in tasks {
            theirs.await.unwrap();
        }
        serving.await.unwrap();
    }
}
