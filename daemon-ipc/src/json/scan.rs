//! Where a JSON value ends. Looks at each byte once, keeps no text and does not recurse.

use super::plain;

#[cfg(test)]
mod tests;

/// How deep arrays and objects may be nested before the scan gives up: one bit each.
const DEPTH: u32 = u64::BITS;

/// The place after the value that begins at `at` or after blanks there.
///
/// `None` if there is no value, it is not JSON, or it is nested more than 64 deep. `text` is UTF-8.
pub(crate) fn value_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    let mut open = Open::default();
    loop {
        at = after_blanks(text, at);
        at = match *text.get(at)? {
            b'"' => string_end(text, at + 1)?,
            b'{' => {
                at = after_blanks(text, at + 1);
                if *text.get(at)? != b'}' {
                    open.push(Container::Object)?;
                    at = after_key(text, at)?;
                    continue;
                }
                at + 1
            }
            b'[' => {
                at = after_blanks(text, at + 1);
                if *text.get(at)? != b']' {
                    open.push(Container::Array)?;
                    continue;
                }
                at + 1
            }
            b't' => after_word(text, at, b"true")?,
            b'f' => after_word(text, at, b"false")?,
            b'n' => after_word(text, at, b"null")?,
            _ => number_end(text, at)?,
        };
        // A value has ended: what encloses it goes on or ends too.
        loop {
            let Some(container) = open.innermost() else { return Some(at) };
            at = after_blanks(text, at);
            match (*text.get(at)?, container) {
                (b',', Container::Array) => {
                    at += 1;
                    break;
                }
                (b',', Container::Object) => {
                    at = after_key(text, after_blanks(text, at + 1))?;
                    break;
                }
                (b']', Container::Array) | (b'}', Container::Object) => {
                    at += 1;
                    open.pop();
                }
                _ => return None,
            }
        }
    }
}

/// The place after the closing quote of a string whose text begins at `at`.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        at += plain(text.get(at..)?);
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = after_escape(text, at + 1)?,
            _ => return None,
        }
    }
}

fn after_escape(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => text.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
        _ => None,
    }
}

/// The place after a key and its colon.
fn after_key(text: &[u8], at: usize) -> Option<usize> {
    let at = after_byte(text, at, b'"')?;
    let at = after_blanks(text, string_end(text, at)?);
    after_byte(text, at, b':')
}

fn after_byte(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    (*text.get(at)? == byte).then_some(at + 1)
}

fn after_word(text: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    text.get(at..)?.starts_with(word).then_some(at + word.len())
}

#[inline]
pub(super) fn after_blanks(text: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = text.get(at) {
        at += 1;
    }
    at
}

/// The place after the number that begins at `at`.
pub(super) fn number_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + usize::from(text.get(at) == Some(&b'-'));
    at = if *text.get(at)? == b'0' { at + 1 } else { after_digits(text, at)? };
    if text.get(at) == Some(&b'.') {
        at = after_digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at = after_digits(text, at)?;
    }
    // "01" and "1.2.3" are refused by what must follow a value, but for a value that is all there is.
    (!matches!(text.get(at), Some(b'0'..=b'9'))).then_some(at)
}

/// The place after one digit or more.
fn after_digits(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    while let Some(b'0'..=b'9') = text.get(end) {
        end += 1;
    }
    (end > at).then_some(end)
}

#[derive(Clone, Copy)]
enum Container {
    Array,
    Object,
}

/// What encloses the place at hand, innermost in the lowest bit.
#[derive(Default)]
struct Open {
    objects: u64,
    depth: u32,
}

impl Open {
    fn push(&mut self, container: Container) -> Option<()> {
        if self.depth == DEPTH {
            return None;
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u64::from(matches!(container, Container::Object));
        Some(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn innermost(&self) -> Option<Container> {
        match (self.depth, self.objects & 1) {
            (0, _) => None,
            (_, 0) => Some(Container::Array),
            (_, _) => Some(Container::Object),
        }
    }
}
