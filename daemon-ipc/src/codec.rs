//! Frames: one JSON object per line. Owns the buffer of unread bytes and the rules of a line; does no I/O and keeps no clock.
//!
//! Invariants:
//! 1. What comes out does not depend on how the bytes were split: bytes become text only when their line is complete.
//! 2. No byte is scanned for a newline twice, so a long line costs time in proportion to its length.
//! 3. Once [`Decoder::next`] has returned `None`, less than two of the longest frames is held, and next to nothing if no line is
//!    begun.
//! 4. A bad line costs itself only: the lines after it are read.

use crate::{Limits, Message};
use thiserror::Error;

#[cfg(test)]
mod tests;

/// How many bytes of room an idle decoder keeps, so that small messages need no allocation and one large message costs none for
/// ever.
const KEPT: usize = 64 * 1024;

/// Why a frame could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A line exceeds [`Limits::max_frame`]. A reader skips the rest of it; a writer has written nothing.
    #[error("frame exceeds the limit of {limit} bytes; split the payload, or raise `Limits::max_frame` at both ends")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line is not UTF-8.
    #[error("frame is not UTF-8 at byte {at}; send JSON as UTF-8, one object per line")]
    NotUtf8 {
        /// Where the first wrong byte is, counted from the start of the line.
        at: usize,
    },
    /// A line is JSON, or nearly, but not an envelope.
    #[error(
        "frame is not a message; send one JSON object per line with `type` (request, response or error), `id` and `payload`"
    )]
    NotAMessage {
        /// What the JSON parser says, if the line got as far as that.
        source: Option<serde_json::Error>,
    },
    /// The stream ended inside a line.
    #[error("stream ended inside a frame, after {held} of its bytes; end every message with a newline")]
    Unterminated {
        /// How many bytes of the line had arrived.
        held: usize,
    },
    /// A message cannot be written as JSON.
    #[error("message cannot be written as JSON")]
    NotJson {
        /// What the JSON writer says.
        source: serde_json::Error,
    },
}

/// Turns bytes into messages, however they arrive.
///
/// Push what was read, then take messages until there is none. Blank lines and blanks around a message are passed over.
/// Dropping a decoder drops the bytes of a line that was not complete; [`finish`](Self::finish) tells whether there was one.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    bytes: Vec<u8>,
    /// Where the next line starts in `bytes`.
    start: usize,
    /// Up to where that line is known to hold no newline; never before `start`.
    scanned: usize,
    /// The line at hand was reported as too long: pass over the rest of it.
    skipping: bool,
}

impl Decoder {
    /// An empty decoder.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, bytes: Vec::new(), start: 0, scanned: 0, skipping: false }
    }

    /// Adds bytes as they were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete message, or `None` until more bytes are pushed.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLong`], [`FrameError::NotUtf8`] and [`FrameError::NotAMessage`], once for each bad line; the lines
    /// after it can still be read.
    #[expect(clippy::should_implement_trait, reason = "`None` means not yet: an iterator would call it the end")]
    pub fn next(&mut self) -> Option<Result<Message, FrameError>> {
        loop {
            let Some(newline) = memchr::memchr(b'\n', &self.bytes[self.scanned..]) else {
                self.scanned = self.bytes.len();
                let outcome = self.check_unfinished_line();
                self.forget_what_was_read();
                return outcome.err().map(Err);
            };
            let end = self.scanned + newline;
            let line = self.start..end;
            self.start = end + 1;
            self.scanned = self.start;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if let Some(outcome) = read_line(&self.bytes[line], self.limits).transpose() {
                return Some(outcome);
            }
        }
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// [`FrameError::Unterminated`] if it ended inside a line, unless that line was reported as too long already. Complete
    /// messages that were not taken are dropped.
    pub fn finish(self) -> Result<(), FrameError> {
        let rest = &self.bytes[self.start..];
        let last_newline = memchr::memrchr(b'\n', rest);
        let line = &rest[last_newline.map_or(0, |at| at + 1)..];
        let reported = self.skipping && last_newline.is_none();
        if reported || line.trim_ascii().is_empty() {
            Ok(())
        } else {
            Err(FrameError::Unterminated { held: line.len() })
        }
    }

    /// Reports a line that is already too long once, and lets go of what is held of it.
    fn check_unfinished_line(&mut self) -> Result<(), FrameError> {
        let too_long = self.bytes.len() - self.start > self.limits.max_frame;
        if !too_long && !self.skipping {
            return Ok(());
        }
        self.start = self.bytes.len();
        if std::mem::replace(&mut self.skipping, true) {
            return Ok(());
        }
        Err(FrameError::TooLong { limit: self.limits.max_frame })
    }

    /// Frees the lines that were read. Moving the rest costs no more than was freed, so each byte moves once on average.
    fn forget_what_was_read(&mut self) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
        } else if self.start >= self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
        } else {
            return;
        }
        self.scanned -= self.start;
        self.start = 0;
    }
}

/// Appends a message and its newline to `to`.
///
/// ```
/// use daemon_ipc::{Limits, Message, encode};
///
/// let mut bytes = Vec::new();
/// encode(&Message::request("1", None), Limits::default(), &mut bytes)?;
/// assert_eq!(bytes, b"{\"id\":\"1\",\"type\":\"request\"}\n");
/// # Ok::<(), daemon_ipc::FrameError>(())
/// ```
///
/// # Errors
///
/// [`FrameError::TooLong`] if the message exceeds the limit, [`FrameError::NotJson`] if it cannot be written. `to` is then as
/// it was.
pub fn encode(message: &Message, limits: Limits, to: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = to.len();
    let written = serde_json::to_writer(&mut *to, message).map_err(|source| FrameError::NotJson { source });
    let outcome = written.and_then(|()| check_length(to.len() - start, limits));
    match outcome {
        Ok(()) => to.push(b'\n'),
        Err(_) => to.truncate(start),
    }
    outcome
}

/// A line without its newline; `None` if it is blank.
fn read_line(line: &[u8], limits: Limits) -> Result<Option<Message>, FrameError> {
    check_length(line.len(), limits)?;
    let text = std::str::from_utf8(line).map_err(|fault| FrameError::NotUtf8 { at: fault.valid_up_to() })?;
    match text.trim().as_bytes() {
        [] => Ok(None),
        // serde would take an array for the fields in order.
        [b'[', ..] => Err(FrameError::NotAMessage { source: None }),
        _ => serde_json::from_str(text.trim())
            .map(Some)
            .map_err(|source| FrameError::NotAMessage { source: Some(source) }),
    }
}

fn check_length(bytes: usize, limits: Limits) -> Result<(), FrameError> {
    if bytes > limits.max_frame { Err(FrameError::TooLong { limit: limits.max_frame }) } else { Ok(()) }
}
