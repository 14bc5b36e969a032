//! When calls are given up. Pure: no clock. Of many calls most have the same time, and nearly all have their answer before it.

use crate::moment::Moment;
use std::{collections::BTreeMap, mem};

/// When calls are given up; some may have their answer.
pub(crate) struct Deadlines<T> {
    /// By their time, but for those of `last`.
    others: BTreeMap<Moment, Vec<T>>,
    /// Those of the time that was added last.
    last: Vec<T>,
    last_at: Option<Moment>,
    len: usize,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self { others: BTreeMap::new(), last: Vec::new(), last_at: None, len: 0 }
    }
}

impl<T> Deadlines<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn add(&mut self, at: Moment, call: T) {
        if self.last_at != Some(at) {
            self.put_away();
            self.last_at = Some(at);
        }
        self.last.push(call);
        self.len += 1;
    }

    /// Puts those of the time that was added last beside the others.
    fn put_away(&mut self) {
        if let Some(at) = self.last_at.take().filter(|_| !self.last.is_empty()) {
            let last = mem::take(&mut self.last);
            self.others.entry(at).or_default().extend(last);
        }
    }

    /// The first time at which any is given up.
    pub(crate) fn next(&self) -> Option<Moment> {
        let last = self.last_at.filter(|_| !self.last.is_empty());
        self.others.keys().next().copied().into_iter().chain(last).min()
    }

    /// Takes those of the first time, if that has come.
    pub(crate) fn take(&mut self, now: Moment) -> Option<Vec<T>> {
        self.put_away();
        let first = self.others.first_entry().filter(|first| *first.key() <= now)?.remove();
        self.len -= first.len();
        Some(first)
    }

    /// Keeps only those of which that is said.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&T) -> bool) {
        self.last.retain(&is_kept);
        self.others.retain(|_, calls| {
            calls.retain(&is_kept);
            !calls.is_empty()
        });
        self.len = self.last.len() + self.others.values().map(Vec::len).sum::<usize>();
    }

    /// Forgets all; the room for those of one time stays.
    pub(crate) fn clear(&mut self) {
        self.others.clear();
        self.last.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        /// Whatever is added, forgotten and taken, it is as with a list in which one looks for the first.
        #[test]
        fn it_is_a_list_sorted_by_time(acts in prop::collection::vec((0..6_u8, 0..8_u64), 0..60)) {
            let (mut deadlines, mut list) = (Deadlines::default(), Vec::new());
            for (number, (act, tenths)) in acts.into_iter().enumerate() {
                let at = Moment::default().after(Duration::from_millis(100 * tenths));
                match act {
                    0..4 => {
                        deadlines.add(at, number);
                        list.push((at, number));
                    }
                    4 => {
                        let is_kept = |number: &usize| number % 3 != tenths as usize % 3;
                        deadlines.retain(is_kept);
                        list.retain(|(_, number)| is_kept(number));
                    }
                    _ if tenths == 0 => {
                        deadlines.clear();
                        list.clear();
                    }
                    _ => {
                        let mut taken = Vec::new();
                        while let Some(mut some) = deadlines.take(at) {
                            taken.append(&mut some);
                        }
                        list.sort_by_key(|(at, _)| *at);
                        let due = list.partition_point(|(time, _)| *time <= at);
                        prop_assert_eq!(taken, list.drain(..due).map(|(_, number)| number).collect::<Vec<_>>());
                    }
                }
                prop_assert_eq!(deadlines.next(), list.iter().map(|(at, _)| *at).min());
                prop_assert_eq!(deadlines.len(), list.len());
            }
        }
    }
}
