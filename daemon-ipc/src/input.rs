//! Reading what comes into a decoder.

use crate::{Decoder, spare};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Reads once. How many bytes came; none at the end.
pub(crate) fn poll_read<R>(io: &mut R, cx: &mut Context<'_>, decoder: &mut Decoder) -> Poll<io::Result<usize>>
where
    R: AsyncRead + Unpin,
{
    decoder.lend(spare::take_input);
    if decoder.expects_much() {
        let read = poll_read_buf(Pin::new(io), cx, decoder.room());
        return read.map_ok(|read| decoder.has_come(read));
    }
    // What is read into must have been written to once. Of this, it is known.
    let mut scratch = spare::take_scratch();
    let mut to = ReadBuf::new(&mut scratch);
    let read = Pin::new(io).poll_read(cx, &mut to).map_ok(|()| {
        decoder.room().extend_from_slice(to.filled());
        decoder.has_come(to.filled().len())
    });
    spare::give_scratch(scratch);
    read
}
