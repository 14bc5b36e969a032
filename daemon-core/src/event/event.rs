//! What an event is: a type with a topic.

use std::any::Any;
use std::sync::Arc;

use crate::unwind::quietly;

/// An event of any type, as queues carry it.
pub(crate) type AnyEvent = Arc<dyn Any + Send + Sync>;

/// Something that happened, published under a topic and received by whoever subscribed to it.
///
/// Usually derived; by hand it is one constant:
///
/// ```
/// use daemon_core::Event;
///
/// struct Tick(u64);
///
/// impl Event for Tick {
///     const TOPIC: &'static str = "clock:tick";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    note = "write `#[derive(Event)] #[event(\"some:topic\")]` on it; a handler of any event takes `&Envelope`"
)]
pub trait Event: Send + Sync + 'static {
    /// The topic it is published under; a pattern if its topics are known only at run time, which are then given to
    /// `publish_to`.
    const TOPIC: &'static str;

    /// Whether the last event of each topic is kept for those who subscribe later: `#[event("..", retain)]`. Of a type that is
    /// published on more than 1,024 topics those are kept that were published last.
    const RETAIN: bool = false;

    /// Its JSON form, or `None` for an event that never leaves the process.
    fn to_json(&self) -> Option<serde_json::Result<serde_json::Value>> {
        None
    }
}

/// Drops an event; a panic in its destructor is logged and goes no further.
pub(crate) fn discard(event: AnyEvent) {
    if !quietly(|| drop(event)) {
        tracing::error!("an event's destructor panicked");
    }
}
