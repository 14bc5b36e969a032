//! Assembles a host.

use std::panic::Location;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::board::{Board, Words};
use super::check::{CheckError, CheckReport, check};
use super::claims::{Place, Wanted};
use super::conductor::Conductor;
use super::factory::{Factory, Source};
use super::farewell::{Farewell, Handler};
use super::journal::Journal;
use super::limits::Limits;
use super::settings::{Load, Settings};
use super::settled::{OnSettled, Settled};
use super::slot::Slot;
use super::unit::{Unit, UnitOf};
use super::{DEFAULT_BLOCKED_AFTER, DEFAULT_START_TIMEOUT, DEFAULT_STOP_BUDGET};
use crate::configuration::Configuration;
use crate::daemon::DaemonBase;
use crate::error::IntoOutcome;
use crate::event::Bus;
use crate::instance::{PathError, Scope};
use crate::schedule::Clock;
use crate::task::FOREVER;

/// The runner of a program's daemons: starts them in the order of their dependencies, stops them in reverse, and ends
/// the process with a code that says how it went.
///
/// ```no_run
/// use daemon_core::{DaemonBase, Host, daemon};
/// use std::process::ExitCode;
///
/// #[daemon(no_handlers)]
/// #[derive(Default)]
/// struct Quiet;
///
/// impl DaemonBase for Quiet {}
///
/// fn main() -> ExitCode {
///     Host::new("example").daemon(Quiet).run()
/// }
/// ```
#[must_use = "a host does nothing until `run` or `start`"]
pub struct Host {
    pub(super) name: String,
    units: Vec<Arc<dyn Unit>>,
    limits: Limits,
    configuration: (Configuration, Option<Load>),
    pub(super) quiet: bool,
    pub(super) report_file: Option<PathBuf>,
    pub(super) wanted: Wanted,
    pub(super) handlers: Vec<Handler>,
    pub(super) on_settled: Option<OnSettled>,
}

impl Host {
    /// A host without daemons.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            units: Vec::new(),
            limits: Limits::default(),
            configuration: (Configuration::default(), None),
            quiet: false,
            report_file: None,
            wanted: Wanted::default(),
            handlers: Vec::new(),
            on_settled: None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the daemons that were added so far.
    pub fn daemon_names(&self) -> impl Iterator<Item = &str> {
        self.units.iter().map(|unit| &**unit.name())
    }

