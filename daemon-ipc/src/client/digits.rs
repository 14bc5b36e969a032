//! The ids of requests as they are sent: numbers in quotes, written without an allocation. With them, all that comes before a payload.

use crate::{
    Kind,
    codec::{Head, write_key, write_kind},
};
use std::time::Duration;

/// The number of a request in the form it is sent: digits in quotes.
pub(super) fn number_of(id: &str) -> Option<u64> {
    /// As many digits make a number that is none too large.
    const SAFE: usize = 19;
    let digits = id.strip_prefix('"')?.strip_suffix('"')?;
    if digits.is_empty() || digits.len() > SAFE {
        return digits.parse().ok();
    }
    digits.bytes().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

/// A message about the request of a number, without its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) hello: Option<&'a str>,
    /// In milliseconds.
    pub(super) deadline: Option<Digits>,
    /// How many items can be taken.
    pub(super) stream: Option<u32>,
}

impl About<'_> {
    pub(super) const fn new(kind: Kind, number: u64) -> Self {
        Self { kind, number, hello: None, deadline: None, stream: None }
    }
}

/// In the order of an envelope.
impl Head for About<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(b"{\"id\":\"");
        to.extend_from_slice(Digits::of(self.number).as_bytes());
        to.extend_from_slice(b"\",");
        write_kind(self.kind, to);
        write_key("hello", self.hello, to);
        if let Some(milliseconds) = &self.deadline {
            to.extend_from_slice(b",\"deadline\":");
            to.extend_from_slice(milliseconds.as_bytes());
        }
        if let Some(items) = self.stream {
            to.extend_from_slice(b",\"stream\":");
            to.extend_from_slice(Digits::of(u64::from(items)).as_bytes());
        }
    }
}

/// A number as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    /// At the end.
    digits: [u8; 20],
    start: u8,
}

impl Digits {
    pub(super) fn of(number: u64) -> Self {
        let mut digits = [0; 20];
        let (mut start, mut rest) = (digits.len(), number);
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return Self { digits, start: start as u8 };
            }
        }
    }

    pub(super) fn of_milliseconds(duration: Duration) -> Self {
        Self::of(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.digits[usize::from(self.start)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Envelope;

    #[test]
    fn numbers_are_written_and_read_back() {
        for number in [0, 7, 10, 12345, 9_999_999_999_999_999_999, u64::MAX] {
            let digits = String::from_utf8(Digits::of(number).as_bytes().to_vec()).unwrap();
            assert_eq!(digits, number.to_string());
            assert_eq!(number_of(&format!("\"{digits}\"")), Some(number));
        }
        for id in ["7", "\"\"", "\"7", "\"-7\"", "\"a\"", "{}", "\"99999999999999999999\""] {
            assert_eq!(number_of(id), None);
        }
    }

    #[test]
    fn it_is_written_as_an_envelope_is() {
        let envelope = Envelope {
            id: Some("\"7\""),
            hello: Some("{}"),
            deadline: Some("30000"),
            stream: Some("64"),
            ..Envelope::new(Kind::Request)
        };
        let about = About {
            hello: Some("{}"),
            deadline: Some(Digits::of(30000)),
            stream: Some(64),
            ..About::new(Kind::Request, 7)
        };
        let cancel = Envelope { id: Some("\"7\""), ..Envelope::new(Kind::Cancel) };
        let written = |head: &dyn Fn(&mut Vec<u8>)| {
            let mut to = Vec::new();
            head(&mut to);
            to
        };
        assert_eq!(written(&|to| about.write(to)), written(&|to| envelope.write(to)));
        assert_eq!(written(&|to| About::new(Kind::Cancel, 7).write(to)), written(&|to| cancel.write(to)));
    }
}
