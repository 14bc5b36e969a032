//! Finds what is wrong with a host before anything starts: all faults at once, each by name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::faults::{faults_of, plane_fault};
use super::graph::{Edges, Graph};
use super::limits::Limits;
use super::references::{Fault, Named, Roster, graph};
use super::unit::{Outline, Unit};
use crate::declaration::Published;
use crate::event::{Voice, type_clashes, unfed, unheard};

/// A host that can be started.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// Remarks that stop nothing, such as a wanted daemon that is absent, or an event that no handler listens to.
    pub notes: Vec<String>,
}

/// A host that cannot be started, and everything that is wrong with it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckError {
    /// Each fault, in words, with what to do about it.
    pub faults: Vec<String>,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = if self.faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", self.faults.len()) };
        write!(f, "this host cannot start, for {many}")?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

impl std::error::Error for CheckError {}

/// Checks a host; if it is sound, its graph comes back.
pub(crate) fn check(host: &str, units: &[Arc<dyn Unit>], limits: Limits) -> Result<(Graph, CheckReport), CheckError> {
    let mut checker =
        Checker { units, outlines: units.iter().map(|unit| unit.outline()).collect(), faults: Vec::new() };
    checker.names(host);
    checker.faults.extend(limits.faults());
    checker.units();
    checker.topics();
    let mut report = CheckReport::default();
    if cfg!(panic = "abort") {
        let note = "this program is built with panic = \"abort\": a panic ends the process instead of being caught";
        report.notes.push(note.to_owned());
    }
    checker.audit(&mut report);
    let edges = checker.edges(&mut report);
    let graph = graph(edges).unwrap_or_else(|cycles| {
        checker.faults.extend(cycles);
        Graph::default()
    });
    if checker.faults.is_empty() {
        let all: Vec<_> = (0..units.len()).collect();
        checker.faults.extend(limits.stop_fault(&graph, &all, |at| units[at].declaration().stop_timeout));
        checker.faults.extend(limits.start_fault(&graph, &all, |at| units[at].declaration().start_timeout));
    }
    if checker.faults.is_empty() { Ok((graph, report)) } else { Err(CheckError { faults: checker.faults }) }
}

struct Checker<'a> {
    units: &'a [Arc<dyn Unit>],
    outlines: Vec<Outline>,
    faults: Vec<String>,
}

impl Checker<'_> {
    fn names(&mut self, host: &str) {
        if let Err(error) = daemon_grammar::name::check(host) {
            self.faults.push(format!("the host's name: {error}"));
        }
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for unit in self.units {
            if let Err(error) = daemon_grammar::name::check(unit.name()) {
                self.faults.push(format!("a daemon's name: {error}"));
            }
            *seen.entry(unit.name()).or_default() += 1;
        }
        let mut twice: Vec<_> = seen.into_iter().filter(|(_, times)| *times > 1).map(|(name, _)| name).collect();
        twice.sort_unstable();
        for name in twice {
            self.faults.push(format!(
                "two daemons are named `{name}`; remove one, or give it a name of its own: `.daemon_as(\"name\", ..)`"
            ));
        }
    }

    fn units(&mut self) {
        for (unit, outline) in self.units.iter().zip(&self.outlines) {
            self.faults.extend(faults_of(&**unit, outline));
        }
    }

    fn topics(&mut self) {
        let topics = self.outlines.iter().flat_map(|outline| outline.topics.clone());
        self.faults.extend(type_clashes(topics).iter().map(ToString::to_string));
    }

    /// Remarks on events that nobody hears and handlers that hear nothing, as far as the daemons say what they publish.
    fn audit(&self, report: &mut CheckReport) {
        let said = self.units.iter().filter_map(|unit| Some((unit.name(), unit.declaration().publishes?)));
        let voice = |(daemon, published): (&Arc<str>, &Published)| Voice {
            daemon: daemon.to_string(),
            topic: published.topic(),
            type_id: published.type_id(),
        };
        let voices: Vec<_> =
            said.flat_map(|(daemon, all)| all.iter().map(move |published| voice((daemon, published)))).collect();
        let listeners: Vec<_> = self.outlines.iter().flat_map(|outline| outline.listeners.clone()).collect();
        report.notes.extend(unheard(&voices, &listeners));
        if self.units.iter().all(|unit| unit.declaration().publishes.is_some()) {
            report.notes.extend(unfed(&voices, &listeners));
        }
    }

    /// What each daemon depends on, as far as it is there.
    fn edges(&mut self, report: &mut CheckReport) -> Vec<Edges> {
        let roster =
            Roster::new(self.units.iter().zip(&self.outlines).map(|(unit, outline)| outline.known(unit.name())));
        let mut edges = Vec::new();
        for (unit, outline) in self.units.iter().zip(&self.outlines) {
            let Named { requires, wants, faults, notes } =
                roster.named(unit.name(), unit.declaration(), &outline.ready);
            self.faults.extend(faults.into_iter().map(Fault::into_text));
            report.notes.extend(notes);
            let plane = unit.declaration().plane;
            let on = requires.iter().chain(&wants).map(|&on| &self.units[on]);
            self.faults.extend(on.filter_map(|on| plane_fault(&**unit, on.name(), on.declaration().plane)));
            edges.push(Edges { name: unit.name().clone(), requires, wants, plane });
        }
        edges
    }
}
