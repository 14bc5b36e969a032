//! The events that a queue keeps itself, in order; if it conflates, at most one for each key.
//!
//! Invariant: with an index, `keys[i]` is the key of `entries[i]`, all are different, and `places` says where each stands,
//! counted from the first entry there ever was: `first` is the number of the front one.

use super::event::AnyEvent;
use super::key::Hashed;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// An event that waits.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The subscription it is for.
    pub(crate) to: u32,
    /// Its place among the kept events of its mailbox.
    pub(crate) order: i64,
    pub(crate) event: AnyEvent,
}

/// What became of an event that was put into a store.
#[derive(Debug)]
pub(crate) enum Put {
    Added,
    /// It took the place of an older one of its key.
    Replaced(Entry),
    /// The oldest made room, or this one did, where there is none at all.
    Evicted(Entry),
}

#[derive(Debug, Default)]
struct Index {
    keys: VecDeque<Hashed>,
    places: FxHashMap<Hashed, u64>,
    first: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    entries: VecDeque<Entry>,
    index: Option<Box<Index>>,
}

impl Store {
    pub(crate) fn new(conflates: bool) -> Self {
        Self { entries: VecDeque::new(), index: conflates.then(Box::default) }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an event: in the place of the one with its key, or at the back, where it may cost the oldest its place.
    pub(crate) fn put(&mut self, entry: Entry, key: Hashed, bound: usize) -> Put {
        if let Some(index) = &self.index
            && let Some(place) = index.places.get(&key)
        {
            let place = &mut self.entries[(place - index.first) as usize];
            return Put::Replaced(std::mem::replace(place, entry));
        }
        if bound == 0 {
            return Put::Evicted(entry);
        }
        let evicted = if self.entries.len() >= bound { self.pop() } else { None };
        if let Some(index) = &mut self.index {
            index.places.insert(key, index.first + index.keys.len() as u64);
            index.keys.push_back(key);
        }
        self.entries.push_back(entry);
        evicted.map_or(Put::Added, Put::Evicted)
    }

    /// Adds an event in front of all others, in a store without keys.
    pub(crate) fn put_first(&mut self, entry: Entry) {
        debug_assert!(self.index.is_none(), "a key is needed");
        self.entries.push_front(entry);
    }

    /// Adds an event, whatever the bound, after those whose place is before the boundary and before the others; of the latter one of
    /// its key stays instead.
    pub(crate) fn slip_in(&mut self, entry: Entry, key: Hashed, boundary: i64) -> Put {
        let at = self.entries.partition_point(|other| other.order < boundary);
        let Some(index) = &mut self.index else {
            self.entries.insert(at, entry);
            return Put::Added;
        };
        if let Some(place) = index.places.get(&key) {
            let other = &mut self.entries[(place - index.first) as usize];
            let is_newer = other.order >= boundary;
            return if is_newer { Put::Evicted(entry) } else { Put::Replaced(std::mem::replace(other, entry)) };
        }
        let keys = std::mem::take(&mut **index).keys;
        let mut all: VecDeque<_> = std::mem::take(&mut self.entries).into_iter().zip(keys).collect();
        all.insert(at, (entry, key));
        for (entry, key) in all {
            self.put(entry, key, usize::MAX);
        }
        Put::Added
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Takes the oldest.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.take().map(|(entry, _)| entry)
    }

    /// Takes the oldest, with its key.
    pub(crate) fn take(&mut self) -> Option<(Entry, Hashed)> {
        let entry = self.entries.pop_front()?;
        if let Some(index) = &mut self.index
            && let Some(key) = index.keys.pop_front()
        {
            index.places.remove(&key);
            index.first += 1;
            return Some((entry, key));
        }
        Some((entry, 0))
    }

    /// Puts the one that was taken last back in front; if one of its key has come meanwhile, that stays instead, and it is given out.
    pub(crate) fn put_back(&mut self, entry: Entry, key: Hashed) -> Option<Entry> {
        if let Some(index) = &mut self.index {
            if index.places.contains_key(&key) {
                return Some(entry);
            }
            index.first -= 1; // which taking it has raised
            index.places.insert(key, index.first);
            index.keys.push_front(key);
        }
        self.entries.push_front(entry);
        None
    }

    /// Adds what is newer, whatever the bound; gives out what it replaced.
    pub(crate) fn append(&mut self, newer: &mut Self, replaced: &mut Vec<Entry>) {
        match (self.index.is_some(), newer.index.take()) {
            (true, Some(index)) => {
                for (entry, key) in newer.entries.drain(..).zip(index.keys) {
                    if let Put::Replaced(older) = self.put(entry, key, usize::MAX) {
                        replaced.push(older);
                    }
                }
                newer.index = Some(Box::default());
            }
            _ => self.entries.append(&mut newer.entries),
        }
    }

    /// Takes everything, in order.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Entry> + '_ {
        if let Some(index) = &mut self.index {
            **index = Index::default();
        }
        self.entries.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Put, Store};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn entry(number: u64) -> Entry {
        Entry { to: 0, order: 0, event: Arc::new(number) }
    }

