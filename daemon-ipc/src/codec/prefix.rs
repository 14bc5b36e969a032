//! The envelope in the form that nearly all messages have: no blanks around its keys, and those in the order that this crate and
//! `@outfitter/daemon` write them. Looks at each byte once.
//!
//! Invariant: what is read here, [`fields`](super::fields) would have read as the same. Whatever looks different is left to it.

use super::{
    Kind,
    parts::{Part, Parts},
};
use crate::json::{after_string, value_end};

const BEFORE_ID: &str = r#"{"id":"#;

const PAYLOAD: &str = r#","payload":"#;

/// Reads the message at the start of `bytes`, up to its closing brace: where its parts are, and how long it is. What is in quotes is
/// UTF-8 if all of it is.
///
/// `None` if there is none, it is not complete, or it is of another form.
#[inline]
pub(super) fn read(bytes: &[u8]) -> Option<(Parts, usize)> {
    let mut rest = Rest { bytes, rest: bytes };
    let (id, kind) = rest.beginning()?;
    let deadline = rest.number_of(r#","deadline":"#)?;
    let more = rest.pass(r#","more":true"#);
    let payload = rest.value_of(PAYLOAD)?;
    let ends = rest.pass("}");
    ends.then(|| (Parts { kind, id, deadline, more, payload, others: None }, rest.at()))
}

/// Reads a line that answers, but for its payload, of which it is not known whether it is a value, or where its end is: where its `id` is,
/// and the payload.
///
/// `None` if it is of another form. If its payload is a value up to its end, [`read`] says the same of it.
#[inline]
pub(super) fn read_answer(line: &[u8]) -> Option<(Part, Part)> {
    let mut rest = Rest { bytes: line, rest: line };
    let (id, kind) = rest.beginning()?;
    let answers = kind == Kind::Response && rest.pass(PAYLOAD) && !is_blank(rest.rest.first());
    let payload = Part::new(rest.at(), line.strip_suffix(b"}")?.len());
    (answers && !payload.is_absent()).then_some((id, payload))
}

/// The `id` of a line that is no message, or of which only the beginning is there, if that is what it begins with.
pub(super) fn id(line: &[u8]) -> Option<&str> {
    let start = BEFORE_ID.len();
    let begins = line.starts_with(BEFORE_ID.as_bytes()) && !is_blank(line.get(start));
    let end = begins.then(|| value_end(line, start))??;
    // A number at the end of what is there may go on.
    line.get(end)?;
    std::str::from_utf8(&line[start..end]).ok()
}

struct Rest<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
}

impl Rest<'_> {
    fn at(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    /// The `id` and the kind.
    #[inline(always)]
    fn beginning(&mut self) -> Option<(Part, Kind)> {
        let id = self.value_of(BEFORE_ID)?;
        if id.is_absent() || !self.pass(r#","type":""#) {
            return None;
        }
        Some((id, self.kind()?))
    }

    // Inlined, so that comparing with a text of known length is a comparison of words.
    #[inline(always)]
    fn pass(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text.as_bytes());
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// The value that follows `key`, which is absent if the key does not follow.
    #[inline(always)]
    fn value_of(&mut self, key: &str) -> Option<Part> {
        if !self.pass(key) {
            return Some(Part::default());
        }
        if is_blank(self.rest.first()) {
            return None;
        }
        let start = self.at();
        self.rest = match self.rest {
            [b'"', text @ ..] => after_string(text)?,
            other => &other[value_end(other, 0)?..],
        };
        Some(Part::new(start, self.at()))
    }

    /// The same of a value that has digits and nothing else.
    #[inline(always)]
    fn number_of(&mut self, key: &str) -> Option<Part> {
        if !self.pass(key) {
            return Some(Part::default());
        }
        let start = self.at();
        // JSON has no number that begins with a zero but that.
        let [b'1'..=b'9', digits @ ..] = self.rest else { return None };
        self.rest = digits;
        while let [b'0'..=b'9', digits @ ..] = self.rest {
            self.rest = digits;
        }
        Some(Part::new(start, self.at()))
    }

    /// The kind and the quote after it.
    #[inline(always)]
    fn kind(&mut self) -> Option<Kind> {
        if self.pass("request\"") {
            Some(Kind::Request)
        } else if self.pass("response\"") {
            Some(Kind::Response)
        } else if self.pass("error\"") {
            Some(Kind::Error)
        } else {
            None
        }
    }
}

fn is_blank(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b' ' | b'\t' | b'\r' | b'\n'))
}
