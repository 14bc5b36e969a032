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
    match envelope.payload {
        Some(payload) => encode_raw(envelope, payload.as_bytes(), limits, to),
        None => encode_without_payload(envelope, limits, to),
    }
}

/// What comes before the payload of a message, on its way out.
pub(crate) trait Head {
    /// Appends it, but for the key `payload`.
    fn write(&self, to: &mut Vec<u8>);
}

/// Appends a message without a payload.
pub(crate) fn encode_without_payload(head: &impl Head, limits: &Limits, to: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = to.len();
    head.write(to);
    close(start, limits, to)
}

/// Appends a message whose payload is JSON as bytes, in place of the envelope's.
pub(crate) fn encode_raw(
    head: &impl Head,
    payload: &[u8],
    limits: &Limits,
    to: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let start = to.len();
    encode_head(head, to);
    to.extend_from_slice(payload);
    close(start, limits, to)
}

/// Appends all that comes before the payload of a message.
#[inline]
pub(crate) fn encode_head(head: &impl Head, to: &mut Vec<u8>) {
    head.write(to);
    to.extend_from_slice(b",\"payload\":");
}

/// Appends a message whose payload is `value`, in place of the envelope's.
///
/// # Errors
///
/// [`FrameError::NotJson`] and [`FrameError::TooLong`]; `to` is then as it was.
pub(crate) fn encode_value<T: Serialize + ?Sized>(
    head: &impl Head,
    value: &T,
    limits: &Limits,
    to: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let start = to.len();
    encode_head(head, to);
    if let Err(source) = json::write(value, to) {
        to.truncate(start);
        return Err(FrameError::NotJson { source });
    }
    close(start, limits, to)
}

/// In the order that peers write.
impl Head for Envelope<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        write_id(self.id, to);
        write_kind(self.kind, to);
        let Self { hello, deadline, stream, more, topic, .. } = *self;
        write_key("hello", hello, to);
        write_key("deadline", deadline, to);
        write_key("stream", stream, to);
        write_key("more", more, to);
        write_key("topic", topic, to);
    }
}

/// The key `id`, with which a message begins.
#[inline]
pub(crate) fn write_id(id: Option<&str>, to: &mut Vec<u8>) {
    match id {
        Some(id) => {
            to.extend_from_slice(b"{\"id\":");
            to.extend_from_slice(id.as_bytes());
            to.push(b',');
        }
        None => to.push(b'{'),
    }
}

/// The key `type`.
#[inline]
pub(crate) fn write_kind(kind: Kind, to: &mut Vec<u8>) {
    match kind {
        // Most are of these two, and what is known to the compiler costs it next to nothing.
        Kind::Request => to.extend_from_slice(b"\"type\":\"request\""),
        Kind::Response => to.extend_from_slice(b"\"type\":\"response\""),
        kind => {
            to.extend_from_slice(b"\"type\":\"");
            to.extend_from_slice(kind.name().as_bytes());
            to.push(b'"');
        }
    }
}

/// A key of the envelope and its value, if it has one.
#[inline(always)]
pub(crate) fn write_key(key: &str, value: Option<&str>, to: &mut Vec<u8>) {
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
