//! The server and the clients through their public interface: over memory with the clock paused, and over real sockets.

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

/// What a test may fail with.
type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
