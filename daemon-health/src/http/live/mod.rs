//! What a page sees live: the host in parts, each sent again when it has changed.
//!
//! [`view`] is what a page is told of a status, as data; [`tail`] the latest events and log lines; [`feed`] keeps both up to date
//! while somebody looks; [`stream`] is what one viewer is sent.
//!
//! Invariants:
//! 1. While nobody looks nothing is done, and nobody looks on at events.
//! 2. Nothing is kept for a viewer but how far it has come: one that is slow misses what was in between, and costs no more.
//! 3. Code of others, such as an event's way to JSON, runs on the workers.

mod feed;
mod stream;
mod tail;
mod view;

pub(super) use feed::Feed;
pub(super) use stream::Viewer;
pub use tail::{LogLine, LogTail};
