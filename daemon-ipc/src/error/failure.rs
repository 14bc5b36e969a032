//! What an error reply says.

use crate::Json;
use daemon_core::with_sources;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, error::Error, fmt};

/// The codes this crate gives failures by itself. Handlers may use others.
pub mod code {
    /// A line is no message: not JSON, not UTF-8, without a type, or with an extension that cannot be read.
    pub const BAD_FRAME: &str = "bad_frame";
    /// A line is longer than the server accepts, or a reply than it sends.
    pub const FRAME_TOO_LONG: &str = "frame_too_long";
    /// A message is of a type that there is not.
    pub const UNKNOWN_TYPE: &str = "unknown_type";
    /// The connection's last line had no end.
    pub const UNTERMINATED: &str = "unterminated";
    /// The payload is not what the handler takes.
    pub const BAD_REQUEST: &str = "bad_request";
    /// The reply cannot be written as JSON.
    pub const BAD_REPLY: &str = "bad_reply";
    /// The handler panicked.
    pub const PANICKED: &str = "panicked";
    /// The request was given up by its sender.
    pub const CANCELLED: &str = "cancelled";
    /// The handler took longer than the request, or the server, allows.
    pub const DEADLINE_EXCEEDED: &str = "deadline_exceeded";
    /// The server is shutting down.
    pub const SHUTTING_DOWN: &str = "shutting_down";
    /// The server has as many connections as it takes.
    pub const BUSY: &str = "busy";
    /// The server does not talk to this user.
    pub const FORBIDDEN: &str = "forbidden";
    /// The answer has many items, and the request does not say that its sender can take them.
    pub const NOT_STREAMING: &str = "not_streaming";
    /// The connection took too long over a line, or nothing was said on it for too long.
    pub const IDLE: &str = "idle";
}

/// Why a request failed, as it is told to whoever asked: text for people, and for programs a code, a tag and data.
///
/// Any error converts into one, with its text and that of its sources: a handler can use `?`.
///
/// ```
/// use daemon_ipc::Failure;
///
/// let failure = Failure::new("no such room").with_code("unknown_room").with_data(&["general", "random"]);
/// assert_eq!(
///     serde_json::to_string(&failure)?,
///     r#"{"message":"no such room","code":"unknown_room","data":["general","random"]}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// What went wrong, for people.
    pub message: String,
    /// What went wrong, for programs: one of [`code`] or the handler's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'static, str>>,
    /// The name of the error's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Cow<'static, str>>,
    /// Whatever else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
}

impl Failure {
    /// A failure with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None, tag: None, data: None }
    }

    /// Gives it a code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Gives it a tag.
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<Cow<'static, str>>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Gives it data. What cannot be written as JSON is left out, and the text says so.
    #[must_use]
    pub fn with_data<T: Serialize + ?Sized>(mut self, data: &T) -> Self {
        match Json::of(data) {
            Ok(data) => self.data = Some(data),
            Err(error) => self.message = format!("{} (its data cannot be written: {error})", self.message),
        }
        self
    }

    /// Whether it has this code.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// With this code if `error` brought none of its own.
    pub(crate) fn of_code(code: &'static str, error: &dyn Error) -> Self {
        Self::new(with_sources(error)).with_code(code)
    }

    /// What the payload of an error reply says. A payload of another form is its own text.
    pub(crate) fn read(payload: Option<&str>) -> Self {
        let Some(payload) = payload else { return Self::new("the server gave no reason") };
        serde_json::from_str(payload).unwrap_or_else(|_| {
            #[derive(Deserialize)]
            struct Message {
                message: String,
            }
            // Somebody else's code, tag or data may be of other types.
            let message = serde_json::from_str(payload).map(|Message { message }| message);
            Self::new(message.unwrap_or_else(|_| payload.to_owned()))
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// `Failure` is no `Error` itself, or this could not be.
impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(with_sources(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_failure_is_what_peers_know() {
        assert_eq!(serde_json::to_string(&Failure::new("no")).unwrap(), r#"{"message":"no"}"#);
    }

    #[test]
    fn an_error_tells_its_sources() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open the store")]
        struct Outer(#[source] std::num::ParseIntError);
        let failure: Failure = Outer("x".parse::<u8>().unwrap_err()).into();
        assert_eq!(failure.message, "cannot open the store: invalid digit found in string");
    }

    #[test]
    fn any_payload_is_a_reason() {
        let told = |payload| Failure::read(payload).message;
        assert_eq!(told(Some(r#"{"message":"no","code":"x"}"#)), "no");
        assert_eq!(told(Some(r#"{"message":"no","code":7}"#)), "no");
        assert_eq!(told(Some(r#""no""#)), r#""no""#);
        assert_eq!(told(None), "the server gave no reason");
        assert_eq!(Failure::read(Some(r#"{"message":"no","data":[1]}"#)).data.unwrap().as_str(), "[1]");
    }

    #[test]
    fn data_that_is_no_json_is_told_of() {
        let failure = Failure::new("no").with_data(&std::collections::BTreeMap::from([((), 1)]));
        assert_eq!((failure.data, &*failure.message), (None, "no (its data cannot be written: key must be a string)"));
    }
}
