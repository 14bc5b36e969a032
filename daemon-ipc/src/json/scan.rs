//! Where a JSON value ends. Looks at each byte once, keeps no text and does not recurse.

use super::plain;

#[cfg(test)]
mod tests;

/// How deep arrays and objects may be nested before the scan gives up: one bit each.
const DEPTH: u32 = u64::BITS;

/// The place after the value that begins at `at` or after blanks there.
///
/// `None` if there is no value, it is not JSON, it goes over the end of its line, or it is nested more than 64 deep. `text` is UTF-8.
pub(crate) fn value_end(text: &[u8], at: usize) -> Option<usize> {
    after_value(text.get(at..)?).map(|rest| text.len() - rest.len())
}

/// What follows the value at the start.
fn after_value(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    let mut open = Open::default();
    loop {
        let (first, after) = after_blanks(rest).split_first()?;
        rest = match first {
            b'"' => after_string(after)?,
            b'{' => match after_blanks(after) {
                [b'}', rest @ ..] => rest,
                inside => {
                    open.push(Container::Object)?;
                    rest = after_key(inside)?;
                    continue;
                }
            },
            b'[' => match after_blanks(after) {
                [b']', rest @ ..] => rest,
                inside => {
                    open.push(Container::Array)?;
                    rest = inside;
                    continue;
                }
            },
            b't' => after.strip_prefix(b"rue")?,
            b'f' => after.strip_prefix(b"alse")?,
            b'n' => after.strip_prefix(b"ull")?,
            _ => after_number(after_blanks(rest))?,
        };
        // A value has ended: what encloses it goes on or ends too.
        loop {
            let Some(container) = open.innermost() else { return Some(rest) };
            let (next, after) = after_blanks(rest).split_first()?;
            rest = after;
            match (next, container) {
                (b',', Container::Array) => break,
                (b',', Container::Object) => {
                    rest = after_key(after_blanks(after))?;
                    break;
                }
                (b']', Container::Array) | (b'}', Container::Object) => open.pop(),
                _ => return None,
            }
        }
    }
}

/// What follows the closing quote of a string whose opening one was passed.
#[inline]
pub(crate) fn after_string(text: &[u8]) -> Option<&[u8]> {
    match text.get(plain(text)..)? {
        [b'"', rest @ ..] => Some(rest),
        special => after_escaped(special),
    }
}

/// The same from something special inside the string.
#[cold]
fn after_escaped(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => rest,
            [b'\\', b'u', rest @ ..] => {
                let (digits, rest) = rest.split_first_chunk::<4>()?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(rest)?
            }
            _ => return None,
        };
        rest = &rest[plain(rest)..];
    }
}

/// What follows a key and its colon.
#[inline]
fn after_key(text: &[u8]) -> Option<&[u8]> {
    let [b'"', rest @ ..] = text else { return None };
    let [b':', rest @ ..] = after_blanks(after_string(rest)?) else { return None };
    Some(rest)
}

/// What follows blanks. The end of the line is none here.
#[inline]
pub(super) fn after_blanks(text: &[u8]) -> &[u8] {
    match text {
        // As a rule, there are none.
        [next, ..] if *next > b' ' => text,
        _ => after_some_blanks(text),
    }
}

fn after_some_blanks(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let [b' ' | b'\t' | b'\r', after @ ..] = rest {
        rest = after;
    }
    rest
}

/// What follows the number at the start.
pub(super) fn after_number(text: &[u8]) -> Option<&[u8]> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let mut rest = match unsigned {
        [b'0', rest @ ..] => rest,
        digits => after_digits(digits)?,
    };
    if let [b'.', fraction @ ..] = rest {
        rest = after_digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = match exponent {
            [b'+' | b'-', digits @ ..] => after_digits(digits)?,
            digits => after_digits(digits)?,
        };
    }
    // "01" and "1.2.3" are refused by what must follow a value, but for a value that is all there is.
    (!matches!(rest, [b'0'..=b'9', ..])).then_some(rest)
}

/// What follows one digit or more.
fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let [b'0'..=b'9', after @ ..] = rest {
        rest = after;
    }
    (rest.len() < text.len()).then_some(rest)
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
