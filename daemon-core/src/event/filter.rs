//! A subscription's filter: asked in the publisher's call, before an event is queued, and outside any lock.
//!
//! **Invariant:** a filter that panics costs its own subscription that event and nobody anything else: the event counts as
//! offered and failed there, and the publisher and all other subscriptions go on.

use super::envelope::Envelope;
use super::error::SubscribeError;
use super::event::{AnyEvent, quietly};
use super::routes::TypeTag;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    passes: Arc<dyn Fn(&(dyn Any + Send + Sync)) -> bool + Send + Sync>,
}

impl Filter {
    /// Wants the events of type `E` for which `passes` says so; `E` is [`Envelope`](crate::Envelope) for a subscription to
    /// envelopes.
    #[must_use]
    pub fn of<E: Any + Send + Sync>(passes: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        let passes = Arc::new(move |event: &(dyn Any + Send + Sync)| {
            event.downcast_ref::<E>().is_some_and(|event| passes(event))
        });
        Self { takes: TypeTag::of::<E>(), passes }
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

/// What a gate says of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    TurnsAway,
    Panicked,
}

/// The filter of one subscription.
#[derive(Debug)]
pub(crate) struct Gate {
    subscription: String,
    filter: Filter,
    panics: AtomicU64,
}

impl Gate {
    pub(crate) fn new(subscription: String, filter: Filter) -> Arc<Self> {
        Arc::new(Self { subscription, filter, panics: AtomicU64::new(0) })
    }

    /// Asks the filter about an event. Call without locks.
    pub(crate) fn judge(&self, event: &AnyEvent, publisher: &str) -> Verdict {
        match catch_unwind(AssertUnwindSafe(|| (self.filter.passes)(&**event))) {
            Ok(true) => Verdict::Passes,
            Ok(false) => Verdict::TurnsAway,
            Err(payload) => {
                self.tell(publisher);
                quietly(|| drop(payload));
                Verdict::Panicked
            }
        }
    }

    /// Says that it panicked: the first time, the second, the fourth and so on, so that a flood makes no flood of lines.
    #[cold]
    fn tell(&self, publisher: &str) {
        let panics = self.panics.fetch_add(1, Ordering::Relaxed) + 1;
        if panics.is_power_of_two() {
            let subscription = &*self.subscription;
            tracing::error!(subscription, publisher, panics, "a filter panicked; the event counts as failed");
        }
    }
}
