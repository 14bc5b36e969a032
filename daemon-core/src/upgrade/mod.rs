//! Other protocols on a socket: what a daemon understands beside what the socket's own server does. Owns the table in which daemons say so
//! and what is handed over; not the socket, nor who may connect to it.
//!
//! Whoever listens asks [`Upgrades`] about the first bytes of a connection that are not its own protocol's, and lets the one that recognises
//! them serve it. Neither knows the other.

mod peer;
mod stream;

pub use peer::Peer;
pub use stream::Upgraded;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::BoxFuture;

/// Takes over connections that speak another protocol than the server they came to.
pub trait Upgrade: Send + Sync + 'static {
    /// Whether a connection that begins with these bytes is for it. They do not begin as the server's own protocol does.
    fn recognises(&self, first: &[u8]) -> Recognition;

    /// Serves such a connection to its end. The server counts it among its own until then; the future is dropped if the server closes
    /// and the connection does not end in time.
    fn serve(&self, connection: Upgraded) -> BoxFuture<'_, ()>;
}

/// Whether a connection is for an [`Upgrade`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// More bytes must be seen.
    NotYet,
}

impl Recognition {
    /// Whether bytes begin a request of HTTP/1 or HTTP/2.
    ///
    /// ```
    /// use daemon_core::Recognition;
    ///
    /// assert_eq!(Recognition::of_http(b"GET /health HTTP/1.1\r\n"), Recognition::Yes);
    /// assert_eq!(Recognition::of_http(b"GE"), Recognition::NotYet);
    /// assert_eq!(Recognition::of_http(b"GET\n"), Recognition::No);
    /// ```
    #[must_use]
    pub fn of_http(first: &[u8]) -> Self {
        const METHODS: [&[u8]; 10] = [
            b"GET ",
            b"HEAD ",
            b"POST ",
            b"PUT ",
            b"DELETE ",
            b"OPTIONS ",
            b"PATCH ",
            b"CONNECT ",
            b"TRACE ",
            b"PRI * ",
        ];
        if METHODS.iter().any(|method| first.starts_with(method)) {
            Self::Yes
        } else if METHODS.iter().any(|method| method.starts_with(first)) {
            Self::NotYet
        } else {
            Self::No
        }
    }
}

/// The protocols that a host's daemons understand: [`HostHandle::upgrades`](crate::HostHandle::upgrades). Clones are the same table.
///
/// Whoever listens asks it by [`served`](Self::served): those added first are asked first.
///
/// ```
/// use daemon_core::{BoxFuture, Recognition, Upgrade, Upgraded, Upgrades};
///
/// struct Finger;
///
/// impl Upgrade for Finger {
///     fn recognises(&self, first: &[u8]) -> Recognition {
///         if first.starts_with(b"/W") { Recognition::Yes } else { Recognition::No }
///     }
///
///     fn serve(&self, connection: Upgraded) -> BoxFuture<'_, ()> {
///         Box::pin(async move { drop(connection) })
///     }
/// }
///
/// let upgrades = Upgrades::new(); // in a daemon: cx.host().upgrades()
/// let entry = upgrades.add(Finger);
/// let served = upgrades.served(); // in the daemon that listens
/// assert_eq!(served.recognises(b"/W ada\r\n"), Recognition::Yes);
/// drop(entry);
/// assert_eq!(served.recognises(b"/W ada\r\n"), Recognition::No);
/// ```
#[derive(Clone, Default)]
pub struct Upgrades(Arc<Table>);

#[derive(Default)]
struct Table {
    protocols: Mutex<Vec<Arc<dyn Upgrade>>>,
    /// How many listen and ask.
    servers: AtomicUsize,
}

impl Upgrades {
    /// A table in which nothing is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a protocol, until what this returns is dropped. Connections that were handed over by then go on.
    pub fn add(&self, upgrade: impl Upgrade) -> UpgradeEntry {
        let upgrade: Arc<dyn Upgrade> = Arc::new(upgrade);
        self.lock().push(Arc::clone(&upgrade));
        UpgradeEntry { table: self.clone(), upgrade }
    }

    /// The table as one that listens asks it, among whose own protocols it is then.
    #[must_use]
    pub fn served(&self) -> ServedUpgrades {
        self.0.servers.fetch_add(1, Ordering::Relaxed);
        ServedUpgrades(self.clone())
    }

    /// Whether there are protocols here, and nobody who listens and would ask for them.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.servers.load(Ordering::Relaxed) == 0 && !self.lock().is_empty()
    }

    /// Who is the first to have more to say of these bytes than no, and what.
    fn find(&self, first: &[u8]) -> Option<(Arc<dyn Upgrade>, Recognition)> {
        // A copy: what is asked is the code of others.
        let all = self.lock().clone();
        let answers = all.into_iter().map(|upgrade| {
            let answer = upgrade.recognises(first);
            (upgrade, answer)
        });
        answers.into_iter().find(|(_, answer)| *answer != Recognition::No)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<dyn Upgrade>>> {
        self.0.protocols.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A table of protocols as whoever listens asks it, for as long as this lives.
#[derive(Debug)]
pub struct ServedUpgrades(Upgrades);

impl Drop for ServedUpgrades {
    fn drop(&mut self) {
        self.0.0.servers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Upgrade for ServedUpgrades {
    fn recognises(&self, first: &[u8]) -> Recognition {
        self.0.find(first).map_or(Recognition::No, |(_, answer)| answer)
    }

    fn serve(&self, connection: Upgraded) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Who recognised it may have gone since; then the connection is hung up on, as it would be a moment later.
            if let Some((upgrade, Recognition::Yes)) = self.0.find(connection.first()) {
                upgrade.serve(connection).await;
            }
        })
    }
}

impl fmt::Debug for Upgrades {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrades").field("protocols", &self.lock().len()).finish()
    }
}

