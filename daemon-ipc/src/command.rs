//! What is said of the commands and the events of a host: how they are asked for, and what errors and events look like. Both ends.

use crate::{Failure, Json};
use daemon_core::CallError;
use daemon_core::with_sources;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use serde_json::{Value, value::RawValue};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The tag of failures that are call errors.
const TAG: &str = "CallError";

/// A request for a command, as it is sent.
#[derive(Debug)]
pub(crate) struct Ask<'a, Q: ?Sized> {
    pub(crate) daemon: &'a str,
    pub(crate) command: &'a str,
    pub(crate) request: &'a Q,
}

impl<Q: Serialize + ?Sized> Serialize for Ask<'_, Q> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut ask = serializer.serialize_struct("Ask", 2)?;
        ask.serialize_field("command", &format_args!("{}.{}", self.daemon, self.command))?;
        ask.serialize_field("request", self.request)?;
        ask.end()
    }
}

/// A request for events, as it is sent.
#[derive(Debug, Serialize)]
pub(crate) struct Subscribe<'a> {
    pub(crate) subscribe: &'a str,
}

/// What a host can be asked, as it is received.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked<'a> {
    pub(crate) command: Option<String>,
    #[serde(borrow)]
    pub(crate) request: Option<&'a RawValue>,
    pub(crate) subscribe: Option<String>,
}

/// An event of a host, as those hear of it who [subscribe](crate::Connection::subscribe) from another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// The topic it was published under.
    pub topic: String,
    /// When it was published, in milliseconds since the beginning of 1970, UTC.
    pub time: u64,
    /// The daemon that published it.
    pub publisher: String,
    /// The event; `None` for one that never leaves its process, and for one that cannot be written as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Json>,
    /// How many events were lost before this one, because they were not read fast enough.
    #[serde(default)]
    pub missed: u64,
}

impl Published {
    /// When it was published.
    #[must_use]
    pub fn published_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.time)
    }
}

/// A call error, as it is told.
pub(crate) fn failure_of(error: &CallError) -> Failure {
    #[derive(Deserialize)]
    struct Parts {
        code: String,
        data: Value,
    }
    let failure = Failure::new(with_sources(error)).with_tag(TAG);
    match serde_json::to_value(error).and_then(serde_json::from_value) {
        Ok(Parts { code, data }) => failure.with_code(code).with_data(&data),
        Err(_) => failure, // text can always be told
    }
}

/// The call error that was told, if it was one.
pub(crate) fn call_error_of(failure: &Failure) -> Option<CallError> {
    #[derive(Serialize)]
    struct Parts<'a> {
        code: &'a str,
        data: &'a Json,
    }
    if failure.tag.as_deref() != Some(TAG) {
        return None;
    }
    let parts = Parts { code: failure.code.as_deref()?, data: failure.data.as_ref()? };
    serde_json::to_value(&parts).and_then(serde_json::from_value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_asked_for_by_its_daemon_and_its_name() {
        let ask = Ask { daemon: "user", command: "stats", request: &[1, 2] };
        let text = serde_json::to_string(&ask).unwrap();
        assert_eq!(text, r#"{"command":"user.stats","request":[1,2]}"#);
        let asked: Asked<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!((asked.command.as_deref(), asked.request.map(RawValue::get)), (Some("user.stats"), Some("[1,2]")));
    }

    #[test]
    fn a_call_error_is_a_failure_and_the_same_error_again() {
        let error = CallError::Unavailable { daemon: "user".to_owned(), state: "backoff".to_owned() };
        let failure = failure_of(&error);
        assert_eq!(
            serde_json::to_string(&failure).unwrap(),
            r#"{"message":"daemon `user` is backoff","code":"unavailable","tag":"CallError","data":{"daemon":"user","state":"backoff"}}"#
        );
        let heard = call_error_of(&failure).unwrap();
        assert!(heard.is_unavailable() && heard.to_string() == error.to_string(), "{heard:?}");
        assert!(call_error_of(&Failure::new("no").with_code("unavailable")).is_none(), "it is somebody else's");
    }
}
