//! Connections inside one process, for tests: no file, no descriptor, and under a paused clock no time either.

use crate::error::BindError;
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::DuplexStream,
    sync::mpsc::{self, Receiver, Sender},
};

/// How many bytes one end can write before the other must read: no more than a socket takes, so that what works here is not
/// surprised there.
const ROOM: usize = 64 * 1024;

/// How many connections wait to be accepted.
const BACKLOG: usize = 128;

/// A place in memory where one server listens and any number of clients connect.
///
/// Clones are the same place.
///
/// ```
/// use daemon_ipc::{Connection, Memory, Reply, Request, Server, from_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let place = Memory::new();
/// let server = Server::builder(from_fn(|request: Request| async move { Ok(Reply::from(request.payload())) }));
/// tokio::spawn(server.listen(&place)?.run());
/// let connection = Connection::connect(&place).await?;
/// assert_eq!(connection.call::<_, String>("hello").await?, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// How to reach the one who listens, if somebody ever did.
    listener: Arc<Mutex<Option<Sender<DuplexStream>>>>,
}

impl Memory {
    /// A place of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection as bytes, for what no client of this crate would send. Waits while too many others wait to be accepted.
    ///
    /// # Errors
    ///
    /// As of a socket: `NotFound` if nobody ever listened here, `ConnectionRefused` if nobody does any more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future opens no connection.
    pub async fn connect(&self) -> io::Result<DuplexStream> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let listener = listener.ok_or(io::ErrorKind::NotFound)?;
        let permit = listener.reserve().await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        let (ours, theirs) = tokio::io::duplex(ROOM);
        permit.send(theirs);
        Ok(ours)
    }

    /// Listens here, for what no server of this crate would say.
    ///
    /// # Errors
    ///
    /// [`BindError::Live`] if somebody listens here.
    pub fn listen(&self) -> Result<MemoryListener, BindError> {
        let mut place = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if place.as_ref().is_some_and(|listener| !listener.is_closed()) {
            return Err(BindError::Live { path: "(memory)".into() });
        }
        let (sender, incoming) = mpsc::channel(BACKLOG);
        *place = Some(sender);
        Ok(MemoryListener { incoming })
    }
}

/// The one who listens at a [`Memory`]. Dropping it refuses who comes after.
#[derive(Debug)]
pub struct MemoryListener {
    incoming: Receiver<DuplexStream>,
}

impl MemoryListener {
    /// The next connection, as bytes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    pub async fn accept(&mut self) -> DuplexStream {
        match self.incoming.recv().await {
            Some(stream) => stream,
            // Everybody who could connect is gone: nobody will.
            None => std::future::pending().await,
        }
    }

    pub(super) fn withdraw(&mut self) {
        self.incoming.close();
    }
}
