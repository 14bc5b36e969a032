//! What daemons published though they had said what they publish, and had not named it. Noticed once for each type and publisher, and
//! no more than noticed: whoever listens gets the event.

use super::routes::TypeTag;
use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// An event that its publisher had not declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slip {
    /// The type's own topic or pattern.
    pub(crate) topic: &'static str,
    /// The type's name.
    pub(crate) event: &'static str,
}

/// The slips of all publishers.
#[derive(Debug, Default)]
pub(crate) struct Undeclared(Mutex<BTreeMap<(Arc<str>, TypeId), Slip>>);

impl Undeclared {
    #[cold]
    pub(crate) fn note(&self, publisher: &Arc<str>, topic: &'static str, kind: TypeTag) {
        let slip = Slip { topic, event: kind.name };
        let known = {
            let mut slips = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slips.insert((publisher.clone(), kind.id), slip)
        };
        if known.is_none() {
            let (publisher, event) = (&**publisher, kind.name);
            tracing::warn!(publisher, topic, event, "published, though the daemon's `publishes(..)` does not name it");
        }
    }

    /// Who published what, by the names of both.
    pub(crate) fn all(&self) -> Vec<(String, Slip)> {
        let slips = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = slips.iter().map(|((publisher, _), slip)| (publisher.to_string(), *slip)).collect();
        drop(slips);
        all.sort_by(|one, other| (&one.0, one.1.topic, one.1.event).cmp(&(&other.0, other.1.topic, other.1.event)));
        all
    }
}
