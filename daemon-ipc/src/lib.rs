//! Local IPC for `daemon-core`: what two processes on one machine say to each other, and how it is cut into frames.
//!
//! * [`Message`] is the envelope: an `id`, a type (request, response or error) and a payload.
//! * [`Decoder`] turns bytes, however they are split, into messages; [`encode`] turns a message into bytes.
//! * [`Limits`] bounds what a peer can make this process hold in memory.
//!
//! The codec does no I/O: it is given bytes and gives bytes back, so it works over any stream and is tested without one.
//! A server and a client are not part of this crate yet.
//!
//! # Example: two messages that arrive in three pieces
//!
//! ```
//! use daemon_ipc::{Decoder, Kind, Limits};
//!
//! let mut decoder = Decoder::new(Limits::default());
//! let mut ids = Vec::new();
//! for piece in [r#"{"id":1,"ty"#, "pe\":\"request\"}\n{\"id\":2,", "\"type\":\"request\"}\n"] {
//!     decoder.push(piece.as_bytes());
//!     while let Some(message) = decoder.next() {
//!         let message = message?;
//!         assert_eq!(message.kind, Kind::Request);
//!         ids.push(message.id);
//!     }
//! }
//! assert_eq!(ids, [Some(1.into()), Some(2.into())]);
//! decoder.finish()?;
//! # Ok::<(), daemon_ipc::FrameError>(())
//! ```

#![forbid(unsafe_code)]

mod codec;
mod limits;
mod message;

pub use codec::{Decoder, FrameError, encode};
pub use limits::Limits;
pub use message::{Kind, Message};
