//! The daemons of a host, in the order in which they were added, and where each is by its name. None ever leaves.

use std::collections::HashMap;
use std::sync::Arc;

use super::graph::Edges;
use super::references::{Known, Named, Roster};
use super::slot::Slot;
use crate::declaration::{Declaration, Dependency};

/// The daemons of a host.
pub(super) struct Roll {
    slots: Vec<Arc<Slot>>,
    /// Those of `slots`, in the same order.
    roster: Roster,
}

impl Roll {
    pub(super) fn new(slots: Vec<Slot>) -> Self {
        let roster = Roster::new(slots.iter().map(Slot::known));
        Self { slots: slots.into_iter().map(Arc::new).collect(), roster }
    }

    pub(super) fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// Where the daemon of that name is.
    pub(super) fn at(&self, name: &str) -> Option<usize> {
        self.roster.at(name)
    }

    pub(super) fn add(&mut self, slot: Slot) {
        self.roster.push(slot.known());
        self.slots.push(Arc::new(slot));
    }

    /// What a daemon names that is about to be added; itself it finds at the end.
    pub(super) fn named(&mut self, new: Known, declaration: &Declaration, ready: &[Dependency]) -> Named {
        let name = new.name.clone();
        self.roster.push(new);
        let named = self.roster.named(&name, declaration, ready);
        self.roster.pop();
        named
    }

    /// The edges of a daemon that is about to be added at `at`, and of all that it depends on over any number of steps, as a list by
    /// itself that begins with it; and where each of that list is here.
    pub(super) fn below(&self, new: Edges, at: usize) -> (Vec<Edges>, Vec<usize>) {
        let (mut list, mut all) = (vec![new], vec![at]);
        let mut places = HashMap::from([(at, 0)]);
        let mut next = 0;
        while next < list.len() {
            let Edges { requires, wants, .. } = &mut list[next];
            for on in requires.iter_mut().chain(wants) {
                *on = *places.entry(*on).or_insert_with_key(|&found| {
                    all.push(found);
                    all.len() - 1
                });
            }
            next += 1;
            let found = &all[list.len()..];
            list.extend(found.iter().map(|&found| self.edges(&self.slots[found])));
        }
        (list, all)
    }

    fn edges(&self, of: &Slot) -> Edges {
        let indexes = |names: &[String]| names.iter().filter_map(|on| self.at(on)).collect();
        let (requires, wants) = (indexes(&of.requires), indexes(&of.wants));
        Edges { name: of.name.clone(), requires, wants, plane: of.plane }
    }
}
