//! The envelope in the form that nearly all messages have: no blanks around its keys, and those in the order that this crate and
//! `@outfitter/daemon` write them. Looks at each byte once.
//!
//! Invariant: what is read here, [`fields`](super::fields) would have read as the same. Whatever looks different is left to it.

use super::{Envelope, Kind};
use crate::json::value_end;

const BEFORE_ID: &str = r#"{"id":"#;

/// `None` if the line is no message or one of another form.
pub(super) fn read(line: &str) -> Option<Envelope<'_>> {
    let mut rest = Rest { line, at: 0 };
    let id = rest.value_of(BEFORE_ID)?;
    id?;
    rest.pass(r#","type":""#).then_some(())?;
    let kind = rest.kind()?;
    let deadline = rest.value_of(r#","deadline":"#)?;
    let more = rest.value_of(r#","more":"#)?;
    let payload = rest.value_of(r#","payload":"#)?;
    let ends = rest.pass("}") && rest.at == line.len();
    ends.then_some(Envelope { id, deadline, more, payload, ..Envelope::new(kind) })
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
    line: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    // Inlined, so that comparing with a text of known length is a comparison of words.
    #[inline(always)]
    fn pass(&mut self, text: &str) -> bool {
        let found = self.line.as_bytes()[self.at..].starts_with(text.as_bytes());
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// The value that follows `key`, or `Some(None)` if the key does not follow.
    #[inline(always)]
    #[expect(clippy::option_option, reason = "the outer one is for `?`: this is not the form that is read here")]
    fn value_of(&mut self, key: &str) -> Option<Option<&'a str>> {
        if !self.pass(key) {
            return Some(None);
        }
        let bytes = self.line.as_bytes();
        if is_blank(bytes.get(self.at)) {
            return None;
        }
        let start = self.at;
        self.at = value_end(bytes, start)?;
        self.line.get(start..self.at).map(Some)
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
