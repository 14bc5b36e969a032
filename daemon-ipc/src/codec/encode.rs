//! Writing messages as lines.

use super::{Envelope, FrameError, Kind};
use crate::{Limits, json};
use serde::Serialize;

/// Appends a message and its newline to `to`.
///
/// ```
/// use daemon_ipc::{Envelope, Kind, Limits, encode};
///
/// let mut bytes = Vec::new();
/// encode(&Envelope { id: Some("\"1\""), ..Envelope::new(Kind::Request) }, &Limits::default(), &mut bytes)?;
/// assert_eq!(bytes, b"{\"id\":\"1\",\"type\":\"request\"}\n");
/// # Ok::<(), daemon_ipc::FrameError>(())
/// ```
///
/// # Errors
///
/// [`FrameError::TooLong`] if the message exceeds the limit; `to` is then as it was. That the parts are JSON without newlines
/// is the caller's to see to; those of a [`Frame`](super::Frame) and a [`Json`](crate::Json) are.
pub fn encode(envelope: &Envelope<'_>, limits: &Limits, to: &mut Vec<u8>) -> Result<(), FrameError> {
    if let Some(payload) = envelope.payload {
        return encode_raw(envelope, payload.as_bytes(), limits, to);
    }
    let start = to.len();
    open(envelope, to);
    close(start, limits, to)
}

/// Appends a message whose payload is JSON as bytes, in place of the envelope's.
pub(crate) fn encode_raw(
    envelope: &Envelope<'_>,
    payload: &[u8],
    limits: &Limits,
    to: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let start = to.len();
    encode_head(envelope, to);
    to.extend_from_slice(payload);
    close(start, limits, to)
}

/// Appends all that comes before the payload of a message.
pub(crate) fn encode_head(envelope: &Envelope<'_>, to: &mut Vec<u8>) {
    open(envelope, to);
    to.extend_from_slice(b",\"payload\":");
}

/// Appends a message whose payload is `value`, in place of the envelope's.
///
/// # Errors
///
/// [`FrameError::NotJson`] and [`FrameError::TooLong`]; `to` is then as it was.
pub(crate) fn encode_value<T: Serialize + ?Sized>(
    envelope: &Envelope<'_>,
    value: &T,
    limits: &Limits,
    to: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let start = to.len();
    encode_head(envelope, to);
    if let Err(source) = json::write(value, to) {
        to.truncate(start);
        return Err(FrameError::NotJson { source });
    }
    close(start, limits, to)
}

/// All but the payload, in the order that peers write.
fn open(envelope: &Envelope<'_>, to: &mut Vec<u8>) {
    match envelope.id {
        Some(id) => {
            to.extend_from_slice(b"{\"id\":");
            to.extend_from_slice(id.as_bytes());
            to.push(b',');
        }
        None => to.push(b'{'),
    }
    match envelope.kind {
        // Most are of these two, and what is known to the compiler costs it next to nothing.
        Kind::Request => to.extend_from_slice(b"\"type\":\"request\""),
        Kind::Response => to.extend_from_slice(b"\"type\":\"response\""),
        kind => {
            to.extend_from_slice(b"\"type\":\"");
            to.extend_from_slice(kind.name().as_bytes());
            to.push(b'"');
        }
    }
    let Envelope { hello, deadline, stream, more, topic, .. } = *envelope;
    extend("hello", hello, to);
    extend("deadline", deadline, to);
    extend("stream", stream, to);
    extend("more", more, to);
    extend("topic", topic, to);
}

/// A key of the envelope and its value, if it has one.
#[inline(always)]
fn extend(key: &str, value: Option<&str>, to: &mut Vec<u8>) {
    if let Some(value) = value {
        to.extend_from_slice(b",\"");
        to.extend_from_slice(key.as_bytes());
        to.extend_from_slice(b"\":");
        to.extend_from_slice(value.as_bytes());
    }
}

fn close(start: usize, limits: &Limits, to: &mut Vec<u8>) -> Result<(), FrameError> {
    to.push(b'}');
    if to.len() - start > limits.max_frame {
        to.truncate(start);
        return Err(FrameError::TooLong { limit: limits.max_frame });
    }
    to.push(b'\n');
    Ok(())
}
