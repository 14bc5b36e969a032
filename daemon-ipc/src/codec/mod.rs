//! Messages and lines: one JSON object per line, in either direction. Does no I/O and keeps no clock.
//!
//! [`envelope`] is what a message consists of and how it is read, [`decoder`] cuts a stream of bytes into messages, [`encode`]
//! writes them. What the extensions mean is [`extensions`].

mod decoder;
mod encode;
mod envelope;
mod extensions;
mod fields;
mod frame;
mod parts;
mod prefix;
#[cfg(test)]
mod tests;
mod unread;

pub use decoder::Decoder;
pub use encode::encode;
pub(crate) use encode::{
    Head, encode_head, encode_raw, encode_value, encode_without_payload, write_id, write_key, write_kind,
};
pub use envelope::{Envelope, Kind};
pub use extensions::{Capabilities, Extensions, Hello, PROTOCOL_VERSION};
pub use frame::Frame;
pub(crate) use unread::{Answer, Misread, Unread};

use crate::Json;
use thiserror::Error;

/// Why a frame could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A line exceeds [`Limits::max_frame`](crate::Limits::max_frame). A reader skips the rest of it; a writer has written nothing.
    #[error("frame exceeds the limit of {limit} bytes; split the payload, or raise `Limits::max_frame` at both ends")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line is not UTF-8.
    #[error("frame is not UTF-8 at byte {at}; send JSON as UTF-8, one object per line")]
    NotUtf8 {
        /// Where the first wrong byte is, counted from the start of the line.
        at: usize,
    },
    /// A line is JSON, or nearly, but not an envelope.
    #[error("frame is not a message; send one JSON object per line with `type`, `id` and `payload`")]
    NotAMessage {
        /// What the JSON parser says, if the line got as far as that.
        source: Option<serde_json::Error>,
    },
    /// A message is of a type that there is not.
    #[error("there is no message type `{kind}`; there are request, response, error, cancel, credit and event")]
    UnknownType {
        /// The type it says it is.
        kind: String,
    },
    /// An extension's value is not of its form.
    #[error("frame has a `{key}` that cannot be read")]
    BadExtension {
        /// The key of the envelope.
        key: &'static str,
        /// What the JSON parser says.
        source: serde_json::Error,
    },
    /// The stream ended inside a line.
    #[error("stream ended inside a frame, after {held} of its bytes; end every message with a newline")]
    Unterminated {
        /// How many bytes of the line had arrived.
        held: usize,
    },
    /// A message cannot be written as JSON.
    #[error("message cannot be written as JSON")]
    NotJson {
        /// What the JSON writer says.
        source: serde_json::Error,
    },
}

/// A line that is no message, and whom the sender expects to hear about it.
#[derive(Debug, Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct BadFrame {
    /// The `id` of the line, as far as it could be made out.
    pub id: Option<Json>,
    /// What is wrong with the line.
    pub error: FrameError,
}
