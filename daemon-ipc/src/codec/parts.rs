//! Where the parts of an envelope are in their line.

use super::{Envelope, Kind};

/// A range of the line; an empty one is a key that is absent, since no JSON is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    start: u32,
    end: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) kind: Kind,
    /// Whether it says `more` in the usual form.
    pub(super) more: bool,
    pub(super) id: Part,
    pub(super) deadline: Part,
    pub(super) payload: Part,
    /// Those that few messages have.
    pub(super) others: Option<Box<Others>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    hello: Part,
    stream: Part,
    /// If it is not in the usual form.
    more: Part,
    topic: Part,
}

/// The usual form of `more`.
const MORE: &str = "true";

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
    /// Where the parts of an envelope are that was read from `line`.
    pub(super) fn within(line: &str, envelope: &Envelope<'_>) -> Self {
        let part = |text| Part::within(line, text);
        let is_usual = envelope.more == Some(MORE);
        let others = Others {
            hello: part(envelope.hello),
            stream: part(envelope.stream),
            more: part(envelope.more.filter(|_| !is_usual)),
            topic: part(envelope.topic),
        };
        Self {
            kind: envelope.kind,
            more: is_usual,
            id: part(envelope.id),
            deadline: part(envelope.deadline),
            payload: part(envelope.payload),
            others: (others != Others::default()).then(|| Box::new(others)),
        }
    }

    pub(super) fn of<'l>(&self, line: &'l str) -> Envelope<'l> {
        let other = |of: fn(&Others) -> Part| self.others.as_ref().and_then(|others| of(others).of(line));
        Envelope {
            kind: self.kind,
            id: self.id.of(line),
            hello: other(|others| others.hello),
            deadline: self.deadline.of(line),
            stream: other(|others| others.stream),
            more: if self.more { Some(MORE) } else { other(|others| others.more) },
            topic: other(|others| others.topic),
            payload: self.payload.of(line),
        }
    }

    /// Whether it has no extension but perhaps a deadline.
    pub(super) fn is_plain(&self) -> bool {
        !self.more && self.others.is_none()
    }
}
