//! From bytes to messages. Owns the buffer of unread bytes and the rules of a line.
//!
//! Short lines leave that buffer together, as text of their own that they share; a long one leaves it by itself.
//!
//! Invariants:
//! 1. What comes out does not depend on how the bytes were split: bytes become text only when their line is complete.
//! 2. No byte is scanned for a newline twice, so a long line costs time in proportion to its length.
//! 3. Once [`Decoder::next`] has returned `None`, no more than the longest frame is held.
//! 4. A message holds no more than four times its length, or a few KiB.
//! 5. A bad line costs itself only: the lines after it are read.

use super::{Answer, BadFrame, Frame, FrameError, prefix};
use crate::{Json, Limits, spare};
use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

/// How much room there is for a read at least.
const LEAST_ROOM: usize = 16 * 1024;

/// How much is asked for when there is less: a payload of 64 KiB with its envelope, and a little more.
const ROOM: usize = 96 * 1024;

/// The longest line there can be: where its parts are is told in 32 bits.
const LONGEST: usize = u32::MAX as usize;

/// What the memory takes that short lines share.
const CHUNK: usize = 4096;

/// A line that is no smaller part of the buffer than this shares it.
const SHARE: usize = 4;

/// Turns bytes into messages, however they arrive.
///
/// Push what was read, then take messages until there is none. Blank lines and blanks around a message are passed over.
/// Dropping a decoder drops the bytes of a line that was not complete; [`finish`](Self::finish) tells whether there was one.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    bytes: BytesMut,
    /// Up to where `bytes` is known to hold no newline.
    scanned: usize,
    /// The line at hand was reported as too long: pass over the rest of it.
    skipping: bool,
    /// The length of the last line for which the buffer had to grow; the next one that is as long costs one step.
    long: usize,
    /// How many bytes the buffer takes, roughly; what is left of it after a message may be little. None while there is none.
    size: usize,
    /// Whether as much came lately as a buffer for little takes.
    much: bool,
    /// Whole lines that were taken out of `bytes` together, and how much of them was read.
    lines: ByteString,
    read: usize,
    /// Where the next ones are copied to.
    chunk: BytesMut,
}

