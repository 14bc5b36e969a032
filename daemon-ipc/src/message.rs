//! The envelope. Owns its three keys and which of them may be absent; knows nothing about frames or payloads.
//!
//! The form is that of `@outfitter/daemon` 0.2, so that its clients and servers can be talked to: `id` is any JSON value and is
//! echoed as it came, a missing `id` or `payload` stays missing (which is not the same as `null`), and keys this version
//! does not know are passed over, so that either end may say more than the other understands.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Asks for something; whoever receives it answers with one of the other two.
    Request,
    /// Answers the request of the same `id`.
    Response,
    /// Answers the request of the same `id`: it failed. The payload holds a `message`.
    Error,
}

/// One message of either direction.
///
/// ```
/// use daemon_ipc::Message;
/// use serde_json::json;
///
/// let request: Message = serde_json::from_value(json!({"id": "7-a", "type": "request", "payload": {"type": "status"}}))?;
/// let reply = request.reply(Some(json!({"status": "ok"})));
/// assert_eq!(serde_json::to_string(&reply)?, r#"{"id":"7-a","type":"response","payload":{"status":"ok"}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// What ties an answer to its request; chosen by the one who asks, echoed unchanged.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// Written as `type`.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What is asked or answered; absent when there is nothing to say.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

impl Message {
    /// A request.
    pub fn request(id: impl Into<Value>, payload: Option<Value>) -> Self {
        Self { id: Some(id.into()), kind: Kind::Request, payload }
    }

    /// The answer to `self`: it worked.
    #[must_use]
    pub fn reply(&self, payload: Option<Value>) -> Self {
        Self { id: self.id.clone(), kind: Kind::Response, payload }
    }

    /// The answer to `self`: it failed, and `text` says why.
    ///
    /// ```
    /// # use daemon_ipc::Message;
    /// let reply = Message::request(1, None).reply_error("no such room");
    /// assert_eq!(reply.error_text(), Some("no such room"));
    /// ```
    #[must_use]
    pub fn reply_error(&self, text: impl Into<String>) -> Self {
        Self { id: self.id.clone(), kind: Kind::Error, payload: Some(json!({ "message": text.into() })) }
    }

    /// Why the request failed, if this is an error that says so.
    #[must_use]
    pub fn error_text(&self) -> Option<&str> {
        match self.kind {
            Kind::Error => self.payload.as_ref()?.get("message")?.as_str(),
            Kind::Request | Kind::Response => None,
        }
    }
}

/// Keeps `null` apart from an absent key, which serde's own `Option` does not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Message {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn keys_are_written_in_the_order_peers_know() {
        let text = r#"{"id":"1-a","type":"request","payload":{"a":1}}"#;
        assert_eq!(serde_json::to_string(&read(text)).unwrap(), text);
    }

    #[test]
    fn an_id_may_be_any_value_and_is_echoed() {
        for id in ["7", "null", "[1]", r#"{"a":1}"#, r#""""#, "true"] {
            let reply = read(&format!(r#"{{"id":{id},"type":"request"}}"#)).reply(None);
            assert_eq!(serde_json::to_string(&reply).unwrap(), format!(r#"{{"id":{id},"type":"response"}}"#));
        }
    }

    #[test]
    fn what_is_absent_stays_absent() {
        let message = read(r#"{"type":"request"}"#);
        assert_eq!((&message.id, &message.payload), (&None, &None));
        assert_eq!(serde_json::to_string(&message.reply(None)).unwrap(), r#"{"type":"response"}"#);
    }

    #[test]
    fn null_is_a_payload() {
        assert_eq!(read(r#"{"type":"request","payload":null}"#).payload, Some(Value::Null));
    }

    #[test]
    fn unknown_keys_are_passed_over() {
        let message = read(r#"{"id":1,"hello":{"version":9},"type":"request","payload":2,"trace":[]}"#);
        assert_eq!(message, Message::request(1, Some(json!(2))));
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_ones_there_are() {
        let fault = serde_json::from_str::<Message>(r#"{"type":"cancel"}"#).unwrap_err().to_string();
        assert!(fault.contains("`cancel`") && fault.contains("`request`, `response`, `error`"), "{fault}");
    }

    #[test]
    fn only_an_error_has_an_error_text() {
        assert_eq!(read(r#"{"type":"error","payload":{"message":"no"}}"#).error_text(), Some("no"));
        assert_eq!(read(r#"{"type":"error","payload":"no"}"#).error_text(), None);
        assert_eq!(read(r#"{"type":"error"}"#).error_text(), None);
        assert_eq!(read(r#"{"type":"response","payload":{"message":"no"}}"#).error_text(), None);
    }
}
