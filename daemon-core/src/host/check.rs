//! Finds what is wrong with a host before anything starts: all faults at once, each by name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::faults::faults_of;
use super::graph::{Edges, Graph};
use super::unit::{Outline, Unit};
use crate::declaration::{Declaration, Dependency, Published};
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

/// The limits that were set explicitly.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) stop_budget: Option<Duration>,
    pub(crate) shutdown_timeout: Option<Duration>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) start_budget: Option<Duration>,
    pub(crate) workers: Option<usize>,
    pub(crate) unready_delay: Duration,
    /// `Some(None)` if nobody is to be warned.
    pub(crate) blocked_after: Option<Option<Duration>>,
}

/// Checks a host; if it is sound, its graph comes back.
pub(crate) fn check(host: &str, units: &[Arc<dyn Unit>], limits: Limits) -> Result<(Graph, CheckReport), CheckError> {
    let mut checker =
        Checker { units, outlines: units.iter().map(|unit| unit.outline()).collect(), faults: Vec::new() };
    checker.names(host);
    checker.limits(limits);
    checker.units();
    checker.topics();
    let mut report = CheckReport::default();
    if cfg!(panic = "abort") {
        let note = "this program is built with panic = \"abort\": a panic ends the process instead of being caught";
        report.notes.push(note.to_owned());
    }
    checker.audit(&mut report);
    let edges = checker.edges(&mut report);
    let graph = match Graph::new(edges) {
        Ok(graph) => graph,
        Err(cycles) => {
            let told: Vec<_> = cycles.iter().map(|cycle| checker.cycle(cycle)).collect();
            checker.faults.extend(told);
            Graph::default()
        }
    };
    if checker.faults.is_empty() {
        checker.budget(&graph, "stop", limits.stop_budget, limits.shutdown_timeout, |declared| declared.stop_timeout);
        checker.budget(&graph, "start", limits.start_budget, None, |declared| declared.start_timeout);
    }
    if checker.faults.is_empty() { Ok((graph, report)) } else { Err(CheckError { faults: checker.faults }) }
}

struct Checker<'a> {
    units: &'a [Arc<dyn Unit>],
    outlines: Vec<Outline>,
    faults: Vec<String>,
}

