//! Events: typed values published on topics.
use std::any::Any;
/// A value that can be published.
pub trait Event: Send + Sync + 'static {
    /// The topic, or a pattern if topics are known only at run time.
    const TOPIC: &'static str;
    /// The event as JSON; `None` for a local event.
    fn to_json(&self) -> Option<serde_json::Result<serde_json::Value>> {
        None
    }
}
/// What a wildcard handler gets.
#[derive(Debug)]
pub struct Envelope {
    _event: std::sync::Arc<dyn Any + Send + Sync>,
}
/// What happens when a queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Overflow {
    /// Wait.
    Block,
    /// Drop the oldest.
    DropOldest,
    /// Drop the newest.
    DropNewest,
}
/// One subscription.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SubscriptionStatus {}
