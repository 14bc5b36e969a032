//! What carries the bytes: Unix sockets, named pipes on Windows, and memory. Owns connecting, accepting and who is at the other end;
//! knows nothing about messages.
//!
//! The three are variants of one type and not a parameter of everything else: a match at each read costs nothing beside the read.

mod memory;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use memory::{Memory, MemoryListener};
#[cfg(unix)]
pub(crate) use unix::{Blocking, current_user, lock_beside};
#[cfg(windows)]
pub(crate) use windows::Blocking;

use crate::{Peer, error::BindError};
use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Where a server listens and a client connects.
///
/// Made of anything that is a path, and of a [`Memory`].
#[derive(Clone, Debug)]
pub struct Endpoint(pub(crate) Place);

#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A socket in the file system, or the name of a pipe.
    Path(PathBuf),
    Memory(Memory),
}

impl Endpoint {
    /// The path of the socket or pipe; `None` in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Path(path) => Some(path),
            Place::Memory(_) => None,
        }
    }

    /// Listens, under a lock beside the path. What nobody listens on any more is cleared away; what somebody does is left alone.
    pub(crate) fn listen(&self, mode: u32) -> Result<Listener, BindError> {
        match &self.0 {
            Place::Memory(memory) => memory.listen().map(Listener::Memory),
            #[cfg(unix)]
            Place::Path(path) => {
                let lock = unix::lock(path)?;
                unix::Listener::claim(path, &lock, mode).map(Listener::Unix)
            }
            #[cfg(windows)]
            Place::Path(path) => {
                let _: u32 = mode; // pipes have a descriptor in its place
                windows::Listener::new(path).map(Listener::Pipe)
            }
        }
    }

    /// Connects. `WouldBlock` if there is a server, but its queue is full at the moment.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what was opened.
    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        match &self.0 {
            Place::Memory(memory) => memory.connect().await.map(Stream::Memory),
            #[cfg(unix)]
            Place::Path(path) => unix::connect(path).map(Stream::Unix),
            #[cfg(windows)]
            Place::Path(path) => windows::connect(path).await.map(Stream::Pipe),
        }
    }

    /// How an error names it.
    pub(crate) fn name(&self) -> PathBuf {
        self.path().map_or_else(|| PathBuf::from("(memory)"), Path::to_owned)
    }
}

impl From<&Memory> for Endpoint {
    fn from(memory: &Memory) -> Self {
        Self(Place::Memory(memory.clone()))
    }
}

impl From<Memory> for Endpoint {
    fn from(memory: Memory) -> Self {
        Self(Place::Memory(memory))
    }
}

impl From<PathBuf> for Endpoint {
    fn from(path: PathBuf) -> Self {
        Self(Place::Path(path))
    }
}

impl From<&PathBuf> for Endpoint {
    fn from(path: &PathBuf) -> Self {
        path.clone().into()
    }
}

impl From<&Path> for Endpoint {
    fn from(path: &Path) -> Self {
        path.to_owned().into()
    }
}

impl From<&str> for Endpoint {
    fn from(path: &str) -> Self {
        PathBuf::from(path).into()
    }
}

impl From<String> for Endpoint {
    fn from(path: String) -> Self {
        PathBuf::from(path).into()
    }
}

/// What a server accepts connections from. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) enum Listener {
    #[cfg(unix)]
    Unix(unix::Listener),
    #[cfg(windows)]
    Pipe(windows::Listener),
    Memory(MemoryListener),
}

impl Listener {
    /// Listens at a path under a lock that the caller has.
    #[cfg(unix)]
    pub(crate) fn claim(path: &Path, lock: &daemon_core::instance::DaemonLock, mode: u32) -> Result<Self, BindError> {
        unix::Listener::claim(path, lock, mode).map(Self::Unix)
    }

    /// A listener that somebody else made, and what to keep until it is closed.
    #[cfg(unix)]
    pub(crate) fn from_std(
        listener: std::os::unix::net::UnixListener,
        keep: Option<Box<dyn std::any::Any + Send + Sync>>,
    ) -> io::Result<Self> {
        unix::Listener::new(listener, keep).map(Self::Unix)
    }

