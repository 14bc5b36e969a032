//! A message whose payload may not have been looked at. Who reads the payload as something finds out whether it is a value; to find it
//! out before would cost as much again.

use super::{BadFrame, Extensions, Frame, FrameError};
use crate::json;
use serde::de::DeserializeOwned;

/// A message that is what it seems to be if its payload is a value.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    frame: Frame,
    is_checked: bool,
}

/// Why a payload could not be read.
#[derive(Debug)]
pub(crate) enum Misread {
    /// It is something else.
    Payload(serde_json::Error),
    /// The line was no message.
    Frame(FrameError),
}

impl Unread {
    #[inline]
    pub(super) fn unchecked(frame: Frame) -> Self {
        Self { frame, is_checked: false }
    }

    pub(crate) fn checked(frame: Frame) -> Self {
        Self { frame, is_checked: true }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.frame.id()
    }

    /// What is known to be a message.
    pub(crate) fn known(&self) -> Option<&Frame> {
        self.is_checked.then_some(&self.frame)
    }

    /// Makes sure that it is a message.
    pub(crate) fn check(self) -> Result<Frame, BadFrame> {
        if self.is_checked { Ok(self.frame) } else { self.frame.read_again() }
    }

    /// The payload as an `A`; that of a message without one is `null`.
    pub(crate) fn read<A: DeserializeOwned>(self) -> Result<A, Misread> {
        // What is read as a whole is a value, whatever it is read as.
        match json::read(self.frame.payload().unwrap_or("null")) {
            Ok(value) => Ok(value),
            Err(error) => self.read_otherwise(error),
        }
    }

    #[cold]
    fn read_otherwise<A: DeserializeOwned>(self, error: serde_json::Error) -> Result<A, Misread> {
        if self.is_checked {
            return Err(Misread::Payload(error));
        }
        let frame = self.check().map_err(|bad| Misread::Frame(bad.error))?;
        // Nobody asked for what its other keys say, but they must say something.
        let _: Extensions = frame.extensions().map_err(Misread::Frame)?;
        json::read(frame.payload().unwrap_or("null")).map_err(Misread::Payload)
    }
}
