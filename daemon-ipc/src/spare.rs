//! Spare buffers of each thread, so that a connection at rest holds none and one at work rarely allocates.

use bytes::{Bytes, BytesMut};
use std::cell::Cell;

/// The largest buffer that is kept. Memory that is given back and asked for again at each large message costs more than what the
/// message does.
const KEPT: usize = 2 * 1024 * 1024;

/// What a buffer for small messages takes.
const CHUNK: usize = 4096;

/// The longest piece that [`copy`] is for.
pub(crate) const SMALL: usize = CHUNK / 2;

thread_local! {
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

/// A copy of something small. Several share their memory, which is no more than a chunk.
pub(crate) fn copy(piece: &[u8]) -> Bytes {
    let mut chunk = CHUNKS.take().unwrap_or_default();
    if chunk.capacity() < piece.len() {
        chunk.reserve(CHUNK);
    }
    chunk.extend_from_slice(piece);
    let copied = chunk.split().freeze();
    CHUNKS.set(Some(chunk));
    copied
}

pub(crate) fn take_output() -> Vec<u8> {
    OUTPUT.take().unwrap_or_else(|| Vec::with_capacity(CHUNK))
}

pub(crate) fn give_output(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        buffer.clear();
        OUTPUT.set(Some(buffer));
    }
}
