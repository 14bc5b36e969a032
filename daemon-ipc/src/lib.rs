//! Local IPC for `daemon-core`: what two processes on one machine say to each other, and how it is cut into frames.
//!
//! * [`Envelope`] is a message: an `id`, a type and a payload, and the extensions beside them.
//! * [`Decoder`] turns bytes, however they are split, into [`Frame`]s; [`encode`] turns a message into bytes.
//! * [`Limits`] bounds what a peer can make this process hold in memory.
//!
//! The codec does no I/O: it is given bytes and gives bytes back, so it works over any stream and is tested without one.
//!
//! # Example: two messages that arrive in three pieces
//!
//! ```
//! use daemon_ipc::{Decoder, Kind, Limits};
//!
//! let mut decoder = Decoder::new(&Limits::default());
//! let mut ids = Vec::new();
//! for piece in [r#"{"id":1,"ty"#, "pe\":\"request\"}\n{\"id\":2,", "\"type\":\"request\"}\n"] {
//!     decoder.push(piece.as_bytes());
//!     while let Some(frame) = decoder.next() {
//!         let frame = frame?;
//!         assert_eq!(frame.kind(), Kind::Request);
//!         ids.push(frame.id().map(str::to_owned));
//!     }
//! }
//! assert_eq!(ids, [Some("1".into()), Some("2".into())]);
//! decoder.finish()?;
//! # Ok::<(), daemon_ipc::BadFrame>(())
//! ```

#![forbid(unsafe_code)]

mod body;
mod client;
mod codec;
mod command;
pub mod control;
mod error;
mod host;
mod input;
mod json;
mod limits;
mod outbox;
mod peer;
mod runtime;
mod server;
mod spare;
mod timer;
mod transport;

pub use async_trait::async_trait;
pub use client::{Connection, ConnectionBuilder, Event, Events, Reconnect, Replies, blocking};
pub use codec::{
    BadFrame, Capabilities, Decoder, Envelope, Extensions, Frame, FrameError, Hello, Kind, PROTOCOL_VERSION, encode,
};
pub use command::Published;
pub use control::ControlServer;
pub use daemon_core::{BoxFuture, Peer, Recognition, Upgrade, Upgraded};
pub use error::{BindError, ConnectionError, Failure, RequestError, code};
pub use host::IpcServer;
pub use json::Json;
pub use limits::Limits;
pub use peer::Policy;
pub use server::{
    FromFn, Handler, Items, PushError, Pusher, Reply, Request, Server, ServerBuilder, ServerHandle, from_fn,
};
pub use transport::{Endpoint, Memory, MemoryListener};
