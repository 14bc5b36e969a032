//! Other protocols on the same socket: recognised by their first bytes, and handed over with them.

use crate::{Peer, transport::Stream};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

/// Takes over connections that speak something else.
///
/// Without one for HTTP, a server answers it by itself, with the status 426 and what to do.
#[async_trait]
pub trait Upgrade: Send + Sync + 'static {
    /// Whether a connection that begins with these bytes is for it. They do not begin with `{`.
    fn recognises(&self, first: &[u8]) -> Recognition;

    /// Serves such a connection to its end. Dropped if the server closes and it does not end in time.
    async fn serve(&self, connection: Upgraded);
}

#[async_trait]
impl<U: Upgrade + ?Sized> Upgrade for std::sync::Arc<U> {
    fn recognises(&self, first: &[u8]) -> Recognition {
        (**self).recognises(first)
    }

    async fn serve(&self, connection: Upgraded) {
        (**self).serve(connection).await;
    }
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
    /// use daemon_ipc::Recognition;
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

/// A connection that was handed over: reading it begins with the bytes it was recognised by.
#[derive(Debug)]
pub struct Upgraded {
    io: Stream,
    first: Bytes,
    peer: Peer,
    closing: CancellationToken,
}

impl Upgraded {
    pub(super) fn new(io: Stream, first: Bytes, peer: Peer, closing: CancellationToken) -> Self {
        Self { io, first, peer, closing }
    }

    /// Who is at the other end, as the system tells.
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
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, to);
        }
        let length = self.first.len().min(to.remaining());
        to.put_slice(&self.first.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
