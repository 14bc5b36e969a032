//! The envelope in the form that nearly all messages have: no blanks around its keys, and those in the order that this crate and
//! `@outfitter/daemon` write them. Looks at each byte once.
//!
//! Invariant: what is read here, [`fields`](super::fields) would have read as the same. Whatever looks different is left to it.

use super::{
    Kind,
    parts::{Part, Parts},
};
use crate::json::value_end;

const BEFORE_ID: &str = r#"{"id":"#;

/// `None` if the line is no message or one of another form.
pub(super) fn read(line: &str) -> Option<Parts> {
    let mut rest = Rest { line: line.as_bytes(), at: 0 };
    let id = rest.value_of(BEFORE_ID)?;
    if id.is_absent() || !rest.pass(r#","type":""#) {
        return None;
    }
    let kind = rest.kind()?;
    let deadline = rest.number_of(r#","deadline":"#)?;
    let more = rest.value_of(r#","more":"#)?;
    let payload = rest.value_of(r#","payload":"#)?;
    let ends = rest.pass("}") && rest.at == line.len();
    ends.then_some(Parts { id, deadline, more, payload, ..Parts::new(kind) })
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
    line: &'a [u8],
    at: usize,
}

impl Rest<'_> {
    // Inlined, so that comparing with a text of known length is a comparison of words.
    #[inline(always)]
    fn pass(&mut self, text: &str) -> bool {
        let found = self.line[self.at..].starts_with(text.as_bytes());
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// The value that follows `key`, which is absent if the key does not follow.
    #[inline(always)]
    fn value_of(&mut self, key: &str) -> Option<Part> {
        if !self.pass(key) {
            return Some(Part::default());
        }
        if is_blank(self.line.get(self.at)) {
            return None;
        }
        let start = self.at;
        self.at = value_end(self.line, start)?;
        Some(Part::new(start, self.at))
    }

    /// The same of a value that has digits and nothing else.
    #[inline(always)]
    fn number_of(&mut self, key: &str) -> Option<Part> {
        if !self.pass(key) {
            return Some(Part::default());
        }
        let start = self.at;
        let first = *self.line.get(start)?;
        while self.line.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        // JSON has no number that begins with a zero but that.
        let is_number = first != b'0' && self.at > start;
        is_number.then(|| Part::new(start, self.at))
    }

    /// The kind and the quote after it.
    fn kind(&mut self) -> Option<Kind> {
        let kinds = [Kind::Request, Kind::Response, Kind::Error];
        let kind = kinds.into_iter().find(|kind| self.pass(kind.name()))?;
        self.pass("\"").then_some(kind)
    }
}

fn is_blank(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b' ' | b'\t' | b'\r' | b'\n'))
}
