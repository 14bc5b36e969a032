//! The accounts of one daemon's run-time subscriptions, which outlive these: each that ends adds its own to that of its topic.
//!
//! **Invariant:** a subscription is in `open` or its account in `ended`, whenever one looks, and never both.

use super::counters::SubscriptionStatus;
use super::mailbox::Mailbox;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How many topics have an account of their own; further ones share one.
const TOPICS: usize = 256;
/// The name of the account that they share.
const OTHERS: &str = "(others)";

/// What became of the events offered to some subscriptions. What is still queued or under way counts as abandoned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) offered: u64,
    pub(crate) handled: u64,
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
    pub(crate) abandoned: u64,
}

impl From<&SubscriptionStatus> for Totals {
    fn from(status: &SubscriptionStatus) -> Self {
        let SubscriptionStatus { offered, handled, failed, dropped, .. } = *status;
        Self { offered, handled, failed, dropped, abandoned: status.abandoned + status.queued + status.in_flight }
    }
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.offered += other.offered;
        self.handled += other.handled;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.abandoned += other.abandoned;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    ended: BTreeMap<String, Totals>,
    /// By the numbers of their mailboxes, which are there until they have ended.
    open: BTreeMap<u64, Weak<Mailbox>>,
}

fn add(accounts: &mut BTreeMap<String, Totals>, status: &SubscriptionStatus) {
    let known = accounts.len() < TOPICS || accounts.contains_key(&status.name);
    let name = if known { &status.name } else { OTHERS };
    accounts.entry(name.to_owned()).or_default().add(status.into());
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the account of a subscription from here on.
    pub(crate) fn open(&self, mailbox: &Arc<Mailbox>) {
        self.lock().open.insert(mailbox.id(), Arc::downgrade(mailbox));
    }

    /// A subscription has ended.
    pub(crate) fn end(&self, mailbox: &Mailbox) {
        let status = mailbox.status();
        let mut book = self.lock();
        book.open.remove(&mailbox.id());
        status.iter().filter(|status| status.offered > 0).for_each(|status| add(&mut book.ended, status));
    }

    /// The accounts by topic of those that have ended.
    pub(crate) fn ended(&self) -> BTreeMap<String, Totals> {
        self.lock().ended.clone()
    }

    /// The accounts by topic, those of open subscriptions included.
    pub(crate) fn accounts(&self) -> BTreeMap<String, Totals> {
        let (mut accounts, open) = {
            let book = self.lock();
            let open: Vec<_> = book.open.values().filter_map(Weak::upgrade).collect();
            (book.ended.clone(), open)
        };
        open.iter().flat_map(|mailbox| mailbox.status()).for_each(|status| add(&mut accounts, &status));
        accounts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Bus, Event, Filter, Overflow, QueueOptions};

    /// Looks at the accounts when it is dropped.
    struct Nosy(Arc<Ledger>, Arc<Mutex<Vec<Totals>>>);

    impl Event for Nosy {
        const TOPIC: &'static str = "test:nosy";
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            self.1.lock().unwrap().extend(self.0.accounts().values());
        }
    }

    #[test]
    fn no_account_is_lost_between_the_end_of_a_subscription_and_its_being_booked() {
        let (bus, ledger, seen) = (Bus::new(), Arc::<Ledger>::default(), Arc::default());
        let subscribe = || bus.subscribe::<Nosy>("daemon", Nosy::TOPIC, QueueOptions::default()).unwrap();
        let subscription = subscribe().booked_in(&ledger);
        let publisher = bus.publisher("tester");
        (0..2).for_each(|_| publisher.try_publish(Nosy(ledger.clone(), Arc::clone(&seen))).unwrap());
        drop(subscription);
        let whole = Totals { offered: 2, abandoned: 2, ..Totals::default() };
        assert_eq!(*seen.lock().unwrap(), [whole; 2]);
        assert_eq!(ledger.accounts().into_values().collect::<Vec<_>>(), [whole]);
        drop(subscribe().booked_in(&ledger));
        assert!(ledger.lock().open.is_empty() && ledger.accounts().len() == 1);
    }

    struct Nth(u64);

    impl Event for Nth {
        const TOPIC: &'static str = "test:nth";
    }

    /// The first panics at its gate, of the others one is received, one finds no room, and one is left.
    #[test]
    fn whatever_became_of_its_events_is_in_the_account_that_outlives_it() {
        let (bus, ledger) = (Bus::new(), Arc::<Ledger>::default());
        let options = QueueOptions::default().capacity(2).overflow(Overflow::DropNewest);
        let options = options.when(Filter::of(|nth: &Nth| if nth.0 == 0 { panic!("no") } else { true }));
        for _ in 0..2 {
            let subscription = bus.subscribe::<Nth>("daemon", Nth::TOPIC, options.clone()).unwrap();
            let mut subscription = subscription.booked_in(&ledger);
            (0..4).for_each(|nth| bus.publisher("tester").try_publish(Nth(nth)).unwrap());
            assert!(subscription.try_recv().is_some());
        }
        let whole = Totals { offered: 8, handled: 2, failed: 2, dropped: 2, abandoned: 2 };
        assert_eq!(ledger.ended().into_values().collect::<Vec<_>>(), [whole]);
    }

    #[test]
    fn topics_beyond_a_bound_share_one_account_and_those_before_it_keep_theirs() {
        let (bus, ledger) = (Bus::new(), Arc::<Ledger>::default());
        for number in (0..TOPICS + 3).chain([0]) {
            let topic = format!("test:{number}");
            let subscription = bus.subscribe::<Nth>("daemon", &topic, QueueOptions::default()).unwrap();
            let _subscription = subscription.booked_in(&ledger);
            bus.publisher("tester").try_publish_to(&topic, Nth(0)).unwrap();
        }
        let ended = ledger.ended();
        let offered = |topic: &str| ended.get(topic).map(|account| account.offered);
        assert_eq!((ended.len(), offered("test:256")), (TOPICS + 1, None));
        assert_eq!((offered("test:0"), offered("test:255"), offered(OTHERS)), (Some(2), Some(1), Some(3)));
    }
}