/// A protocol's place in a table, which it has until this is dropped.
#[must_use = "the protocol is taken out again when this is dropped"]
pub struct UpgradeEntry {
    table: Upgrades,
    upgrade: Arc<dyn Upgrade>,
}

impl Drop for UpgradeEntry {
    fn drop(&mut self) {
        self.table.lock().retain(|upgrade| !Arc::ptr_eq(upgrade, &self.upgrade));
    }
}

impl fmt::Debug for UpgradeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradeEntry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
    use tokio_util::sync::CancellationToken;

    /// Understands what begins with a word, and tells whom it served.
    struct Word(&'static [u8], UnboundedSender<&'static [u8]>);

    impl Upgrade for Word {
        fn recognises(&self, first: &[u8]) -> Recognition {
            if first.starts_with(self.0) {
                Recognition::Yes
            } else if self.0.starts_with(first) {
                Recognition::NotYet
            } else {
                Recognition::No
            }
        }

        fn serve(&self, _connection: Upgraded) -> BoxFuture<'_, ()> {
            Box::pin(async move { self.1.send(self.0).unwrap() })
        }
    }

    fn upgraded(first: &[u8]) -> (DuplexStream, Upgraded) {
        let (near, far) = duplex(64);
        (near, Upgraded::new(far, first, Peer::this_process(), CancellationToken::new()))
    }

    #[tokio::test]
    async fn the_first_that_may_understand_is_asked_and_who_is_gone_is_not() {
        let (sender, mut served) = unbounded_channel();
        let upgrades = Upgrades::new();
        let table = upgrades.served();
        let long = upgrades.add(Word(b"hello", sender.clone()));
        let short = upgrades.add(Word(b"he", sender));
        assert_eq!(table.recognises(b"he"), Recognition::NotYet, "the first one may still be meant");
        assert_eq!(table.recognises(b"hexagon"), Recognition::Yes);
        assert_eq!(table.recognises(b"x"), Recognition::No);

        for (first, by) in [(b"hello".as_slice(), b"hello".as_slice()), (b"hexagon", b"he")] {
            let (_near, connection) = upgraded(first);
            table.serve(connection).await;
            assert_eq!(served.try_recv().unwrap(), by);
        }
        drop(long);
        assert_eq!(table.recognises(b"he"), Recognition::Yes);
        drop(short);
        let (_near, connection) = upgraded(b"hello");
        table.serve(connection).await;
        assert!(served.try_recv().is_err(), "there is nobody any more");
        assert_eq!(format!("{upgrades:?}"), "Upgrades { protocols: 0 }");
    }

    #[tokio::test]
    async fn what_may_yet_be_for_it_is_not_served() {
        let (sender, mut served) = unbounded_channel();
        let upgrades = Upgrades::new();
        let _entry = upgrades.add(Word(b"hello", sender));
        let (_near, connection) = upgraded(b"hel");
        upgrades.served().serve(connection).await;
        assert!(served.try_recv().is_err());
    }

    /// Looks, as it is asked, whether others can be added meanwhile.
    struct Looks(Upgrades);

    impl Upgrade for Looks {
        fn recognises(&self, _first: &[u8]) -> Recognition {
            if self.0.0.protocols.try_lock().is_ok() { Recognition::Yes } else { Recognition::No }
        }

        fn serve(&self, _connection: Upgraded) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }

    #[test]
    fn who_is_asked_may_add_another() {
        let upgrades = Upgrades::new();
        let _entry = upgrades.add(Looks(upgrades.clone()));
        assert_eq!(upgrades.served().recognises(b"hello"), Recognition::Yes);
    }

    #[tokio::test]
    async fn the_bytes_it_was_recognised_by_come_first_however_few_are_read_at_once() {
        let (mut near, mut connection) = upgraded(b"hello");
        near.write_all(b", world").await.unwrap();
        drop(near);
        let mut two = [0; 2];
        assert_eq!(connection.read(&mut two).await.unwrap(), 2);
        assert_eq!((&two, connection.first()), (b"he", b"llo".as_slice()));
        let mut rest = String::new();
        connection.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&*rest, connection.first()), ("llo, world", b"".as_slice()));
    }

    #[test]
    fn protocols_that_nobody_asks_for_are_known_to_be_idle() {
        let upgrades = Upgrades::new();
        assert!(!upgrades.is_idle(), "there is nothing to ask for");
        let entry = upgrades.add(Word(b"hello", unbounded_channel().0));
        assert!(upgrades.is_idle());
        let served = upgrades.served();
        assert!(!upgrades.is_idle());
        drop(served);
        assert!(upgrades.is_idle());
        drop(entry);
        assert!(!upgrades.is_idle());
    }
}
