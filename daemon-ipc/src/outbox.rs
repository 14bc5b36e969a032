//! What is to be written. Owns the bytes until the other end takes them.

use crate::spare;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

/// How many bytes may wait before nothing more is begun that would add to them.
const FULL: usize = 64 * 1024;

/// Bytes in the order in which they will be written. Holds no buffer while it is empty.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// How many of them are written.
    written: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == self.written
    }

    /// Whether so much waits that whoever adds to it should wait too.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= FULL
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// What is to be written next.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// So many bytes were written.
    pub(crate) fn advance(&mut self, written: usize) {
        self.written = (self.written + written).min(self.bytes.len());
    }

    /// The buffer to append to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = spare::take_output();
        }
        &mut self.bytes
    }

    /// Appends `bytes` from `start` on, without copying if nothing waits.
    pub(crate) fn append(&mut self, bytes: Vec<u8>, start: usize) {
        if self.is_empty() {
            self.clear();
            self.bytes = bytes;
            self.written = start;
        } else {
            self.bytes.extend_from_slice(bytes.get(start..).unwrap_or_default());
        }
    }

    /// Forgets what was not written.
    pub(crate) fn clear(&mut self) {
        self.written = 0;
        if self.bytes.capacity() > 0 {
            spare::give_output(std::mem::take(&mut self.bytes));
        }
    }

    /// Writes until nothing is left, or the other end takes no more for now. `progress` is set if it took anything.
    pub(crate) fn poll_write<W>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        progress: &mut bool,
    ) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        if self.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.is_empty() {
            match ready!(Pin::new(&mut *io).poll_write(cx, self.waiting())) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => self.advance(written),
                Err(error) => return Poll::Ready(Err(error)),
            }
            *progress = true;
        }
        self.clear();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn a_large_message_is_not_copied_if_nothing_waits() {
        let mut outbox = Outbox::default();
        let message = vec![b'x'; 100];
        let place = message.as_ptr();
        outbox.append(message, 10);
        assert_eq!((outbox.bytes.as_ptr(), outbox.len()), (place, 90));
        outbox.append(vec![b'y'; 3], 1);
        assert_eq!(outbox.len(), 92);
    }

    #[tokio::test]
    async fn what_the_other_end_does_not_take_waits_in_order() {
        let (mut ours, mut theirs) = tokio::io::duplex(4);
        let mut outbox = Outbox::default();
        outbox.buffer().extend_from_slice(b"abcdef");
        let (mut cx, mut progress) = (Context::from_waker(Waker::noop()), false);
        assert!(outbox.poll_write(&mut ours, &mut cx, &mut progress).is_pending());
        assert!(progress && outbox.len() == 2);
        outbox.buffer().push(b'g');
        let mut read = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut theirs, &mut read).await.unwrap();
        assert_eq!(&read, b"abcd");
        assert!(outbox.poll_write(&mut ours, &mut cx, &mut progress).is_ready());
        assert!(outbox.is_empty() && outbox.bytes.capacity() == 0);
    }
}
