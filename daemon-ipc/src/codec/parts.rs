//! Where the parts of an envelope are in their line.

use super::{Envelope, Kind};

/// A range of the line; an empty one is a key that is absent, since no JSON is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) kind: Kind,
    pub(super) id: Part,
    pub(super) hello: Part,
    pub(super) deadline: Part,
    pub(super) stream: Part,
    pub(super) more: Part,
    pub(super) topic: Part,
    pub(super) payload: Part,
}

impl Part {
    /// Lines are shorter than 4 GiB: see [`Limits::max_frame`](crate::Limits::max_frame).
    pub(super) fn new(start: usize, end: usize) -> Self {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: place(start), end: place(end) }
    }

    /// Where `text` is in `line`, which it is a part of.
    fn within(line: &str, text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::default() };
        let start = text.as_ptr().addr() - line.as_ptr().addr();
        Self::new(start, start + text.len())
    }

    pub(super) fn is_absent(self) -> bool {
        self.start == self.end
    }

    pub(super) fn of(self, line: &str) -> Option<&str> {
        if self.is_absent() { None } else { line.get(self.start as usize..self.end as usize) }
    }
}

impl Parts {
    pub(super) fn new(kind: Kind) -> Self {
        let absent = Part::default();
        Self {
            kind,
            id: absent,
            hello: absent,
            deadline: absent,
            stream: absent,
            more: absent,
            topic: absent,
            payload: absent,
        }
    }

    /// Where the parts of an envelope are that was read from `line`.
    pub(super) fn within(line: &str, envelope: &Envelope<'_>) -> Self {
        let part = |text| Part::within(line, text);
        Self {
            kind: envelope.kind,
            id: part(envelope.id),
            hello: part(envelope.hello),
            deadline: part(envelope.deadline),
            stream: part(envelope.stream),
            more: part(envelope.more),
            topic: part(envelope.topic),
            payload: part(envelope.payload),
        }
    }

    pub(super) fn of(self, line: &str) -> Envelope<'_> {
        Envelope {
            kind: self.kind,
            id: self.id.of(line),
            hello: self.hello.of(line),
            deadline: self.deadline.of(line),
            stream: self.stream.of(line),
            more: self.more.of(line),
            topic: self.topic.of(line),
            payload: self.payload.of(line),
        }
    }

    /// Whether it has no extension but perhaps a deadline.
    pub(super) fn is_plain(self) -> bool {
        [self.hello, self.stream, self.more, self.topic].iter().all(|part| part.is_absent())
    }
}