    fn number(entry: &Entry) -> u64 {
        *entry.event.downcast_ref().unwrap()
    }

    fn numbers(store: &mut Store) -> Vec<u64> {
        store.drain().map(|entry| number(&entry)).collect()
    }

    #[test]
    fn a_newer_one_takes_the_place_of_its_key() {
        let mut store = Store::new(true);
        for (at, key) in [7, 8, 9].into_iter().enumerate() {
            assert!(matches!(store.put(entry(at as u64), key, 3), Put::Added));
        }
        assert!(matches!(store.put(entry(3), 8, 3), Put::Replaced(old) if number(&old) == 1));
        assert!(matches!(store.put(entry(4), 6, 3), Put::Evicted(old) if number(&old) == 0));
        assert!(matches!(store.put(entry(5), 7, 3), Put::Evicted(old) if number(&old) == 3));
        assert!(matches!(store.put(entry(6), 6, 0), Put::Replaced(old) if number(&old) == 4));
        assert!(matches!(store.put(entry(7), 5, 0), Put::Evicted(new) if number(&new) == 7));
        assert_eq!(numbers(&mut store), [2, 6, 5]);
    }

    #[test]
    fn what_slips_in_comes_between_what_was_there_and_what_came_later() {
        let at = |number: u64, order| Entry { order, ..entry(number) };
        for keyed in [false, true] {
            let mut store = Store::new(keyed);
            for (key, order) in [(1, -1), (2, 0), (3, 5), (4, 6)] {
                store.put(at(key, order), key.into(), 9);
            }
            for number in [10, 11] {
                assert!(matches!(store.slip_in(at(number, 4), number.into(), 5), Put::Added));
            }
            if keyed {
                assert!(matches!(store.slip_in(at(12, 4), 2, 5), Put::Replaced(older) if number(&older) == 2));
                assert!(matches!(store.slip_in(at(13, 4), 3, 5), Put::Evicted(late) if number(&late) == 13));
                assert!(matches!(store.put(at(14, 7), 10, 9), Put::Replaced(older) if number(&older) == 10));
            }
            let expected = if keyed { [1, 12, 14, 11, 3, 4] } else { [1, 2, 10, 11, 3, 4] };
            assert_eq!(numbers(&mut store), expected);
        }
    }

    /// The same by searching.
    #[derive(Default)]
    struct Plain(Vec<(u64, u128)>);

    impl Plain {
        fn put(&mut self, number: u64, key: u128, bound: usize) {
            if let Some(old) = self.0.iter_mut().find(|(_, old)| *old == key) {
                old.0 = number;
            } else {
                if self.0.len() >= bound {
                    self.0.remove(0);
                }
                self.0.push((number, key));
            }
        }
    }

    proptest! {
        #[test]
        fn it_does_what_searching_would(steps in prop::collection::vec((0..5u8, 0..6u128), 0..200), bound in 1..6usize) {
            let (mut store, mut plain) = (Store::new(true), Plain::default());
            let (mut newer, mut newer_plain) = (Store::new(true), Plain::default());
            for (at, (step, key)) in (0..).zip(steps) {
                match step {
                    0 => {
                        let popped = store.pop().map(|entry| number(&entry));
                        prop_assert_eq!(popped, (!plain.0.is_empty()).then(|| plain.0.remove(0).0));
                    }
                    1 => {
                        newer.put(entry(at), key, bound);
                        newer_plain.put(at, key, bound);
                    }
                    4 => {
                        let Some((oldest, taken)) = store.take() else { continue };
                        if key == taken {
                            store.put(entry(at), key, bound);
                            prop_assert!(store.put_back(oldest, taken).is_some(), "a newer one has come");
                            let (_, key) = plain.0.remove(0);
                            plain.put(at, key, bound);
                        } else {
                            prop_assert!(store.put_back(oldest, taken).is_none());
                        }
                    }
                    2 if key == 0 => {
                        store.append(&mut newer, &mut Vec::new());
                        for (number, key) in newer_plain.0.drain(..) {
                            plain.put(number, key, usize::MAX);
                        }
                    }
                    _ => {
                        store.put(entry(at), key, bound);
                        plain.put(at, key, bound);
                    }
                }
                prop_assert_eq!(store.len(), plain.0.len());
            }
            prop_assert_eq!(numbers(&mut store), plain.0.iter().map(|(number, _)| *number).collect::<Vec<_>>());
        }
    }
}
