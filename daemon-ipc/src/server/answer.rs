//! Writing answers into the outbox.

use super::handler::Reply;
use crate::{
    BadFrame, Failure, FrameError, Json, Kind, Limits, code,
    codec::{Head, encode_value, write_id, write_key, write_kind},
    outbox::Outbox,
};

/// Whom an answer is for, and whether it answers a greeting too.
#[derive(Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) hello: Option<&'a str>,
}

/// An answer without its payload.
struct Answer<'a>(Kind, Address<'a>);

impl Head for Answer<'_> {
    #[inline]
    fn write(&self, to: &mut Vec<u8>) {
        let Self(kind, Address { id, hello }) = *self;
        write_id(id, to);
        write_kind(kind, to);
        write_key("hello", hello, to);
    }
}

/// Answers what a handler replied. A reply that is too long is answered as a failure.
pub(super) fn write_reply(outbox: &mut Outbox, to: Address<'_>, reply: Reply, limits: &Limits) {
    if let Err(error) = reply.into_body().write(&Answer(Kind::Response, to), limits, outbox) {
        write_failure(outbox, to, &Failure::of_code(code::FRAME_TOO_LONG, &error));
    }
}

/// Answers a failure, whatever the limits say: it is better told than kept. Text and JSON can always be written.
pub(super) fn write_failure(outbox: &mut Outbox, to: Address<'_>, failure: &Failure) {
    let limits = Limits::boundless();
    if let Err(error) = encode_value(&Answer(Kind::Error, to), failure, &limits, outbox.buffer()) {
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
