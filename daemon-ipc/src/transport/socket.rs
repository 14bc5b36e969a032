//! A connected Unix socket, of which the system tells only what is waited for.
//!
//! tokio's own asks to be told of everything. Its owner is then woken also whenever the other end has read something, which is as often as
//! it answers, and for nothing.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd},
    time::{Sleep, sleep},
};

/// How much is read at once, at least and at most, into a buffer that was not written to before. That is done first, which has its price:
/// so it is little more than there was lately.
const LEAST: usize = 16 * 1024;
const MOST: usize = 256 * 1024;

/// Both directions.
#[derive(Debug)]
pub(crate) struct Socket {
    reader: Reader,
    writer: Writer,
}

/// What comes.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: AsyncFd<Arc<UnixStream>>,
    /// How much is read at once.
    expected: usize,
}

/// What goes.
#[derive(Debug)]
pub(crate) struct Writer {
    stream: Arc<UnixStream>,
    /// As long as the other end takes nothing.
    blocked: Option<Blocked>,
    /// Whether this is a half of its own, whose end the other end hears of.
    is_half: bool,
}

/// How it is waited until the other end takes more.
#[derive(Debug)]
enum Blocked {
    /// The same socket once more, of which the system tells.
    Told(AsyncFd<UnixStream>),
    /// There is no descriptor for that: it is tried again.
    Tried(Pin<Box<Sleep>>),
}

/// How long it is waited before it is tried again.
const AGAIN: Duration = Duration::from_millis(10);

impl Blocked {
    fn of(stream: &UnixStream) -> io::Result<Self> {
        match stream.try_clone() {
            Ok(again) => Ok(Self::Told(watch(again, Interest::WRITABLE)?)),
            Err(_) => Ok(Self::Tried(Box::pin(sleep(AGAIN)))),
        }
    }
}

impl Socket {
    /// Of a socket that does not block.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        let stream = Arc::new(stream);
        let reader = watch(Arc::clone(&stream), Interest::READABLE)?;
        Ok(Self {
            reader: Reader { stream: reader, expected: LEAST },
            writer: Writer { stream, blocked: None, is_half: false },
        })
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.writer.stream
    }

    pub(super) fn into_split(self) -> (Reader, Writer) {
        let Self { reader, mut writer } = self;
        writer.is_half = true;
        (reader, writer)
    }
}

/// Has the system tell of one thing and no other.
#[allow(deprecated, reason = "the new form is unsafe, for descriptors that do not own theirs; those of std do")]
fn watch<S: AsFd + AsRawFd>(stream: S, interest: Interest) -> io::Result<AsyncFd<S>> {
    AsyncFd::with_interest(stream, interest)
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let written = to.initialized().len() - to.filled().len();
            let wanted = self.expected.min(to.remaining()).max(written);
            let mut guard = ready!(self.stream.poll_read_ready(cx))?;
            let room = to.initialize_unfilled_to(wanted);
            let read = match guard.try_io(|stream| (&**stream.get_ref()).read(room)) {
                Ok(Ok(read)) => read,
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => continue,
            };
            if 0 < read && read < wanted {
                // That was all. If more has come by now, the system tells.
                guard.clear_ready();
            }
            drop(guard);
            self.expected = if read == wanted { wanted * 2 } else { read + read / 8 }.clamp(LEAST, MOST);
            to.advance(read);
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let writer = &mut *self;
        loop {
            match &mut writer.blocked {
                None => {}
                Some(Blocked::Told(socket)) => ready!(socket.poll_write_ready(cx))?.clear_ready(),
                Some(Blocked::Tried(again)) => {
                    ready!(again.as_mut().poll(cx));
                    writer.blocked = None;
                }
            }
            match (&*writer.stream).write(from) {
                Ok(written) => {
                    if written == from.len() {
                        writer.blocked = None;
                    }
                    return Poll::Ready(Ok(written));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Who only tries is not told. It may be on another runtime than who waits, and must not wait in its place.
                    if Waker::noop().will_wake(cx.waker()) {
                        return Poll::Pending;
                    }
                    if writer.blocked.is_none() {
                        writer.blocked = Some(Blocked::of(&writer.stream)?);
                    }
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown(Shutdown::Write))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.is_half {
            // If the other end is gone, it need not hear of this.
            self.stream.shutdown(Shutdown::Write).ok();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, to)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pair() -> (Socket, Socket) {
        let (one, other) = UnixStream::pair().unwrap();
        let socket = |stream: UnixStream| {
            stream.set_nonblocking(true).unwrap();
            Socket::new(stream).unwrap()
        };
        (socket(one), socket(other))
    }

    #[tokio::test]
    async fn what_the_other_end_does_not_take_is_written_when_it_does() {
        let (mut one, mut other) = pair();
        let message: Vec<u8> = (0..4_000_000_u32).map(|number| number as u8).collect();
        let expected = message.clone();
        let writing = tokio::spawn(async move {
            one.write_all(&message).await.unwrap();
            one
        });
        let mut read = Vec::new();
        while read.len() < expected.len() {
            assert!(other.read_buf(&mut read).await.unwrap() > 0);
        }
        assert!(read == expected);
        assert!(writing.await.unwrap().writer.blocked.is_none());
    }

    #[tokio::test]
    async fn a_writing_half_that_is_dropped_is_the_end_for_the_other_end_only() {
        let (one, mut other) = pair();
        let (mut reader, writer) = one.into_split();
        drop(writer);
        assert_eq!(other.read(&mut [0]).await.unwrap(), 0);
        other.write_all(b"still").await.unwrap();
        let mut read = [0; 5];
        reader.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"still");
    }
}
