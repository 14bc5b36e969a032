//! Writing answers into the outbox.

use super::handler::Reply;
use crate::{BadFrame, Envelope, Failure, FrameError, Json, Kind, Limits, code, codec::encode_value, outbox::Outbox};

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
    if let Err(error) = reply.into_body().write(&to.envelope(Kind::Response), limits, outbox) {
        write_failure(outbox, to, &Failure::of_code(code::FRAME_TOO_LONG, &error));
    }
}

/// Answers a failure, whatever the limits say: it is better told than kept. Text and JSON can always be written.
pub(super) fn write_failure(outbox: &mut Outbox, to: Address<'_>, failure: &Failure) {
    let limits = Limits::boundless();
    if let Err(error) = encode_value(&to.envelope(Kind::Error), failure, &limits, outbox.buffer()) {
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
    let to = Address { id: bad.id.as_ref().map(Json::as_str), hello: None };
    write_failure(outbox, to, &Failure::of_code(code, &bad.error));
}
