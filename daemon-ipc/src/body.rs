//! A payload on its way out. Owns writing it once: a large one is not moved for the envelope around it.

use crate::{
    Envelope, FrameError, Json, Limits,
    codec::{encode, encode_raw},
    json,
    outbox::Outbox,
    spare,
};
use serde::Serialize;

/// Room for what comes before a payload on its line.
const HEADROOM: usize = 64;

/// Payloads from here on are not copied if that can be helped.
const LARGE: usize = 4096;

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
    pub(crate) fn write(self, envelope: &Envelope<'_>, limits: &Limits, outbox: &mut Outbox) -> Result<(), FrameError> {
        match self {
            Self::Empty => encode(envelope, limits, outbox.buffer()),
            Self::Shared(json) => {
                encode(&Envelope { payload: Some(json.as_str()), ..*envelope }, limits, outbox.buffer())
            }
            Self::Written(bytes) if bytes.len() >= LARGE && outbox.is_empty() => {
                write_around(envelope, bytes, limits, outbox)
            }
            Self::Written(bytes) => {
                let written = encode_raw(envelope, payload(&bytes), limits, outbox.buffer());
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
fn write_around(
    envelope: &Envelope<'_>,
    mut bytes: Vec<u8>,
    limits: &Limits,
    outbox: &mut Outbox,
) -> Result<(), FrameError> {
    let mut head = Vec::with_capacity(2 * HEADROOM);
    encode_raw(envelope, b"", &Limits::boundless(), &mut head)?;
    head.truncate(head.len() - b"}\n".len());
    let Some(start) = HEADROOM.checked_sub(head.len()) else {
        return encode_raw(envelope, payload(&bytes), limits, outbox.buffer());
    };
    bytes.push(b'}');
    if bytes.len() - start > limits.max_frame {
        return Err(FrameError::TooLong { limit: limits.max_frame });
    }
    bytes.push(b'\n');
    bytes[start..HEADROOM].copy_from_slice(&head);
    outbox.append(bytes, start);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn written(text: &str, id: &str, limits: &Limits) -> Result<String, FrameError> {
        let mut outbox = Outbox::default();
        let body = Body::of(text).unwrap();
        body.write(&Envelope { id: Some(id), ..Envelope::new(Kind::Response) }, limits, &mut outbox)?;
        Ok(String::from_utf8_lossy(outbox.waiting()).into_owned())
    }

    #[test]
    fn a_large_payload_is_written_as_a_small_one_is() {
        for length in [0, 10, LARGE - HEADROOM - 3, LARGE - HEADROOM - 2, LARGE, 100_000] {
            let text = "x".repeat(length);
            for id in ["1", &format!("\"{}\"", "i".repeat(60))] {
                let expected = format!("{{\"id\":{id},\"type\":\"response\",\"payload\":\"{text}\"}}\n");
                let exact = Limits::default().with_max_frame(expected.len() - 1);
                assert_eq!(written(&text, id, &exact).unwrap(), expected);
                let short = exact.with_max_frame(expected.len() - 2);
                assert!(matches!(written(&text, id, &short), Err(FrameError::TooLong { .. })));
            }
        }
    }
}
