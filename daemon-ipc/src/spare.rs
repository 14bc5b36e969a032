//! Spare buffers of each thread, so that a connection at rest holds none and one at work rarely allocates.

use bytes::BytesMut;
use std::cell::Cell;

/// The largest buffer that is kept. Memory that is given back and asked for again at each large message costs more than what the
/// message does.
const KEPT: usize = 2 * 1024 * 1024;

/// What a buffer for small messages takes.
const OUTPUT_SIZE: usize = 4096;

/// What a buffer takes into which little is read.
pub(crate) const SCRATCH: usize = 16 * 1024;

thread_local! {
    static SCRATCHES: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static INPUT: Cell<Option<(BytesMut, usize)>> = const { Cell::new(None) };
    static CHUNKS: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static OUTPUT: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

/// A buffer, and how many bytes it takes.
pub(crate) fn take_input() -> (BytesMut, usize) {
    INPUT.take().unwrap_or_default()
}

/// Keeps a buffer in which nothing is held.
pub(crate) fn give_input((buffer, size): (BytesMut, usize)) {
    if size <= KEPT {
        INPUT.set(Some((buffer, size)));
    }
}

/// A buffer that was written to.
pub(crate) fn take_scratch() -> Box<[u8]> {
    SCRATCHES.take().unwrap_or_else(|| vec![0; SCRATCH].into())
}

pub(crate) fn give_scratch(scratch: Box<[u8]>) {
    SCRATCHES.set(Some(scratch));
}

/// The rest of a chunk that short lines share, or nothing.
pub(crate) fn take_chunk() -> BytesMut {
    CHUNKS.take().unwrap_or_default()
}

/// Keeps the rest of a chunk.
pub(crate) fn give_chunk(chunk: BytesMut) {
    CHUNKS.set(Some(chunk));
}

pub(crate) fn take_output() -> Vec<u8> {
    OUTPUT.take().unwrap_or_else(|| Vec::with_capacity(OUTPUT_SIZE))
}

pub(crate) fn give_output(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        buffer.clear();
        OUTPUT.set(Some(buffer));
    }
}
