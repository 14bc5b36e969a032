//! A message that was read. Owns the line and remembers where its parts are.

use super::{BadFrame, Envelope, Extensions, FrameError, Kind, extensions, fields, parts::Parts, prefix};
use crate::Json;
use bytestring::ByteString;
use std::{fmt, time::Duration};

/// One message as it came.
///
/// It may share the buffer it was read into; nothing is copied until it is read as something.
#[derive(Clone)]
pub struct Frame {
    line: ByteString,
    parts: Parts,
}

impl Frame {
    /// A line whose parts are known.
    #[inline]
    pub(super) fn new(line: ByteString, parts: Parts) -> Self {
        Self { line, parts }
    }

    /// Reads a line without its newline.
    ///
    /// # Errors
    ///
    /// [`FrameError::NotAMessage`] and [`FrameError::UnknownType`], with the line's `id` as far as it can be made out.
    pub(crate) fn read(line: ByteString) -> Result<Self, BadFrame> {
        let parts = match prefix::read(line.as_bytes()) {
            Some((parts, length)) if length == line.len() => parts,
            _ => match fields::read(&line) {
                Ok(envelope) => Parts::within(&line, &envelope),
                Err((id, error)) => return Err(BadFrame { id: id.map(|id| Json::part_of(&line, id)), error }),
            },
        };
        Ok(Self { line, parts })
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.parts.kind
    }

    /// What ties an answer to its request, as JSON text.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.parts.id.of(&self.line)
    }

    /// What is asked or answered, as JSON text.
    #[must_use]
    pub fn payload(&self) -> Option<&str> {
        self.parts.payload.of(&self.line)
    }

    /// All its parts.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        self.parts.of(&self.line)
    }

    /// Whether it has no extension, but perhaps a deadline.
    pub(crate) fn is_plain(&self) -> bool {
        self.parts.is_plain()
    }

    /// How long the answer is worth something.
    ///
    /// # Errors
    ///
    /// [`FrameError::BadExtension`] if its value is not of its form.
    pub fn deadline(&self) -> Result<Option<Duration>, FrameError> {
        extensions::deadline(self.parts.deadline.of(&self.line))
    }

    /// What the extensions among its keys say.
    ///
    /// # Errors
    ///
    /// [`FrameError::BadExtension`] for a key whose value is not of its form.
    pub fn extensions(&self) -> Result<Extensions, FrameError> {
        Extensions::read(&self.envelope())
    }

    /// The `id`, to be kept.
    #[must_use]
    pub fn id_json(&self) -> Option<Json> {
        self.id().map(|id| Json::part_of(&self.line, id))
    }

    /// The payload, to be kept.
    #[must_use]
    pub fn payload_json(&self) -> Option<Json> {
        self.payload().map(|payload| Json::part_of(&self.line, payload))
    }

    /// The length of the line in bytes, its newline not counted.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no message is empty")]
    pub fn len(&self) -> usize {
        self.line.len()
    }
}

/// The line.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl From<FrameError> for BadFrame {
    fn from(error: FrameError) -> Self {
        Self { id: None, error }
    }
}
