//! The server and the clients through their public interface: over memory with the clock paused, and over real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod acts;
mod bad_input;
mod batches;
#[cfg(unix)]
mod blocking;
mod client;
mod closing;
mod descriptors;
mod documents;
mod events;
mod extensions;
mod fuzzed;
mod hostile;
mod http;
mod limits;
#[cfg(windows)]
mod pipe;
mod raw;
#[cfg(unix)]
mod socket;
mod streams;
mod weaknesses;
mod wire;
