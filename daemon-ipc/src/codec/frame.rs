//! A message that was read. Owns the line and remembers where its parts are.

use super::{BadFrame, Envelope, Extensions, FrameError, Kind, fields, prefix};
use crate::Json;
use bytestring::ByteString;
use std::fmt;

/// One message as it came.
///
/// It shares the buffer it was read into; nothing is copied until it is read as something.
#[derive(Clone)]
pub struct Frame {
    line: ByteString,
    kind: Kind,
    id: Part,
    hello: Part,
    deadline: Part,
    stream: Part,
    more: Part,
    topic: Part,
    payload: Part,
}

/// A range of the line; an empty one is a key that is absent, since no JSON is empty.
#[derive(Clone, Copy, Default)]
struct Part {
    start: u32,
    end: u32,
}

impl Frame {
    /// Reads a line without its newline.
    ///
    /// # Errors
    ///
    /// [`FrameError::NotAMessage`] and [`FrameError::UnknownType`], with the line's `id` as far as it can be made out.
    pub(super) fn read(line: ByteString) -> Result<Self, BadFrame> {
        let envelope = match prefix::read(&line) {
            Some(envelope) => envelope,
            None => fields::read(&line)
                .map_err(|(id, error)| BadFrame { id: id.map(|id| Json::part_of(&line, id)), error })?,
        };
        let part = |text: Option<&str>| Part::of(&line, text);
        let (id, hello, deadline) = (part(envelope.id), part(envelope.hello), part(envelope.deadline));
        let (stream, more, topic) = (part(envelope.stream), part(envelope.more), part(envelope.topic));
        let (kind, payload) = (envelope.kind, part(envelope.payload));
        Ok(Self { kind, id, hello, deadline, stream, more, topic, payload, line })
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What ties an answer to its request, as JSON text.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.text(&self.line)
    }

    /// What is asked or answered, as JSON text.
    #[must_use]
    pub fn payload(&self) -> Option<&str> {
        self.payload.text(&self.line)
    }

    /// All its parts.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        let line = &self.line;
        Envelope {
            kind: self.kind,
            id: self.id.text(line),
            hello: self.hello.text(line),
            deadline: self.deadline.text(line),
            stream: self.stream.text(line),
            more: self.more.text(line),
            topic: self.topic.text(line),
            payload: self.payload.text(line),
        }
    }

    /// What the extensions among its keys say.
    ///
    /// # Errors
    ///
    /// [`FrameError::BadExtension`] for a key whose value is not of its form.
    pub fn extensions(&self) -> Result<Extensions, FrameError> {
        let others = [self.hello, self.stream, self.more, self.topic];
        if others.iter().all(|part| part.is_absent()) {
            return Extensions::of_deadline(self.deadline.text(&self.line));
        }
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

impl Part {
    /// Where `text` is in `line`, which it is a part of. Lines are shorter than 4 GiB: see
    /// [`Limits::max_frame`](crate::Limits::max_frame).
    fn of(line: &str, text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::default() };
        let start = text.as_ptr().addr() - line.as_ptr().addr();
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: place(start), end: place(start + text.len()) }
    }

    fn is_absent(self) -> bool {
        self.start == self.end
    }

    fn text(self, line: &str) -> Option<&str> {
        if self.is_absent() { None } else { line.get(self.start as usize..self.end as usize) }
    }
}

impl From<FrameError> for BadFrame {
    fn from(error: FrameError) -> Self {
        Self { id: None, error }
    }
}
