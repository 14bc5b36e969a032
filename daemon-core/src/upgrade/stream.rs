//! A connection that is handed over.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::Peer;

/// What carries bytes both ways.
trait Carrier: AsyncRead + AsyncWrite + Send {}

impl<C: AsyncRead + AsyncWrite + Send> Carrier for C {}

/// A connection that was handed over: reading it begins with the bytes it was recognised by.
pub struct Upgraded {
    carrier: Pin<Box<dyn Carrier>>,
    first: Vec<u8>,
    /// How many of the first bytes were read.
    read: usize,
    peer: Peer,
    closing: CancellationToken,
}

impl Upgraded {
    /// What a server hands over: a connection, what it has read of it already, who is at the other end, and what it cancels when
    /// it closes.
    pub fn new(
        carrier: impl AsyncRead + AsyncWrite + Send + 'static,
        first: impl Into<Vec<u8>>,
        peer: Peer,
        closing: CancellationToken,
    ) -> Self {
        Self { carrier: Box::pin(carrier), first: first.into(), read: 0, peer, closing }
    }

    /// The bytes it was recognised by, as far as they are still to be read.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        &self.first[self.read..]
    }

    /// Who is at the other end, as the system tells. The server has let them in already.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Cancelled when the server closes.
    #[must_use]
    pub fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first().is_empty() {
            return self.carrier.as_mut().poll_read(cx, to);
        }
        let length = self.first().len().min(to.remaining());
        to.put_slice(&self.first()[..length]);
        self.read += length;
        if self.first().is_empty() {
            (self.first, self.read) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.carrier.as_mut().poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.carrier.as_mut().poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.carrier.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carrier.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carrier.as_mut().poll_shutdown(cx)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("peer", &self.peer).finish_non_exhaustive()
    }
}
