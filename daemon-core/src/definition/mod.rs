//! What a daemon is: plain data, written by the macros or by hand, interpreted by the host.
//!
//! A [`Declaration`] is what can be known in a `const`: name, dependencies, timeouts. A [`Definition`] adds the rows
//! that call into the daemon: handlers, intervals, readiness reactions, deferred calls, tasks, checks and commands.
//! Nothing here runs anything.

mod check;
mod command;
mod rows;

pub use check::{Check, CheckOptions, DeclaredCheck};
pub(crate) use command::CommandOutline;
pub use command::{Command, CommandCall};
pub use rows::{Deferred, Interval, OnReady, RowCall, Task};

use crate::context::Context;
use crate::declaration::Declaration;
use crate::task::{EventRow, Handlers};

/// An event handler of a daemon of type `D`; see [`Definition::on_event`].
pub type EventHandler<D> = EventRow<D, Context>;

/// Everything the host knows about a daemon of type `D`.
///
/// The attribute macros write one through [`Wired::wire`](crate::Wired::wire); so can a person, row by row, with the
/// same public types.
pub struct Definition<D> {
    pub(crate) declaration: Declaration,
    pub(crate) events: Handlers<D, Context>,
    pub(crate) intervals: Vec<Interval<D>>,
    pub(crate) ready: Vec<OnReady<D>>,
    pub(crate) deferred: Vec<Deferred<D>>,
    pub(crate) tasks: Vec<Task<D>>,
    pub(crate) checks: Vec<Check<D>>,
    pub(crate) commands: Vec<Command<D>>,
}

impl<D: crate::Wired> Definition<D> {
    /// The definition of `D`: its declaration and every row its wiring adds.
    #[must_use]
    pub fn of() -> Self {
        let mut definition = Self {
            declaration: D::DECLARATION,
            events: Handlers::new(),
            intervals: Vec::new(),
            ready: Vec::new(),
            deferred: Vec::new(),
            tasks: Vec::new(),
            checks: Vec::new(),
            commands: Vec::new(),
        };
        D::wire(&mut definition);
        definition
    }
}

impl<D> Definition<D> {
    /// Adds an event handler.
    pub fn on_event(&mut self, row: EventHandler<D>) -> &mut Self {
        self.events.push(row);
        self
    }

    /// Adds an interval.
    pub fn every(&mut self, row: Interval<D>) -> &mut Self {
        self.intervals.push(row);
        self
    }

    /// Adds a reaction to another daemon's readiness.
    pub fn on_ready(&mut self, row: OnReady<D>) -> &mut Self {
        self.ready.push(row);
        self
    }

    /// Adds a call made some time after this daemon is ready.
    pub fn deferred(&mut self, row: Deferred<D>) -> &mut Self {
        self.deferred.push(row);
        self
    }

    /// Adds a long-running task.
    pub fn task(&mut self, row: Task<D>) -> &mut Self {
        self.tasks.push(row);
        self
    }

    /// Adds a health check.
    pub fn check(&mut self, row: Check<D>) -> &mut Self {
        self.checks.push(row);
        self
    }

    /// Adds a command.
    pub fn command(&mut self, row: Command<D>) -> &mut Self {
        self.commands.push(row);
        self
    }

    /// Declares the daemon otherwise than its type does, for dependencies or limits that are known only at run time. The
    /// name stays that under which it was added to its host.
    pub fn declare(&mut self, declaration: Declaration) -> &mut Self {
        self.declaration = declaration;
        self
    }

    /// What the daemon declares about itself.
    #[must_use]
    pub fn declaration(&self) -> &Declaration {
        &self.declaration
    }
}

impl<D> std::fmt::Debug for Definition<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definition")
            .field("declaration", &self.declaration)
            .field("events", &self.events)
            .field("intervals", &self.intervals)
            .field("ready", &self.ready)
            .field("deferred", &self.deferred)
            .field("tasks", &self.tasks)
            .field("checks", &self.checks)
            .field("commands", &self.commands)
            .finish()
    }
}
