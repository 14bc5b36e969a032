//! What takes part: something that carries an event from a publisher to subscribers.

use std::future::Future;
use std::sync::Arc;

use benches::{Subscriber, UserCreated};

/// How many events any queue holds. More than a cycle publishes, so that none is lost or waited for.
pub const CAPACITY: usize = 256;

/// A way to carry events.
pub trait Contender: Sized + Send + 'static {
    /// All subscribers on one topic.
    fn one_topic(subscribers: &[Arc<Subscriber>]) -> impl Future<Output = Self> + Send;

    /// Publishes on that topic.
    fn publish(&mut self, event: UserCreated) -> impl Future<Output = ()> + Send;

    /// One subscriber on each topic, if there are such things as topics.
    fn topics(_names: &[String], _subscribers: &[Arc<Subscriber>]) -> impl Future<Output = Option<Self>> + Send {
        std::future::ready(None)
    }

    /// Publishes on the topic of that number and name.
    fn publish_to(&mut self, _number: usize, _name: &str, _event: UserCreated) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Ends whatever runs.
    fn stop(self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}
