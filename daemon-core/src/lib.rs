//! Production daemons from annotated structs.

mod call;
mod context;
mod daemon;
mod definition;
mod error;
mod event;
mod status;
mod task;

pub use call::{Call, CallError};
pub use context::Context;
pub use daemon::{DaemonBase, Wired};
pub use definition::{
    Check, CheckKind, Command, CommandCall, Declaration, Declared, Deferred, Definition, Dependency, Interval,
    IntoOutcome, OnReady, RowCall, Task,
};
pub use error::{BoxError, Error, Result};
pub use event::{Envelope, Event, Overflow};
pub use task::{EventHandler, Handler, place};

/// A boxed future that can be sent to another thread.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
