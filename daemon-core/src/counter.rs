//! What daemons count: numbers that only grow, seen in their status and shown with the figures of their host.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::status::CounterStatus;

/// How many counters of one daemon are told apart.
const LIMIT: usize = 256;

/// What the labels of all others say.
const OTHERS: &str = "(others)";

/// How many there are with those, one for each name.
const MOST: usize = 2 * LIMIT;

/// What counts for every name beyond.
const NAMELESS: (&str, &str) = ("others", "Counted under names that were too many.");

/// A number that a daemon counts up. Clones are the same number.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts so many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

type Labels = BTreeMap<String, String>;

/// The counters of a daemon, over all its lives.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<BTreeMap<(String, Labels), (String, Counter)>>);

impl Counters {
    /// The counter of that name and those labels, made if it is new.
    pub(crate) fn of(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
        let mut key: (_, Labels) = (name.to_owned(), labels.collect());
        let (mut help, mut all) = (help, self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if all.len() >= LIMIT && !all.contains_key(&key) {
            key.1.values_mut().for_each(|value| OTHERS.clone_into(value));
        }
        if all.len() >= MOST && !all.contains_key(&key) {
            (key, help) = ((NAMELESS.0.to_owned(), Labels::new()), NAMELESS.1);
        }
        all.entry(key).or_insert_with(|| (help.to_owned(), Counter::default())).1.clone()
    }

    pub(crate) fn statuses(&self) -> Vec<CounterStatus> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let status = |((name, labels), (help, counter)): (&(String, Labels), &(String, Counter))| CounterStatus {
            name: name.clone(),
            help: help.clone(),
            labels: labels.clone(),
            value: counter.value(),
        };
        all.iter().map(status).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_made_up_without_end_share_one_counter() {
        let counters = Counters::default();
        counters.of("asked", "", &[("by", "0")]).add(1);
        for number in (0..1_000).chain([0]) {
            counters.of("asked", "", &[("by", &number.to_string())]).add(1);
        }
        let statuses = counters.statuses();
        let value = |by: &str| statuses.iter().find(|status| status.labels["by"] == by).map(|status| status.value);
        assert_eq!(statuses.len(), LIMIT + 1);
        assert_eq!((value("0"), value("255"), value("256")), (Some(3), Some(1), None), "a known one stays");
        assert_eq!(value(OTHERS), Some(1_000 - LIMIT as u64));
    }

    #[test]
    fn names_that_are_made_up_without_end_share_one_counter() {
        let counters = Counters::default();
        for number in (0..2_000).chain([0, 1]) {
            let (label, with) = (format!("by{number}"), number % 2);
            counters.of(&format!("asked{number}"), "", &[(&*label, "0")][..with]).add(1);
        }
        let statuses = counters.statuses();
        assert_eq!(statuses.len(), MOST + 1);
        let others = statuses.iter().find(|status| status.name == NAMELESS.0);
        assert_eq!(others.map(|status| status.value), Some(2_000 - MOST as u64));
        let known = |name: &str| statuses.iter().find(|status| status.name == name).map(|status| status.value);
        assert_eq!((known("asked0"), known("asked1")), (Some(2), Some(2)), "known ones stay");
    }
}
