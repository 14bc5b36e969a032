//! A subscription's filter: which events it wants.

use super::envelope::Envelope;
use super::error::SubscribeError;
use super::event::AnyEvent;
use super::routes::TypeTag;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Says which events a subscription wants; the others are not offered to it.
///
/// ```
/// use daemon_core::{Event, Filter, QueueOptions};
///
/// struct Price {
///     cents: u64,
/// }
///
/// impl Event for Price {
///     const TOPIC: &'static str = "market:price";
/// }
///
/// let dear = QueueOptions::default().when(Filter::of(|price: &Price| price.cents > 100_000));
/// ```
///
/// It runs in the publisher's call, for every event, so it should do no more than look at the event: it must not wait, nor
/// publish what it filters.
#[derive(Clone)]
pub struct Filter {
    takes: TypeTag,
    passes: Arc<Test>,
}

/// What a filter is once its event's type is hidden.
type Test = dyn Fn(&(dyn Any + Send + Sync)) -> bool + Send + Sync;

impl Filter {
    /// Wants the events of type `E` for which `passes` says so; `E` is [`Envelope`](crate::Envelope) for a subscription to
    /// envelopes.
    #[must_use]
    pub fn of<E: Any + Send + Sync>(passes: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        let passes = Arc::new(move |event: &(dyn Any + Send + Sync)| event.downcast_ref::<E>().is_some_and(&passes));
        Self { takes: TypeTag::of::<E>(), passes }
    }

    pub(crate) fn passes(&self, event: &AnyEvent) -> bool {
        (self.passes)(&**event)
    }

    /// Checks that it takes what its subscription does; `None`: envelopes.
    pub(crate) fn check(&self, subscription: &str, takes: Option<TypeTag>) -> Result<(), SubscribeError> {
        let expected = takes.unwrap_or_else(TypeTag::of::<Envelope>);
        if expected.id == self.takes.id {
            return Ok(());
        }
        let (expected, found) = (expected.name, self.takes.name);
        Err(SubscribeError::FilterMismatch { subscription: subscription.to_owned(), expected, found })
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter of {}", self.takes.name)
    }
}
