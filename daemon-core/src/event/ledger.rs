//! The accounts of one daemon's run-time subscriptions, which outlive these: each that ends adds its own to that of its topic.

use super::counters::SubscriptionStatus;
use super::subscription::{Handles, SubscriptionHandle};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    open: Handles,
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
    pub(crate) fn open(&self, subscription: SubscriptionHandle) {
        self.lock().open.add(subscription);
    }

    /// A subscription has ended.
    pub(crate) fn end(&self, status: &SubscriptionStatus) {
        if status.offered > 0 {
            add(&mut self.lock().ended, status);
        }
    }

    /// The accounts by topic of those that have ended.
    pub(crate) fn ended(&self) -> BTreeMap<String, Totals> {
        self.lock().ended.clone()
    }

    /// The accounts by topic, those of open subscriptions included.
    pub(crate) fn accounts(&self) -> BTreeMap<String, Totals> {
        let (mut accounts, open) = {
            let book = self.lock();
            (book.ended.clone(), book.open.clone())
        };
        open.iter().filter_map(SubscriptionHandle::status).for_each(|status| add(&mut accounts, &status));
        accounts
    }
}
