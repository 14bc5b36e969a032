//! The envelope. Owns its keys and which of them may be absent; knows nothing about lines or payloads.
//!
//! The form is that of `@outfitter/daemon` 0.2, so that its clients and servers can be talked to: `id` is any JSON value and is
//! echoed as it came, a missing `id` or `payload` stays missing (which is not the same as `null`), and keys this version
//! does not know are passed over, so that either end may say more than the other understands.

use super::{FrameError, fields, prefix};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Asks for something; whoever receives it answers with one of the next two.
    Request,
    /// Answers the request of the same `id`.
    Response,
    /// Answers the request of the same `id`: it failed. The payload holds a `message`.
    Error,
    /// Gives up the request of the same `id`. An extension.
    Cancel,
    /// Lets the request of the same `id` be answered with more items. An extension.
    Credit,
    /// Tells of something that nobody asked for at this moment. An extension.
    Event,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Request, Self::Response, Self::Error, Self::Cancel, Self::Credit, Self::Event];

    /// What the key `type` says.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Error => "error",
            Self::Cancel => "cancel",
            Self::Credit => "credit",
            Self::Event => "event",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One message, each part but its kind as JSON text.
///
/// ```
/// use daemon_ipc::{Envelope, Kind};
///
/// let envelope = Envelope::parse(r#"{"payload": {"a": 1.50}, "type": "request", "id": "7-a"}"#)?;
/// assert_eq!(envelope, Envelope { id: Some("\"7-a\""), payload: Some("{\"a\": 1.50}"), ..Envelope::new(Kind::Request) });
/// # Ok::<(), daemon_ipc::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Written as `type`.
    pub kind: Kind,
    /// What ties an answer to its request; chosen by the one who asks, echoed unchanged.
    pub id: Option<&'a str>,
    /// The extensions its sender knows; an object. See [`Hello`](super::Hello).
    pub hello: Option<&'a str>,
    /// In how many milliseconds the answer is worth nothing.
    pub deadline: Option<&'a str>,
    /// How many items the sender can take in answer.
    pub stream: Option<&'a str>,
    /// `true` if another answer to the same request follows.
    pub more: Option<&'a str>,
    /// What an event is about; a string.
    pub topic: Option<&'a str>,
    /// What is asked or answered; absent when there is nothing to say.
    pub payload: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    /// A message of a kind, all else absent.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self { kind, id: None, hello: None, deadline: None, stream: None, more: None, topic: None, payload: None }
    }

    /// Reads a line without its newline.
    ///
    /// # Errors
    ///
    /// [`FrameError::NotAMessage`] and [`FrameError::UnknownType`].
    pub fn parse(line: &'a str) -> Result<Self, FrameError> {
        match prefix::read(line.as_bytes()) {
            Some((parts, length)) if length == line.len() => Ok(parts.of(line)),
            _ => fields::read(line).map_err(|(_, error)| error),
        }
    }
}