impl Checker<'_> {
    /// A cycle in words; those of the compile-time check.
    fn cycle(&self, cycle: &[Arc<str>]) -> String {
        let Some(first) = cycle.first() else { return String::new() };
        let verb = |from: &str, to: &str| {
            let unit = self.units.iter().find(|unit| **unit.name() == *from);
            let is_hard = unit.is_some_and(|unit| unit.declaration().requires.iter().any(|on| on.name() == to));
            if is_hard { "requires" } else { "wants" }
        };
        if cycle.len() == 1 {
            return format!("dependency cycle: `{first}` {} itself; remove it", verb(first, first));
        }
        let next = cycle.iter().skip(1).chain([first]);
        let steps: Vec<_> = cycle.iter().zip(next).map(|(from, to)| format!("{} `{to}`", verb(from, to))).collect();
        format!("dependency cycle: `{first}` {}; remove one, or use `#[on_ready(..)]` for it", steps.join(", which "))
    }

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

    fn limits(&mut self, limits: Limits) {
        if limits.stop_budget.is_some_and(|budget| budget.is_zero()) {
            self.faults.push("the stop budget is zero; give the host time to stop".to_owned());
        }
        if limits.shutdown_timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.faults.push("the shutdown timeout is zero; give the shutdown handlers time to end".to_owned());
        }
        if limits.start_timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.faults.push("the start timeout is zero; give the daemons time to start".to_owned());
        }
        if limits.start_budget.is_some_and(|budget| budget.is_zero()) {
            self.faults.push("the start budget is zero; give the host time to start".to_owned());
        } else if let (Some(timeout), Some(budget)) = (limits.start_timeout, limits.start_budget)
            && timeout > budget
        {
            self.faults.push(format!(
                "the start timeout of {timeout:?} is longer than the start budget of {budget:?}; raise the budget or lower \
                 the timeout"
            ));
        }
        if limits.blocked_after.flatten().is_some_and(|limit| limit.is_zero()) {
            self.faults.push("blocked workers are to be warned of after no time; give them some, or `None`".to_owned());
        }
        let budget = limits.stop_budget.unwrap_or(super::DEFAULT_STOP_BUDGET);
        if !budget.is_zero() && limits.unready_delay >= budget {
            self.faults.push(format!(
                "the unready delay of {:?} leaves nothing of the stop budget of {budget:?}; raise the budget or shorten the delay",
                limits.unready_delay
            ));
        }
        if limits.workers == Some(0) {
            self.faults.push("the host has no workers; give it at least one".to_owned());
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

    /// Finds the daemon a dependency names; a fault is booked if there is none, or more than one.
    fn find(&mut self, at: usize, dependency: &Dependency, word: &str) -> Option<usize> {
        let (from, to) = (self.units[at].name().clone(), dependency.name());
        let found = self.units.iter().position(|unit| **unit.name() == *to);
        let type_id = dependency.type_id();
        let instances: Vec<_> = (0..self.units.len()).filter(|&unit| self.outlines[unit].type_id == type_id).collect();
        if !dependency.is_named() && instances.len() > 1 {
            let names: Vec<_> = instances.iter().map(|&unit| format!("`{}`", self.units[unit].name())).collect();
            self.faults.push(format!(
                "`{from}` {word} `{to}`, of which this host has several: {}; say which with `{word}(Type as \"name\")`",
                names.join(", ")
            ));
            return None;
        }
        match found {
            Some(found) if self.outlines[found].type_id != type_id => {
                self.faults.push(format!(
                    "`{from}` {word} `{to}`, but the daemon of that name is another type, `{}`",
                    self.outlines[found].type_name
                ));
                None
            }
            found => found,
        }
    }

    fn edges(&mut self, report: &mut CheckReport) -> Vec<Edges> {
        let mut edges = Vec::new();
        for at in 0..self.units.len() {
            let declaration = *self.units[at].declaration();
            let name = self.units[at].name().clone();
            let mut requires = Vec::new();
            for dependency in declaration.requires {
                match self.target(at, dependency, "requires") {
                    Target::At(on) => requires.push(on),
                    Target::Absent => self
                        .faults
                        .push(format!("`{name}` requires `{}`, which is missing here; add it", dependency.name())),
                    Target::Faulty => {}
                }
            }
            let mut wants = Vec::new();
            for dependency in declaration.wants {
                match self.target(at, dependency, "wants") {
                    Target::At(on) => wants.push(on),
                    Target::Absent => {
                        report.notes.push(format!("`{name}` wants `{}`, which is absent", dependency.name()))
                    }
                    Target::Faulty => {}
                }
            }
            for dependency in self.outlines[at].ready.clone() {
                if matches!(self.target(at, &dependency, "on_ready"), Target::Absent) {
                    self.faults.push(format!(
                        "`{name}` reacts to the readiness of `{}`, which is missing here; add it",
                        dependency.name()
                    ));
                }
            }
            for (word, list) in [("requires", &requires), ("wants", &wants)] {
                if let Some(twice) = (1..list.len()).find(|&at| list[..at].contains(&list[at])) {
                    self.faults.push(format!("`{name}` {word} `{}` twice", self.units[list[twice]].name()));
                }
            }
            edges.push(Edges { name, requires, wants });
        }
        edges
    }

    fn target(&mut self, at: usize, dependency: &Dependency, word: &str) -> Target {
        let before = self.faults.len();
        match self.find(at, dependency, word) {
            Some(on) => Target::At(on),
            None if self.faults.len() > before => Target::Faulty,
            None => Target::Absent,
        }
    }

    /// Refuses timeouts that were all declared and together exceed a budget that was declared too.
    fn budget(
        &mut self,
        graph: &Graph,
        what: &str,
        budget: Option<Duration>,
        handlers: Option<Duration>,
        timeout: impl Fn(&Declaration) -> Option<Duration>,
    ) {
        let Some(budget) = budget else { return };
        if let Some(handlers) = handlers.filter(|handlers| *handlers > budget) {
            self.faults.push(format!(
                "the shutdown timeout of {handlers:?} is longer than the {what} budget of {budget:?}; raise the budget or \
                 lower the timeout"
            ));
            return;
        }
        let weight = |at: usize| timeout(self.units[at].declaration()).unwrap_or_default();
        let worst = (0..self.units.len()).map(|at| (graph.longest_chain(at, &weight), at)).max();
        if let Some((sum, at)) = worst
            && let sum = sum.saturating_add(handlers.unwrap_or_default())
            && sum > budget
        {
            let name = self.units[at].name();
            let and = if handlers.is_some() { " and that of the shutdown handlers" } else { "" };
            self.faults.push(format!(
                "the {what} timeouts declared along the chain that begins with `{name}`{and} add up to {sum:?}, more than the \
                 {what} budget of {budget:?}; raise the budget or lower a timeout"
            ));
        }
    }
}

enum Target {
    At(usize),
    Absent,
    Faulty,
}
