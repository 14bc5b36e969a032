//! Production daemons from annotated structs.

mod call;
mod const_check;
mod context;
mod daemon;
mod definition;
mod error;
mod event;
mod host;
mod status;
mod task;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use crate::task::{Attach, Failure, Handler, Handlers, Observer, StillRunning, Wiring, place};
pub use call::{Call, CallError};
pub use context::{Context, HostHandle, TaskEnded, TaskHandle, Unsubscribe};
pub use daemon::{DaemonBase, Wired};
pub use definition::{
    Check, Command, CommandCall, Declaration, Declared, Deferred, Definition, Dependency, EventHandler, Interval,
    IntoOutcome, OnReady, RowCall, Task,
};
pub use error::{BoxError, Error, Result};
pub use event::{
    Bus, Envelope, Event, Overflow, PublishError, Publisher, QueueOptions, SubscribeError, Subscription,
    SubscriptionHandle, SubscriptionStatus,
};
pub use host::{
    Async, CheckError, Cut, DaemonStart, DaemonStop, EventAccount, Factory, Host, HostCheck, Left, Plain, RunningHost,
    ShutdownReport, StartError, StartReport,
};
pub use status::{CheckKind, CheckReport, DaemonStatus, HostStatus, IntervalStatus, State, TaskKind, TaskStatus};

pub use daemon_macros::{Event, command, daemon, deferred, every, health, on_event, on_ready, task};

/// The text grammars of durations, ranges, rates and percentages, shared with the macros.
pub use daemon_grammar as time;

/// A boxed future that can be sent to another thread.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
