//! One event on its way from its publisher to the mailboxes.

use super::Event;
use super::after::After;
use super::envelope::{self, Envelope, ToJson};
use super::event::{AnyEvent, discard};
use super::receipt::Receipt;
use super::retained::Kept;
use super::routes::{Route, TypeTag};
use super::span::{Linked, Published};
use super::state::State;
use super::topic::Topic;
use super::wait_graph::Waiter;
use super::waiting::{Crowd, Ticket};
use crate::sync::MutexGuard;
use std::cell::RefCell;
use std::sync::Arc;

/// One event on its way: its only allocation, and its envelope once somebody takes envelopes.
pub(crate) struct Message<'a> {
    pub(crate) kind: TypeTag,
    /// There until it is dropped: it may be the last reference, and so run the user's destructor.
    event: Option<AnyEvent>,
    publisher: &'a Arc<str>,
    to_json: ToJson,
    envelope: Option<AnyEvent>,
    /// Its span, if somebody looks.
    published: Option<Arc<Published>>,
    /// Who wants to know what becomes of it.
    pub(crate) wait: Option<&'a Wait<'a>>,
    /// Whether its publisher waits for room.
    pub(crate) is_patient: bool,
    /// Set while it is published as one that is retained.
    pub(crate) retaining: Option<Box<Retaining>>,
}

/// What is put off while an event is published under the lock of the shelf.
pub(crate) struct Retaining {
    number: u64,
    later: RefCell<Vec<After>>,
}

impl Retaining {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, later: RefCell::default() }
    }

    /// Does what was put off.
    pub(crate) fn end(self, publisher: &str) {
        self.later.into_inner().into_iter().for_each(|after| after.run_for(publisher));
    }
}

/// How long a publish waits.
#[derive(Clone, Copy)]
pub(crate) enum Until<'a> {
    /// Not at all.
    Offered,
    /// Until its event is in every queue.
    Queued,
    Handled(&'a Wait<'a>),
}

impl<'a> Until<'a> {
    /// Whether somebody wants to know what becomes of its event: the publisher, or whoever looks at spans.
    #[inline]
    pub(crate) fn is_followed(self) -> bool {
        matches!(self, Self::Handled(_)) || Published::is_looked_at()
    }

    fn handled(self) -> Option<&'a Wait<'a>> {
        match self {
            Self::Handled(wait) => Some(wait),
            Self::Offered | Self::Queued => None,
        }
    }
}

/// How a publish waits until its event is handled.
pub(crate) struct Wait<'a> {
    pub(crate) receipt: Arc<Receipt>,
    /// Daemons that cannot run before the publisher does.
    pub(crate) held_up: &'a [String],
}

impl<'a> Message<'a> {
    pub(crate) fn new<E: Event>(topic: &str, event: AnyEvent, publisher: &'a Arc<str>, until: Until<'a>) -> Self {
        Self {
            kind: TypeTag::of::<E>(),
            event: Some(event),
            publisher,
            to_json: envelope::to_json::<E>,
            envelope: None,
            published: Published::now(topic, publisher),
            wait: until.handled(),
            is_patient: !matches!(until, Until::Offered),
            retaining: None,
        }
    }

    /// It was offered to a mailbox, which is to be unlocked.
    #[inline]
    pub(crate) fn offered(&self, mut state: MutexGuard<'_, State>, after: After) {
        if let Some(retaining) = &self.retaining {
            if state.phase.stops() {
                state.missed.from.get_or_insert(retaining.number);
            }
            drop(state);
            retaining.later.borrow_mut().push(after);
        } else {
            drop(state);
            after.run_for(self.publisher);
        }
    }

    /// Has it take its places in line at once, under the lock of the shelf: so those who wait for room come in the order in which
    /// they came by the shelf.
    pub(crate) fn insist(&self, full: &mut Crowd, from: Option<Waiter>) {
        let (Some(retaining), false) = (&self.retaining, full.is_empty()) else { return };
        let ticket = Arc::<Ticket>::default();
        let line = self.is_patient.then_some((&ticket, from));
        full.insist(line, |after| retaining.later.borrow_mut().push(after));
    }

    /// The span in which it is retained, if somebody looks.
    pub(crate) fn retained(&self) -> Option<Arc<Published>> {
        self.published.as_ref().map(|published| published.retained(self.publisher))
    }

    /// What stays of it on the shelf, in a span if it has one; it has an envelope.
    pub(crate) fn kept(&self, number: u64, span: Option<Arc<Published>>) -> Option<Kept> {
        Some(Kept { event: self.event.clone()?, envelope: self.envelope.clone()?, number, span })
    }

    /// Makes the envelope, once.
    pub(crate) fn wrap(&mut self, topic: impl FnOnce() -> Topic) {
        if let (None, Some(event)) = (&self.envelope, &self.event) {
            let envelope = Envelope::new(topic(), self.publisher.clone(), event.clone(), self.to_json);
            self.envelope = Some(Arc::new(envelope));
        }
    }

    /// In whose name it is published.
    pub(crate) fn publisher(&self) -> &Arc<str> {
        self.publisher
    }

    /// What a route gets of it.
    #[inline]
    pub(crate) fn as_taken_by(&self, route: &Route) -> Option<&AnyEvent> {
        match route.takes {
            Some(kind) => self.event.as_ref().filter(|_| kind.id == self.kind.id),
            None => self.envelope.as_ref(),
        }
    }

    /// What is queued in the place of `event`, which is what a route takes: itself with its span, if it has one.
    #[inline]
    pub(crate) fn linked(&self, event: &AnyEvent) -> Option<AnyEvent> {
        self.published.as_ref().map(|published| Linked::wrap(event.clone(), published))
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        [self.event.take(), self.envelope.take()].into_iter().flatten().for_each(discard);
    }
}
