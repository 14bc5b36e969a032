//! A payload on its way out. Owns writing it once: if nothing else waits to be written, it is not moved for the envelope around it.

use crate::{
    FrameError, Json, Limits,
    codec::{Head, encode_head, encode_raw, encode_without_payload},
    json,
    outbox::Outbox,
    spare,
};
use serde::Serialize;

/// Room for what comes before a payload on its line.
const HEADROOM: usize = 64;

#[derive(Debug, Default)]
pub(crate) enum Body {
    #[default]
    Empty,
    /// JSON that follows [`HEADROOM`] bytes.
    Written(Vec<u8>),
    Shared(Json),
}

impl Body {
    /// `value` as JSON.
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        let mut bytes = spare::take_output();
        bytes.extend_from_slice(&[b' '; HEADROOM]);
        json::write(value, &mut bytes)?;
        Ok(Self::Written(bytes))
    }

    /// Puts a message with this payload in the outbox.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLong`]; the outbox is then as it was.
    pub(crate) fn write(self, head: &impl Head, limits: &Limits, outbox: &mut Outbox) -> Result<(), FrameError> {
        match self {
            Self::Empty => encode_without_payload(head, limits, outbox.buffer()),
            Self::Shared(json) => encode_raw(head, json.as_str().as_bytes(), limits, outbox.buffer()),
            Self::Written(bytes) if outbox.is_empty() => write_around(head, bytes, limits, outbox),
            Self::Written(bytes) => {
                let written = encode_raw(head, payload(&bytes), limits, outbox.buffer());
                spare::give_output(bytes);
                written
            }
        }
    }
}

fn payload(bytes: &[u8]) -> &[u8] {
    bytes.get(HEADROOM..).unwrap_or_default()
}

/// Writes the envelope before and after a payload where the payload is.
fn write_around(head: &impl Head, mut bytes: Vec<u8>, limits: &Limits, outbox: &mut Outbox) -> Result<(), FrameError> {
    // What comes before is written after it, and moved, so that it needs no buffer of its own.
    let end = bytes.len();
    encode_head(head, &mut bytes);
    let written = end..bytes.len();
    let Some(start) = HEADROOM.checked_sub(written.len()) else {
        bytes.truncate(end);
        return encode_raw(head, payload(&bytes), limits, outbox.buffer());
    };
    if end + b"}".len() - start > limits.max_frame {
        return Err(FrameError::TooLong { limit: limits.max_frame });
    }
    bytes.copy_within(written, start);
    bytes.truncate(end);
    bytes.extend_from_slice(b"}\n");
    outbox.append(bytes, start);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Envelope, Kind};

    fn written(text: &str, id: &str, limits: &Limits) -> Result<String, FrameError> {
        let mut outbox = Outbox::default();
        let envelope = Envelope { id: Some(id), ..Envelope::new(Kind::Response) };
        Body::of(text).unwrap().write(&envelope, limits, &mut outbox)?;
        let alone = String::from_utf8_lossy(outbox.waiting()).into_owned();
        Body::of(text).unwrap().write(&envelope, limits, &mut outbox)?;
        assert_eq!(outbox.waiting(), alone.repeat(2).as_bytes());
        Ok(alone)
    }

    #[test]
    fn a_payload_of_any_size_is_written_inside_its_envelope() {
        for length in [0, 10, 4096, 100_000] {
            let text = "x".repeat(length);
            for id in ["1", &format!("\"{}\"", "i".repeat(24)), &format!("\"{}\"", "i".repeat(60))] {
                let expected = format!("{{\"id\":{id},\"type\":\"response\",\"payload\":\"{text}\"}}\n");
                let exact = Limits::default().with_max_frame(expected.len() - 1);
                assert_eq!(written(&text, id, &exact).unwrap(), expected);
                let short = exact.with_max_frame(expected.len() - 2);
                assert!(matches!(written(&text, id, &short), Err(FrameError::TooLong { .. })));
            }
        }
    }
}