impl Decoder {
    /// An empty decoder.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            limit: limits.max_frame.min(LONGEST),
            bytes: BytesMut::new(),
            scanned: 0,
            skipping: false,
            long: 0,
            size: 0,
            much: false,
            lines: ByteString::new(),
            read: 0,
            chunk: BytesMut::new(),
        }
    }

    /// Adds bytes as they were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete message, or `None` until more bytes are pushed.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLong`], [`FrameError::NotUtf8`], [`FrameError::NotAMessage`] and [`FrameError::UnknownType`], once for
    /// each bad line; the lines after it can still be read.
    #[expect(clippy::should_implement_trait, reason = "`None` means not yet: an iterator would call it the end")]
    pub fn next(&mut self) -> Option<Result<Frame, BadFrame>> {
        loop {
            if self.has_short_lines() {
                if let Some(outcome) = self.next_short() {
                    return Some(outcome);
                }
                continue;
            }
            if self.scanned == self.bytes.len() {
                return None;
            }
            let Some(newline) = memchr::memchr(b'\n', &self.bytes[self.scanned..]) else {
                self.scanned = self.bytes.len();
                return self.check_unfinished_line().err().map(Err);
            };
            let length = self.scanned + newline;
            self.scanned = 0;
            if std::mem::take(&mut self.skipping) {
                self.bytes.advance(length + 1);
                continue;
            }
            if let Some(outcome) = self.read_line(length).transpose() {
                return Some(outcome);
            }
        }
    }

    /// The next message, if it is short and answers something. Whether its payload is a value is known only when it is read.
    pub(crate) fn next_answer(&mut self) -> Option<Answer> {
        if !self.has_short_lines() {
            return None;
        }
        let rest = &self.lines.as_bytes()[self.read..];
        let length = memchr::memchr(b'\n', rest).filter(|length| *length <= self.limit)?;
        let (id, payload) = prefix::read_answer(&rest[..length])?;
        let line = self.lines.slice_ref(&self.lines[self.read..self.read + length]);
        self.read += length + 1;
        Some(Answer::new(line, id, payload))
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// [`FrameError::Unterminated`] if it ended inside a line, unless that line was reported as too long already. Complete
    /// messages that were not taken are dropped.
    pub fn finish(self) -> Result<(), BadFrame> {
        let last_newline = memchr::memrchr(b'\n', &self.bytes);
        let line = &self.bytes[last_newline.map_or(0, |at| at + 1)..];
        let reported = self.skipping && last_newline.is_none();
        if reported || is_blank(line) {
            Ok(())
        } else {
            Err(BadFrame { id: id_of(line), error: FrameError::Unterminated { held: line.len() } })
        }
    }

    /// Whether a line has begun and not ended. Meant for when [`next`](Self::next) has returned `None`.
    pub(crate) fn has_begun(&self) -> bool {
        !self.bytes.is_empty() || self.skipping || self.read < self.lines.len()
    }

    /// The bytes that no message was made of yet.
    pub(crate) fn held(&self) -> &[u8] {
        &self.bytes
    }

    #[cfg(test)]
    pub(super) fn scanned(&self) -> usize {
        self.scanned
    }

    /// How many bytes of short lines are held.
    #[cfg(test)]
    pub(super) fn held_lines(&self) -> usize {
        self.lines.len()
    }

    /// Takes them out.
    pub(crate) fn take_held(&mut self) -> Bytes {
        self.scanned = 0;
        self.bytes.split().freeze()
    }

    /// The buffer to read into, with room for a read.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        let held = self.bytes.len();
        // Begin at the front again, or with another buffer, if a message that was read there is still held.
        let is_used_up = held == 0 && self.size > 0 && self.bytes.capacity() < self.size / 2;
        if is_used_up && !self.bytes.try_reclaim(self.size) {
            (self.bytes, self.size) = (BytesMut::new(), 0);
        }
        if self.bytes.capacity() - held < LEAST_ROOM {
            let expected = if held > LEAST_ROOM { self.long.saturating_sub(held) } else { 0 };
            let more = held.max(expected).clamp(ROOM, self.limit.max(ROOM));
            self.size = self.size.max(held + more);
            self.bytes.reserve(more);
        }
        &mut self.bytes
    }

    /// Whether so much is to be read that it should not be moved.
    pub(crate) fn expects_much(&self) -> bool {
        self.much || !self.bytes.is_empty()
    }

    /// So many bytes were read.
    pub(crate) fn has_come(&mut self, read: usize) -> usize {
        self.much = read >= spare::SCRATCH;
        read
    }

    /// Gives it a buffer to read into, if it has none: the buffer and how many bytes it takes.
    pub(crate) fn lend(&mut self, spare: impl FnOnce() -> (BytesMut, usize)) {
        if self.size == 0 {
            (self.bytes, self.size) = spare();
        }
    }

    /// Takes the buffer away, if there is one and nothing is held in it.
    pub(crate) fn take_back(&mut self) -> Option<(BytesMut, usize)> {
        if self.read == self.lines.len() {
            (self.lines, self.read) = (ByteString::new(), 0);
        }
        if self.chunk.capacity() > 0 {
            spare::give_chunk(std::mem::take(&mut self.chunk));
        }
        let is_spare = self.bytes.is_empty() && self.size > 0;
        is_spare.then(|| (std::mem::take(&mut self.bytes), std::mem::take(&mut self.size)))
    }

    /// Whether there are short lines that were taken out, or can be.
    #[inline]
    fn has_short_lines(&mut self) -> bool {
        self.read < self.lines.len() || self.scanned == 0 && !self.bytes.is_empty() && self.take_short_lines()
    }

    /// Takes out the whole lines at the front that are short, if they are text. Whether there are any. Nothing was scanned before.
    fn take_short_lines(&mut self) -> bool {
        if self.skipping {
            return false;
        }
        let front = &self.bytes[..self.bytes.len().min(CHUNK)];
        let Some(last) = memchr::memrchr(b'\n', front) else { return false };
        let lines = &front[..=last];
        if self.chunk.capacity() < lines.len() {
            self.chunk = spare::take_chunk();
            self.chunk.reserve(if self.chunk.capacity() < lines.len() { CHUNK } else { 0 });
        }
        self.chunk.extend_from_slice(lines);
        let taken = ByteString::try_from(self.chunk.split().freeze());
        let Ok(lines) = taken.or_else(|fault| self.lines_before(fault.valid_up_to()).ok_or(fault)) else {
            return false;
        };
        self.bytes.advance(lines.len());
        (self.lines, self.read) = (lines, 0);
        true
    }

    /// The whole lines at the front that end before a byte that is no text. The line of that one stays, to be read by itself; if they stayed
    /// with it, all of them would be looked at anew for each.
    #[cold]
    fn lines_before(&self, fault: usize) -> Option<ByteString> {
        let last = memchr::memrchr(b'\n', &self.bytes[..fault])?;
        std::str::from_utf8(&self.bytes[..=last]).map(ByteString::from).ok()
    }

    /// The next of the short lines that were taken out; `None` if it is blank.
    fn next_short(&mut self) -> Option<Result<Frame, BadFrame>> {
        let rest = &self.lines.as_bytes()[self.read..];
        // In the usual form, it is looked at once for where it ends and for what it says.
        let message = prefix::read(rest).filter(|(_, length)| rest.get(*length) == Some(&b'\n'));
        let (parts, length) = match message {
            Some((parts, length)) => (Some(parts), length),
            None => (None, memchr::memchr(b'\n', rest).unwrap_or(rest.len())),
        };
        let start = self.read;
        self.read += length + 1;
        let line = &self.lines[start..start + length];
        if length > self.limit {
            return Some(Err(self.too_long(id_of(line.as_bytes()))));
        }
        let text = self.lines.slice_ref(line);
        match parts {
            Some(parts) => Some(Ok(Frame::new(text, parts))),
            None => read_text(text).transpose(),
        }
    }

    fn too_long(&self, id: Option<Json>) -> BadFrame {
        BadFrame { id, error: FrameError::TooLong { limit: self.limit } }
    }

    /// The line of this length at the front; `None` if it is blank.
    fn read_line(&mut self, length: usize) -> Result<Option<Frame>, BadFrame> {
        if length > self.limit {
            let id = id_of(&self.bytes[..length]);
            self.bytes.advance(length + 1);
            return Err(self.too_long(id));
        }
        if length > ROOM {
            self.long = length;
        }
        read_text(self.take_text(length)?)
    }

    /// Takes out the line of this length at the front. Whoever keeps it keeps memory in proportion to it: a line that is little of the
    /// buffer is copied, and not shared with it.
    fn take_text(&mut self, length: usize) -> Result<ByteString, BadFrame> {
        if length < self.size.max(self.bytes.len()) / SHARE {
            let line = &self.bytes[..length];
            let text = checked(Bytes::copy_from_slice(line), || id_of(line));
            self.bytes.advance(length + 1);
            return text;
        }
        let line = self.bytes.split_to(length).freeze();
        self.bytes.advance(1);
        checked(line.clone(), || id_of(&line))
    }

    /// Reports a line that is already too long once, and lets go of what is held of it.
    fn check_unfinished_line(&mut self) -> Result<(), BadFrame> {
        let too_long = self.bytes.len() > self.limit;
        if !too_long && !self.skipping {
            return Ok(());
        }
        let id = if self.skipping { None } else { id_of(&self.bytes) };
        self.bytes.advance(self.bytes.len());
        self.scanned = 0;
        if std::mem::replace(&mut self.skipping, true) {
            return Ok(());
        }
        Err(self.too_long(id))
    }
}

/// A line as a message; `None` if it is blank.
fn read_text(line: ByteString) -> Result<Option<Frame>, BadFrame> {
    if line.starts_with('{') || !is_blank(line.as_bytes()) { Frame::read(line).map(Some) } else { Ok(None) }
}

/// Whether there is nothing but what JSON calls blank.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// A line as text.
fn checked(line: Bytes, id: impl FnOnce() -> Option<Json>) -> Result<ByteString, BadFrame> {
    let not_text =
        |fault: std::str::Utf8Error| BadFrame { id: id(), error: FrameError::NotUtf8 { at: fault.valid_up_to() } };
    ByteString::try_from(line).map_err(not_text)
}

/// Copied, since it may be little of much.
fn id_of(line: &[u8]) -> Option<Json> {
    prefix::id(line).and_then(|id| id.parse().ok())
}
