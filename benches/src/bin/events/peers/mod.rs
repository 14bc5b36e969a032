//! The peers, each as its documentation would have it used.

mod actors;
mod channels;
mod direct;

pub use actors::{ActixRecipient, KameoPubSub, RactorGroup};
pub use channels::{Broadcast, Kanal, Mpsc, MpscSuspending, MpscTry};
pub use direct::Direct;
