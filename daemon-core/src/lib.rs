//! Production daemons from annotated structs: ordered start and stop, typed events, schedules, readiness, supervision.
//!
//! ```no_run
//! use daemon_core::{DaemonBase, Host, daemon};
//!
//! #[daemon]
//! #[derive(Default)]
//! struct Heartbeat;
//!
//! #[daemon]
//! impl Heartbeat {
//!     #[every("1s")]
//!     fn beat(&self) {
//!         println!("still here");
//!     }
//! }
//!
//! impl DaemonBase for Heartbeat {}
//!
//! fn main() -> std::process::ExitCode {
//!     Host::new("heartbeat").daemon(Heartbeat).run()
//! }
//! ```
//!
//! A daemon is three pieces of plain Rust:
//!
//! * [`#[daemon]`](macro@daemon) on its struct declares it: a name, what it requires and wants, its limits.
//! * `#[daemon]` on one `impl` block wires it: [`#[on_event]`](macro@on_event), [`#[every]`](macro@every), [`#[cron]`](macro@cron),
//!   [`#[on_ready]`](macro@on_ready), [`#[deferred]`](macro@deferred), [`#[task]`](macro@task),
//!   [`#[health]`](macro@health) and [`#[command]`](macro@command) mark methods that the host calls.
//! * [`impl DaemonBase`](DaemonBase) overrides hooks; every one has a default.
//!
//! A [`Host`] runs daemons. Each method may take a [`Context`], a daemon's way to its host: publishing events,
//! registering work at run time, looking up the daemons it depends on. Whatever the macros write, a person can: a
//! [`Definition`] is plain data made of public types.
//!
//! # Features
//!
//! * `log` (default): [`Host::run`] shows warnings and errors on standard error where the program has installed no
//!   tracing subscriber of its own; `RUST_LOG` says what to show.
//! * `cron`: [`#[cron]`](macro@cron) and `Context::register_cron`, intervals told by cron expressions in time zones.
//! * `schema`: commands tell the JSON Schema of what they take and give, where the types are `schemars::JsonSchema`.
//! * `testing`: the module `testing`, a host under a paused clock for your own tests; a dev-dependency asks for it.

mod call;
mod configuration;
mod const_check;
mod context;
mod counter;
mod daemon;
mod declaration;
mod definition;
mod duration;
mod error;
mod event;
mod histogram;
mod host;
pub mod instance;
#[cfg(all(test, daemon_loom))]
mod models;
mod policy;
mod reload;
mod schedule;
mod status;
mod sync;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod unwind;
mod upgrade;
mod written;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#[cfg(feature = "schema")]
pub use call::schema_of;
pub use call::{Call, CallError, CommandInfo};
pub use configuration::Configuration;
pub use context::{Context, HostHandle, TaskEnded, TaskHandle, Unsubscribe};
pub use counter::Counter;
pub use daemon::{DaemonBase, Wired};
pub use declaration::{Declaration, Declared, Dependency, Plane, Published};
pub use definition::{
    Check, CheckOptions, Command, CommandCall, DeclaredCheck, Deferred, Definition, EventHandler, Interval, OnReady,
    RowCall, Task,
};
pub use duration::IntoDuration;
pub use error::{BoxError, DaemonError, DaemonErrorCode, Error, IntoOutcome, Result, with_sources};
pub use event::{
    Envelope, Event, Fate, Filter, Key, Overflow, PublishError, QueueOptions, SubscribeError, Subscription,
    SubscriptionHandle, SubscriptionStatus, Tap, Tapped, Unhandled,
};
pub use histogram::Histogram;
pub use host::{
    Async, CheckError, Cut, DaemonProcess, DaemonProcessBuilder, DaemonStart, DaemonStop, EventAccount, Factory,
    HandlerStop, Host, HostCheck, Left, Plain, RunningHost, Settled, ShutdownReport, StartError, StartReport,
};
pub use policy::{OnError, Restart, RestartPolicy};
pub use reload::{DaemonReload, DaemonReloadOutcome, ReloadOutcome, ReloadReport};
pub use schedule::{Missed, Overlap, Period, Schedule};
pub use status::{
    BlockedWork, CheckKind, CheckReport, CounterStatus, DaemonStatus, EndedSubscriptions, EventAudit, HostReadiness,
    HostStatus, IntervalState, IntervalStatus, State, TaskKind, TaskStatus, Transition, Undeclared, Unfed, Unheard,
};
pub use task::{Attach, EventRow, Handler, place};
pub use upgrade::{Peer, Recognition, ServedUpgrades, Upgrade, UpgradeEntry, Upgraded, Upgrades};

// A bus and a timetable without a host, for tests and measurements; not part of the public interface.
#[doc(hidden)]
pub use event::{Bus, Publisher};
#[doc(hidden)]
pub use schedule::BareIntervals;
#[doc(hidden)]
pub use task::{Failure, Handlers, Observer, StillRunning, Wiring};

pub use daemon_macros::{Event, command, cron, daemon, deferred, every, health, on_event, on_ready, task};

/// The text grammars of durations, ranges, rates and percentages, shared with the macros.
pub use daemon_grammar as time;

/// A boxed future that can be sent to another thread.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