    /// The next connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    pub(crate) async fn accept(&mut self) -> io::Result<(Stream, Peer)> {
        match self {
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Unix(stream), peer))
            }
            #[cfg(windows)]
            Self::Pipe(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Pipe(stream), peer))
            }
            Self::Memory(listener) => Ok((Stream::Memory(listener.accept().await), Peer::this_process())),
        }
    }

    /// Lets nobody else in: gives the name back. Who connected before that is still accepted.
    pub(crate) fn withdraw(&mut self) {
        match self {
            #[cfg(unix)]
            Self::Unix(listener) => listener.withdraw(),
            #[cfg(windows)]
            Self::Pipe(_) => {}
            Self::Memory(listener) => listener.withdraw(),
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) enum Stream {
    #[cfg(unix)]
    Unix(socket::Socket),
    #[cfg(windows)]
    Pipe(windows::Pipe),
    Memory(DuplexStream),
}

impl Stream {
    /// Whether the other end reads no more either, now that it writes no more. `false` if that cannot be known.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Unix(socket) => unix::is_gone(socket.stream()),
            // A pipe has no half that could be closed by itself.
            #[cfg(windows)]
            Self::Pipe(_) => true,
            Self::Memory(_) => false,
        }
    }

    /// Whether something has come that was not read, though nobody was told of it yet. `false` if that cannot be known.
    pub(crate) fn has_unread(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Unix(socket) => unix::has_unread(socket.stream()),
            #[cfg(windows)]
            Self::Pipe(_) => false,
            Self::Memory(_) => false,
        }
    }

    /// Two halves that are used by different tasks.
    pub(crate) fn split(self) -> (ReadHalf, WriteHalf) {
        match self {
            #[cfg(unix)]
            Self::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Unix(read), WriteHalf::Unix(write))
            }
            #[cfg(windows)]
            Self::Pipe(pipe) => {
                let (read, write) = tokio::io::split(pipe);
                (ReadHalf::Pipe(read), WriteHalf::Pipe(write))
            }
            Self::Memory(stream) => {
                let (read, write) = tokio::io::split(stream);
                (ReadHalf::Memory(read), WriteHalf::Memory(write))
            }
        }
    }
}

/// The half of a connection that reads.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    #[cfg(unix)]
    Unix(socket::Reader),
    #[cfg(windows)]
    Pipe(tokio::io::ReadHalf<windows::Pipe>),
    Memory(tokio::io::ReadHalf<DuplexStream>),
}

/// The half of a connection that writes. Dropping it tells the other end that nothing more comes, except in memory.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    #[cfg(unix)]
    Unix(socket::Writer),
    #[cfg(windows)]
    Pipe(tokio::io::WriteHalf<windows::Pipe>),
    Memory(tokio::io::WriteHalf<DuplexStream>),
}

/// Hands a call on to whatever is inside.
macro_rules! each {
    ($self:expr, $inner:ident => $call:expr) => {
        match $self.get_mut() {
            #[cfg(unix)]
            Self::Unix($inner) => $call,
            #[cfg(windows)]
            Self::Pipe($inner) => $call,
            Self::Memory($inner) => $call,
        }
    };
}

macro_rules! reads {
    ($($kind:ty)+) => {$(
        impl AsyncRead for $kind {
            #[inline]
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                each!(self, inner => Pin::new(inner).poll_read(cx, to))
            }
        }
    )+};
}

macro_rules! writes {
    ($($kind:ty)+) => {$(
        impl AsyncWrite for $kind {
            #[inline]
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
                each!(self, inner => Pin::new(inner).poll_write(cx, from))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(self, inner => Pin::new(inner).poll_flush(cx))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(self, inner => Pin::new(inner).poll_shutdown(cx))
            }
        }
    )+};
}

reads!(Stream ReadHalf);
writes!(Stream WriteHalf);
