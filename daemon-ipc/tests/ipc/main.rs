//! The server and the clients through their public interface: over memory with the clock paused, and over real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod acts;
mod bad_input;
mod blocking;
mod client;
mod closing;
mod events;
mod extensions;
mod http;
mod limits;
mod raw;
#[cfg(unix)]
mod socket;
mod streams;
mod weaknesses;
mod wire;
