//! Writing answers into the outbox.

use super::handler::{Body, HEADROOM, Reply};
use crate::{
    BadFrame, Envelope, Failure, FrameError, Kind, Limits, code,
    codec::{encode, encode_raw, encode_value},
    outbox::Outbox,
};

/// Payloads from here on are not copied if that can be helped.
const LARGE: usize = 4096;

/// Whom an answer is for, and whether it answers a greeting too.
#[derive(Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) hello: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn envelope(self, kind: Kind) -> Envelope<'a> {
        Envelope { id: self.id, hello: self.hello, ..Envelope::new(kind) }
    }
}

/// Answers what a handler replied. A reply that is too long is answered as a failure.
pub(super) fn write_reply(outbox: &mut Outbox, to: Address<'_>, reply: Reply, limits: &Limits) {
    let envelope = to.envelope(Kind::Response);
    let written = match reply.into_body() {
        Body::Empty => encode(&envelope, limits, outbox.buffer()),
        Body::Shared(json) => encode(&Envelope { payload: Some(json.as_str()), ..envelope }, limits, outbox.buffer()),
        Body::Written(bytes) if bytes.len() >= LARGE && outbox.is_empty() => {
            write_around(outbox, &envelope, bytes, limits)
        }
        Body::Written(bytes) => {
            encode_raw(&envelope, bytes.get(HEADROOM..).unwrap_or_default(), limits, outbox.buffer())
        }
    };
    if let Err(error) = written {
        write_failure(outbox, to, &Failure::of_code(code::FRAME_TOO_LONG, &error));
    }
}

/// Writes the envelope before and after a payload where the payload is.
fn write_around(
    outbox: &mut Outbox,
    envelope: &Envelope<'_>,
    mut bytes: Vec<u8>,
    limits: &Limits,
) -> Result<(), FrameError> {
    let mut head = Vec::with_capacity(HEADROOM);
    encode_raw(envelope, b"", &Limits::boundless(), &mut head)?;
    head.truncate(head.len() - b"}\n".len());
    let Some(start) = HEADROOM.checked_sub(head.len()) else {
        return encode_raw(envelope, bytes.get(HEADROOM..).unwrap_or_default(), limits, outbox.buffer());
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

/// Answers a failure, whatever the limits say: it is better told than kept. Text and JSON can always be written.
pub(super) fn write_failure(outbox: &mut Outbox, to: Address<'_>, failure: &Failure) {
    let envelope = to.envelope(Kind::Error);
    let limits = Limits::boundless();
    if let Err(error) = encode_value(&envelope, failure, &limits, outbox.buffer()) {
        tracing::error!(%error, %failure, "cannot tell a failure");
    }
}

/// Answers a line that is no message.
pub(super) fn write_bad_frame(outbox: &mut Outbox, bad: &BadFrame) {
    let code = match bad.error {
        FrameError::TooLong { .. } => code::FRAME_TOO_LONG,
        FrameError::UnknownType { .. } => code::UNKNOWN_TYPE,
        FrameError::Unterminated { .. } => code::UNTERMINATED,
        _ => code::BAD_FRAME,
    };
    let to = Address { id: bad.id.as_ref().map(crate::Json::as_str), hello: None };
    write_failure(outbox, to, &Failure::of_code(code, &bad.error));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: Reply, id: &str, limits: &Limits) -> String {
        let mut outbox = Outbox::default();
        write_reply(&mut outbox, Address { id: Some(id), hello: None }, reply, limits);
        outbox.waiting_text()
    }

    #[test]
    fn a_large_reply_is_written_as_a_small_one_is() {
        for length in [0, 10, LARGE - HEADROOM - 3, LARGE - HEADROOM - 2, LARGE, 100_000] {
            let text = "x".repeat(length);
            for id in ["1", &format!("\"{}\"", "i".repeat(60))] {
                let expected = format!("{{\"id\":{id},\"type\":\"response\",\"payload\":\"{text}\"}}\n");
                let exact = Limits::default().with_max_frame(expected.len() - 1);
                assert_eq!(written(Reply::of(&text).unwrap(), id, &exact), expected);
                let short = exact.clone().with_max_frame(expected.len() - 2);
                let refused = written(Reply::of(&text).unwrap(), id, &short);
                assert!(refused.starts_with(&format!("{{\"id\":{id},\"type\":\"error\"")), "{refused}");
                assert!(refused.contains(code::FRAME_TOO_LONG));
            }
        }
    }
}