    /// Whether its files are the user's or [the system's](Self::system).
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.wanted.scope
    }

    /// The lock that [`run`](Self::run) takes; `None` if it takes none.
    ///
    /// # Errors
    /// [`PathError`]: the name is none, or the environment does not tell a place for the lock.
    pub fn lock_path(&self) -> Result<Option<PathBuf>, PathError> {
        self.wanted.lock_path(&self.name)
    }

    /// Adds a daemon under its own name. The same value lives through every restart.
    pub fn daemon<D: DaemonBase>(self, daemon: D) -> Self {
        self.daemon_as(D::NAME, daemon)
    }

    /// Adds a daemon under a name of its own, so that a host can have several of one type.
    pub fn daemon_as<D: DaemonBase>(mut self, name: &str, daemon: D) -> Self {
        let source = Source::Value(Mutex::new(Some(Arc::new(daemon))));
        self.units.push(Arc::new(UnitOf::new(name, source)));
        self
    }

    /// Adds a daemon whose value is made by `factory` at each start, on the workers and under the start timeout: a
    /// function that returns a `Result`, or a future of one. Its error is a failed start.
    pub fn daemon_with<D: DaemonBase, Kind>(mut self, factory: impl Factory<D, Kind>) -> Self {
        let factory = Arc::new(factory);
        // Called inside a future: a factory that does not return one runs on the workers too.
        let make = move || -> crate::BoxFuture<'static, crate::Result<D>> {
            let factory = factory.clone();
            Box::pin(async move { factory.make().await })
        };
        self.units.push(Arc::new(UnitOf::new(D::NAME, Source::Factory(Box::new(make)))));
        self
    }

    /// Adds the daemons of a list that the compiler has checked; see [`daemons!`](crate::daemons).
    pub fn daemons(self, list: impl FnOnce(Self) -> Self) -> Self {
        list(self)
    }

    /// Gives the daemons a configuration, a value of the program's own type: `first` now, and at each reload what `load`
    /// returns, a `Result` or a future of one. Daemons read it with [`Context::configuration`](crate::Context::configuration).
    ///
    /// `load` runs on the workers. Its error refuses the reload.
    pub fn configuration<C, Kind>(mut self, first: C, load: impl Factory<C, Kind>) -> Self
    where
        C: Send + Sync + 'static,
    {
        let load = Arc::new(load);
        let load = move || -> crate::BoxFuture<'static, crate::Result<Configuration>> {
            let load = load.clone();
            Box::pin(async move { load.make().await.map(Configuration::new) })
        };
        self.configuration = (Configuration::new(first), Some(Arc::new(load)));
        self
    }

    /// Sets how many threads run daemons [one for each core].
    pub fn workers(mut self, workers: usize) -> Self {
        self.limits.workers = Some(workers);
        self
    }

    /// Sets how long the whole stop may take [25 s].
    pub fn stop_budget(mut self, budget: Duration) -> Self {
        self.limits.stop_budget = Some(budget);
        self
    }

    /// Sets how long a host that runs goes on as before once its shutdown is asked for \[not at all\], while its
    /// [readiness](crate::HostHandle::readiness) says no already: so long those who send it work have to notice. It is a part of
    /// the stop budget.
    pub fn unready_delay(mut self, delay: Duration) -> Self {
        self.limits.unready_delay = delay;
        self
    }

    /// Sets how long the start of a daemon may take that does not say so itself [60 s].
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.limits.start_timeout = Some(timeout);
        self
    }

    /// Sets how long the start of all daemons together may take \[no limit\]. What does not run by then fails by name, and
    /// with a daemon that the host requires the host does.
    pub fn start_budget(mut self, budget: Duration) -> Self {
        self.limits.start_budget = Some(budget);
        self
    }

    /// Sets how long a handler, a tick or any other asynchronous work may block its worker thread before
    /// [`run`](Self::run) warns of it by name \[1 s\]; `None` turns the warnings off.
    ///
    /// While all workers sleep nobody looks, and nothing wakes for it. An embedded host has no thread to look from, and
    /// warns of nothing; [`HostStatus::blocked`](crate::HostStatus::blocked) shows the same there.
    pub fn warn_blocked_after(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.blocked_after = Some(limit.into());
        self
    }

    /// Lets [`run`](Self::run) take no lock, so that there may be several instances, and make no PID file.
    pub fn without_lock(mut self) -> Self {
        self.wanted.set_lock(Place::Nowhere);
        self
    }

    /// Sets which lock the host takes before it starts anything [[`lock_path`](crate::instance::lock_path) of its name; none
    /// with [`start`](Self::start)]. There is no PID file then, unless one [is named](Self::with_pid_file).
    pub fn with_lock_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.wanted.set_lock(Place::At(path.into()));
        self
    }

    /// Sets which PID file the host makes [[`pid_path`](crate::instance::pid_path) of its name; none with
    /// [`start`](Self::start)]. It is as exclusive as a lock.
    pub fn with_pid_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.wanted.pid_file = Place::At(path.into());
        self
    }

    /// Puts the lock and the PID file where the daemons of the system have theirs, and not where the user's are; see
    /// [`Layout`](crate::instance::Layout).
    pub fn system(mut self) -> Self {
        self.wanted.scope = Scope::System;
        self
    }

    /// Adds what is to be done last: shutdown handlers are called one after the other, in the order in which they were
    /// added, when all daemons have stopped. An error or a panic of one is in the report and makes the exit code 1; the
    /// next is called all the same.
    ///
    /// ```
    /// # use daemon_core::{Host, Result};
    /// # async fn flush() -> Result<()> { Ok(()) }
    /// let host = Host::new("example").on_shutdown(|| async { flush().await });
    /// ```
    #[track_caller]
    pub fn on_shutdown<Fut>(mut self, handler: impl FnOnce() -> Fut + Send + 'static) -> Self
    where
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        self.handlers.push(Handler::new(Location::caller(), || {
            let ended = handler();
            Box::pin(async move { ended.await.into_outcome() })
        }));
        self
    }

    /// Sets how long all shutdown handlers together may take [5 s]. What overruns is dropped, and what has not begun by
    /// then is not called. They get less if the stop budget is short.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.limits.shutdown_timeout = Some(timeout);
        self
    }

    /// Has [`run`](Self::run) tell what the start came to, once: when every daemon has settled, or when it is known that
    /// nothing will start. [`start`](Self::start) returns as much.
    ///
    /// It is called on a thread of its own, after the start receipt was shown; the shutdown report waits for it, but no
    /// longer than for anything else that is written.
    ///
    /// ```
    /// # use daemon_core::Host;
    /// let host = Host::new("example").on_settled(|settled| {
    ///     if !settled.is_running() {
    ///         eprintln!("{settled}");
    ///     }
    /// });
    /// ```
    pub fn on_settled(mut self, tell: impl FnOnce(&Settled) + Send + 'static) -> Self {
        self.on_settled = Some(Box::new(tell));
        self
    }

    /// Keeps [`run`](Self::run) from writing the start receipt and the shutdown report to standard error, unless
    /// something went wrong.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Makes [`run`](Self::run) write the shutdown report to `path` as JSON, whatever ends the host, and also if it is refused.
    ///
    /// Where it cannot be written that is said on standard error. The exit code stays, since it tells how the host ended.
    pub fn report_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.report_file = Some(path.into());
        self
    }

    /// Looks for everything that would keep the host from starting, without starting anything.
    ///
    /// # Errors
    /// All faults at once: unknown, ambiguous and cyclic dependencies, names used twice, two types on one topic, reactions
    /// to unknown daemons, impossible limits.
    pub fn check(&self) -> Result<CheckReport, CheckError> {
        check(&self.name, &self.units, self.limits).map(|(_, report)| report)
    }

    pub(super) fn worker_threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.limits.workers.unwrap_or_else(cores)
    }

    pub(super) fn warns_of_blocked(&self) -> bool {
        self.limits.blocked_after != Some(None)
    }

    /// How long a poll may take before it counts as blocking its thread.
    pub(super) fn blocked_after(&self) -> Duration {
        self.limits.blocked_after.flatten().unwrap_or(DEFAULT_BLOCKED_AFTER)
    }

    pub(super) fn budget(&self) -> Duration {
        self.limits.stop_budget.unwrap_or(DEFAULT_STOP_BUDGET)
    }

    /// Checks the host and makes it ready to be conducted, by that clock.
    pub(super) fn assemble(self, clock: Arc<Clock>) -> Result<Conductor, CheckError> {
        let (graph, report) = check(&self.name, &self.units, self.limits)?;
        let (bus, journal) = (Bus::new(), Arc::new(Journal::new(Instant::now())));
        let (sender, happenings) = mpsc::unbounded_channel();
        let mut faults = Vec::new();
        let mut slots: Vec<Slot> = Vec::new();
        for (unit, node) in self.units.iter().zip(&graph.nodes) {
            let names = |on: &[usize]| on.iter().map(|&on| graph.nodes[on].name.to_string()).collect();
            match unit.subscribe(&bus) {
                Err(error) => faults.push(format!("`{}`: {error}", unit.name())),
                Ok(intake) => {
                    let (requires, wants) = (names(&node.requires), names(&node.wants));
                    slots.push(Slot::new(&**unit, node.wave, requires, wants, intake, journal.clone()));
                }
            }
        }
        if !faults.is_empty() {
            return Err(CheckError { faults });
        }
        let unready_delay = self.limits.unready_delay.min(FOREVER);
        let (stop_budget, start_timeout) =
            (self.budget().min(FOREVER), self.limits.start_timeout.unwrap_or(DEFAULT_START_TIMEOUT));
        let blocked_after = self.blocked_after();
        let (limits, farewell) = (self.limits, Farewell::new(self.handlers, self.limits.shutdown_timeout));
        let scope = self.wanted.scope;
        let words = Words { name: self.name, scope, notes: report.notes, limits, blocked_after, farewell };
        let (first, load) = self.configuration;
        let settings = Settings::new(first, load, start_timeout.min(FOREVER));
        let board = Board::new(words, slots, settings, bus.clone(), clock, journal, sender);
        let start_budget = self.limits.start_budget.map(|budget| budget.min(FOREVER));
        Ok(Conductor {
            board,
            bus,
            graph,
            units: self.units,
            happenings,
            stop_budget,
            start_timeout,
            start_budget,
            unready_delay,
        })
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.units.iter().map(|unit| unit.name()).collect();
        f.debug_struct("Host").field("name", &self.name).field("daemons", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::quiet::Quiet;
    use super::super::unit::{Intake, Lived, Outline};
    use super::*;
    use crate::declaration::Declaration;
    use crate::error::Result;
    use crate::event::SubscribeError;
    use crate::task::Failure;

    /// A daemon with which nothing is wrong, but that the bus does not take.
    struct Refused(UnitOf<Quiet>);

    impl Unit for Refused {
        fn name(&self) -> &Arc<str> {
            self.0.name()
        }
        fn declaration(&self) -> &Declaration {
            self.0.declaration()
        }
        fn outline(&self) -> Outline {
            self.0.outline()
        }
        fn subscribe(&self, _bus: &Arc<Bus>) -> Result<Arc<dyn Intake>, SubscribeError> {
            Err(SubscribeError::Stopping { daemon: self.name().to_string() })
        }
        fn is_made_anew(&self) -> bool {
            self.0.is_made_anew()
        }
        fn value(&self) -> crate::BoxFuture<'static, Result<Box<dyn Lived>>> {
            self.0.value()
        }
        fn release(&self) -> Result<(), Failure> {
            self.0.release()
        }
    }

    #[test]
    fn a_host_that_cannot_subscribe_its_daemons_is_refused_and_names_each() {
        let mut host = Host::new("t").daemon(Quiet);
        for name in ["one", "other"] {
            host.units.push(Arc::new(Refused(UnitOf::new(name, Source::Value(Mutex::default())))));
        }
        let refused = host.assemble(Clock::new()).err().expect("it is refused");
        let why = |name| format!("`{name}`: `{name}` is stopping and subscribes no more");
        assert_eq!(refused.faults, [why("one"), why("other")]);
    }
}
