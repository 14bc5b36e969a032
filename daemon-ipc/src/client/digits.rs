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
    pub(super) deadline: Option<DeadlineKey>,
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
        Digits::after(b"{\"id\":\"", self.number).append(to);
        to.extend_from_slice(b"\",");
        write_kind(self.kind, to);
        write_key("hello", self.hello, to);
        if let Some(DeadlineKey(text)) = &self.deadline {
            text.append(to);
        }
        if let Some(items) = self.stream {
            Digits::after(b",\"stream\":", u64::from(items)).append(to);
        }
    }
}

/// The key `deadline` and its value, written once for all requests that have the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeadlineKey(Digits);

impl DeadlineKey {
    pub(super) fn new(deadline: Duration) -> Self {
        let milliseconds = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        Self(Digits::after(b",\"deadline\":", milliseconds))
    }
}

/// How long a text before a number and the number may be together.
const LONGEST: usize = 32;

/// A short text and a number.
#[derive(Clone, Copy, Debug)]
struct Digits {
    /// They end in the middle, so that what begins at their start is as long as the longest, whatever follows it.
    text: [u8; 2 * LONGEST],
    start: u8,
}

impl Digits {
    #[inline]
    fn after<const N: usize>(text: &[u8; N], number: u64) -> Self {
        const { assert!(N + 20 <= LONGEST, "the longest number has twenty digits") };
        let mut digits = Self { text: [0; 2 * LONGEST], start: 0 };
        let (mut start, mut rest) = (LONGEST, number);
        loop {
            start -= 1;
            digits.text[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        digits.text[start - N..start].copy_from_slice(text);
        digits.start = (start - N) as u8;
        digits
    }

    /// Appends them. To copy as much as the longest and to take back what is too much is done without a call.
    #[inline]
    fn append(&self, to: &mut Vec<u8>) {
        let start = usize::from(self.start);
        let end = to.len() + LONGEST - start;
        to.extend_from_slice(&self.text[start..start + LONGEST]);
        to.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Envelope;

    #[test]
    fn numbers_are_written_and_read_back() {
        for number in [0, 7, 10, 12345, 9_999_999_999_999_999_999, u64::MAX] {
            let mut text = b"x".to_vec();
            Digits::after(b"\"", number).append(&mut text);
            text.push(b'"');
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text, format!("x\"{number}\""));
            assert_eq!(number_of(&text[1..]), Some(number));
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
            deadline: Some(DeadlineKey::new(Duration::from_secs(30))),
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
