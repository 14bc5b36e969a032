//! The envelope in any form that JSON allows, read by serde.

use super::{Envelope, FrameError, Kind, prefix};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    hello: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    deadline: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    more: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    topic: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// Reads a line; with an error comes the `id` of the line, as far as it can be made out.
pub(super) fn read(line: &str) -> Result<Envelope<'_>, (Option<&str>, FrameError)> {
    // serde would take an array for the fields in order.
    if line.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('[') {
        return Err((None, FrameError::NotAMessage { source: None }));
    }
    let fields: Fields<'_> = serde_json::from_str(line)
        .map_err(|source| (prefix::id(line.as_bytes()), FrameError::NotAMessage { source: Some(source) }))?;
    let id = fields.id.map(RawValue::get);
    let Some(name) = fields.kind else {
        return Err((id, FrameError::NotAMessage { source: None }));
    };
    let Some(kind) = Kind::named(&name) else {
        return Err((id, FrameError::UnknownType { kind: shortened(&name) }));
    };
    Ok(Envelope {
        kind,
        id,
        hello: fields.hello.map(RawValue::get),
        deadline: fields.deadline.map(RawValue::get),
        stream: fields.stream.map(RawValue::get),
        more: fields.more.map(RawValue::get),
        topic: fields.topic.map(RawValue::get),
        payload: fields.payload.map(RawValue::get),
    })
}

/// Enough of a name to recognise it by; it goes into an answer.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

/// Keeps `null` apart from an absent key, which serde's own `Option` does not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}
