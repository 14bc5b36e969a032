//! Which daemons a daemon names, and what is wrong with that: of all before a host starts, and of each that is added later.
//!
//! Pure: daemons come as data, faults go as data.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use super::graph::{Edges, Graph};
use crate::declaration::{Declaration, Dependency};

/// A daemon that can be named.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: Arc<str>,
    pub(super) type_id: TypeId,
    pub(super) type_name: &'static str,
}

/// The daemons of a host.
pub(super) struct Roster {
    known: Vec<Known>,
    /// The first of each name.
    by_name: HashMap<Arc<str>, usize>,
    by_type: HashMap<TypeId, Vec<usize>>,
}

/// What a daemon names, as far as it could be found.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) requires: Vec<usize>,
    pub(super) wants: Vec<usize>,
    pub(super) faults: Vec<Fault>,
    /// Remarks that stop nothing.
    pub(super) notes: Vec<String>,
}

/// What is wrong with what a daemon names.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// There is no daemon of that name.
    Missing { name: &'static str, text: String },
    /// Anything else.
    Wrong(String),
}

impl Fault {
    /// The daemon that is not there.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match self {
            Self::Missing { name, .. } => Some(name),
            Self::Wrong(_) => None,
        }
    }

    pub(super) fn into_text(self) -> String {
        match self {
            Self::Missing { text, .. } | Self::Wrong(text) => text,
        }
    }
}

impl Roster {
    pub(super) fn new(known: impl IntoIterator<Item = Known>) -> Self {
        let mut roster = Self { known: Vec::new(), by_name: HashMap::new(), by_type: HashMap::new() };
        known.into_iter().for_each(|known| roster.push(known));
        roster
    }

    pub(super) fn push(&mut self, new: Known) {
        let at = self.known.len();
        self.by_name.entry(new.name.clone()).or_insert(at);
        self.by_type.entry(new.type_id).or_default().push(at);
        self.known.push(new);
    }

    /// Takes the last one out again, whose name no other has.
    pub(super) fn pop(&mut self) {
        let Some(last) = self.known.pop() else { return };
        let at = self.by_name.remove(&last.name);
        debug_assert_eq!(at, Some(self.known.len()), "`{}` names another", last.name);
        if let Some(instances) = self.by_type.get_mut(&last.type_id) {
            instances.pop();
        }
    }

    /// Where the daemon of that name is.
    pub(super) fn at(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Finds what the daemon `from` names.
    pub(super) fn named(&self, from: &str, declaration: &Declaration, ready: &[Dependency]) -> Named {
        let mut named = Named::default();
        for on in declaration.requires {
            match self.find(from, on, "requires") {
                Ok(Some(at)) => named.requires.push(at),
                Ok(None) => {
                    named.misses(on, format!("`{from}` requires `{}`, which is missing here; add it", on.name()))
                }
                Err(fault) => named.faults.push(Fault::Wrong(fault)),
            }
        }
        for on in declaration.wants {
            match self.find(from, on, "wants") {
                Ok(Some(at)) => named.wants.push(at),
                Ok(None) => named.notes.push(format!("`{from}` wants `{}`, which is absent", on.name())),
                Err(fault) => named.faults.push(Fault::Wrong(fault)),
            }
        }
        for on in ready {
            match self.find(from, on, "on_ready") {
                Ok(Some(_)) => {}
                Ok(None) => named.misses(
                    on,
                    format!("`{from}` reacts to the readiness of `{}`, which is missing here; add it", on.name()),
                ),
                Err(fault) => named.faults.push(Fault::Wrong(fault)),
            }
        }
        for (word, list) in [("requires", &named.requires), ("wants", &named.wants)] {
            if let Some(twice) = (1..list.len()).find(|&at| list[..at].contains(&list[at])) {
                let text = format!("`{from}` {word} `{}` twice", self.known[list[twice]].name);
                named.faults.push(Fault::Wrong(text));
            }
        }
        named
    }

    /// Finds the daemon that a dependency names, if it is there; the error says why none or another is meant.
    fn find(&self, from: &str, dependency: &Dependency, word: &str) -> Result<Option<usize>, String> {
        let (to, type_id) = (dependency.name(), dependency.type_id());
        let instances = self.by_type.get(&type_id).map_or(&[][..], Vec::as_slice);
        if !dependency.is_named() && instances.len() > 1 {
            let names: Vec<_> = instances.iter().map(|&at| format!("`{}`", self.known[at].name)).collect();
            return Err(format!(
                "`{from}` {word} `{to}`, of which this host has several: {}; say which with `{word}(Type as \"name\")`",
                names.join(", ")
            ));
        }
        match self.at(to) {
            Some(at) if self.known[at].type_id != type_id => Err(format!(
                "`{from}` {word} `{to}`, but the daemon of that name is another type, `{}`",
                self.known[at].type_name
            )),
            found => Ok(found),
        }
    }
}

impl Named {
    fn misses(&mut self, on: &Dependency, text: String) {
        self.faults.push(Fault::Missing { name: on.name(), text });
    }
}

/// The graph of the daemons, or each cycle in words; those of the compile-time check.
pub(super) fn graph(edges: Vec<Edges>) -> Result<Graph, Vec<String>> {
    Graph::new(edges.clone()).map_err(|cycles| cycles.iter().map(|cycle| told(&edges, cycle)).collect())
}

fn told(edges: &[Edges], cycle: &[usize]) -> String {
    let Some(&first) = cycle.first() else { return String::new() };
    let verb = |from: usize, to: usize| if edges[from].requires.contains(&to) { "requires" } else { "wants" };
    let name = |at: usize| &edges[at].name;
    if cycle.len() == 1 {
        return format!("dependency cycle: `{}` {} itself; remove it", name(first), verb(first, first));
    }
    let next = cycle.iter().skip(1).chain([&first]);
    let steps: Vec<_> =
        cycle.iter().zip(next).map(|(&from, &to)| format!("{} `{}`", verb(from, to), name(to))).collect();
    format!(
        "dependency cycle: `{}` {}; remove one, or use `#[on_ready(..)]` for it",
        name(first),
        steps.join(", which ")
    )
}
