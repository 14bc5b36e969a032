//! One spare buffer of each kind for each thread, so that a connection at rest holds none and one at work rarely allocates.

use bytes::BytesMut;
use std::cell::Cell;

/// The largest buffer that is kept.
const KEPT: usize = 128 * 1024;

thread_local! {
    static INPUT: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static OUTPUT: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

pub(crate) fn take_input() -> BytesMut {
    INPUT.take().unwrap_or_default()
}

/// Keeps a buffer in which nothing is held.
pub(crate) fn give_input(buffer: BytesMut) {
    INPUT.set(Some(buffer));
}

pub(crate) fn take_output() -> Vec<u8> {
    OUTPUT.take().unwrap_or_else(|| Vec::with_capacity(4096))
}

pub(crate) fn give_output(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        buffer.clear();
        OUTPUT.set(Some(buffer));
    }
}
