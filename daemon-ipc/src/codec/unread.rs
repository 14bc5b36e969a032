//! An answer whose payload was not looked at. Who reads the payload as something finds out whether it is a value; to find it out before
//! would cost as much again.

use super::{BadFrame, Extensions, Frame, FrameError, parts::Part};
use crate::json;
use bytestring::ByteString;
use serde::de::DeserializeOwned;

/// A line that answers if its payload is a value.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    line: ByteString,
    id: Part,
    payload: Part,
}

/// An answer, looked at or not.
#[derive(Debug)]
pub(crate) enum Unread {
    Known(Box<Frame>),
    Answer(Answer),
}

/// Why a payload could not be read.
#[derive(Debug)]
pub(crate) enum Misread {
    /// It is something else.
    Payload(serde_json::Error),
    /// The line was no message.
    Frame(FrameError),
}

impl Answer {
    #[inline]
    pub(super) fn new(line: ByteString, id: Part, payload: Part) -> Self {
        Self { line, id, payload }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.of(&self.line)
    }

    /// Looks at all of it.
    pub(crate) fn check(self) -> Result<Frame, BadFrame> {
        Frame::read(self.line)
    }

    #[cold]
    fn read_otherwise<A: DeserializeOwned>(self) -> Result<A, Misread> {
        let frame = self.check().map_err(|bad| Misread::Frame(bad.error))?;
        // Nobody asked for what its other keys say, but they must say something.
        let _: Extensions = frame.extensions().map_err(Misread::Frame)?;
        read(frame.payload())
    }
}

impl Unread {
    /// Makes sure that it is a message.
    pub(crate) fn check(self) -> Result<Frame, BadFrame> {
        match self {
            Self::Known(frame) => Ok(*frame),
            Self::Answer(answer) => answer.check(),
        }
    }

    /// The payload as an `A`; that of a message without one is `null`.
    pub(crate) fn read<A: DeserializeOwned>(self) -> Result<A, Misread> {
        match self {
            // What is read as a whole is a value, whatever it is read as.
            Self::Answer(answer) => match read(answer.payload.of(&answer.line)) {
                Ok(value) => Ok(value),
                Err(_) => answer.read_otherwise(),
            },
            Self::Known(frame) => read(frame.payload()),
        }
    }
}

fn read<A: DeserializeOwned>(payload: Option<&str>) -> Result<A, Misread> {
    json::read(payload.unwrap_or("null")).map_err(Misread::Payload)
}
